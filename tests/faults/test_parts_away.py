"""The model's endpoint, Milvus and the database go away and come back: typed answers at once, then as before."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.generate.guarded_model import GuardedModel
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from tests.faults.server import FaultServer
from tests.fixtures.milvus_servers import MilvusLite, free_port
from tests.fixtures.scripted_model import Fault, scripted_model
from tests.fixtures.waiting import wait_for
from tests.unit.api.conftest import HELD, MANUAL, Api, an_api

SAID = "E-04 means that the water tank is empty."
QUESTION = {"question": "What does E-04 mean?"}
WAIT_SECONDS = 120.0
RECOVERY_SECONDS = 10.0
FAULTS = ["refused", Fault.STALL, Fault.STALL_MIDWAY, Fault.CUT, Fault.GARBAGE]


# --- the model --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, str]]:
    with an_api(tmp_path_factory.mktemp("away"), breaker_seconds=WAIT_SECONDS) as made:
        base = made.base("kettle")
        assert made.ready(base, "kettle.md", MANUAL.encode())["state"] == "ready"
        yield made, base


def endpoint_of(model: GuardedModel) -> OpenAICompatibleModel:
    inner = model._model
    assert isinstance(inner, OpenAICompatibleModel)
    return inner


@pytest.mark.parametrize("fault", FAULTS)
def test_a_model_that_fails_is_left_alone_and_asked_again_after_the_pause(
    api: tuple[Api, str], fault: Fault | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, base = api
    services = made.services
    breaker, inner = services.model.breaker, endpoint_of(services.model)
    ahead = 0.0
    monkeypatch.setattr(breaker, "_clock", lambda: time.monotonic() + ahead)
    monkeypatch.setattr(inner, "_first_token_seconds", 0.3)
    monkeypatch.setattr(inner, "_total_seconds", 0.6)
    made.model_says(SAID, fault if isinstance(fault, Fault) else Fault.NONE)

    def ask() -> dict[str, Any]:
        answer = made.client.post(f"/v1/knowledge-bases/{base}/ask", json=QUESTION)
        assert answer.status_code == 200
        return dict(answer.json())

    with monkeypatch.context() as away:
        if fault == "refused":
            away.setattr(inner, "_endpoint", FixedEndpoint(f"http://127.0.0.1:{free_port()}/v1"))
        failed = [ask() for _ in range(services.settings.breaker_failures)]
        assert {one["mode"] for one in failed} == {"extractive"}
        assert breaker.is_open
        asked = len(made.model.requests)
        at_once = ask()
        assert (at_once["mode"], at_once["degraded"]) == ("extractive", failed[-1]["degraded"])
        assert len(made.model.requests) == asked
        part = made.client.get("/readyz").json()["parts"]["model"]
        assert (part["state"], part["required"]) == ("down", False)
        assert 'manualqa_breaker_open{part="model"} 1.0' in made.client.get("/metrics").text
    monkeypatch.setattr(inner, "_first_token_seconds", WAIT_SECONDS)
    monkeypatch.setattr(inner, "_total_seconds", WAIT_SECONDS)
    made.model_says(SAID)
    ahead = WAIT_SECONDS + 1
    assert ask()["mode"] == "generated"
    assert not breaker.is_open
    assert made.client.get("/readyz").json()["status"] == "ready"


@pytest.mark.campaign
@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.STALL, Fault.STALL_MIDWAY, Fault.CUT, Fault.GARBAGE])
def test_answers_are_the_model_s_again_soon_after_it_is_back(tmp_path: Path, fault: Fault) -> None:
    with scripted_model(SAID) as model:
        server = FaultServer(tmp_path, MQA_LLM_BASE_URL=model.base_url, MQA_LLM_FIRST_TOKEN_SECONDS="2")
        server.start()
        try:
            base = a_ready_base(server)
            assert mode(server, base) == "generated"
            model.fault = fault
            assert [mode(server, base) for _ in range(3)] == ["extractive"] * 3
            began = time.monotonic()
            assert mode(server, base) == "extractive"
            at_once = time.monotonic() - began
            model.fault = Fault.NONE
            back_at = time.monotonic()
            assert wait_for(lambda: mode(server, base) == "generated", WAIT_SECONDS)
            seconds = time.monotonic() - back_at
            print(  # noqa: T201 - the figure
                f"\n{fault}: answered at once in {at_once:.3f} s, the model's again {seconds:.2f} s after it was back"
            )
            assert seconds < RECOVERY_SECONDS
        finally:
            server.stop()


def mode(server: FaultServer, base: str) -> str:
    answer = server.call("POST", f"/v1/knowledge-bases/{base}/ask", json=QUESTION)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["mode"])


def a_ready_base(server: FaultServer) -> str:
    base = server.base("kettle")
    job = server.upload(base, "kettle.md", MANUAL.encode())["job"]["id"]
    assert wait_for(lambda: server.get(f"/v1/jobs/{job}")["state"] == "done", WAIT_SECONDS)
    return base


# --- Milvus -----------------------------------------------------------------------------------------------------------


@pytest.mark.campaign
def test_milvus_stops_and_comes_back(tmp_path: Path) -> None:
    milvus = MilvusLite(tmp_path / "milvus")
    milvus.start()
    server = FaultServer(
        tmp_path,
        MQA_VECTOR_STORE="milvus",
        MQA_MILVUS_URI=milvus.uri,
        MQA_MILVUS_TIMEOUT_SECONDS="3",
        MQA_INGEST_TRIES="2",
    )
    server.start()

    def search() -> httpx.Response:
        return server.call("POST", f"/v1/knowledge-bases/{base}/search", json=QUESTION)

    try:
        base = a_ready_base(server)
        before = search().json()["hits"]
        assert before
        milvus.kill()
        failed = [search() for _ in range(3)]
        assert {(one.status_code, one.json()["code"]) for one in failed} == {(503, "index_unavailable")}
        began = time.monotonic()
        told = search()
        at_once = time.monotonic() - began
        assert (told.status_code, "Retry-After" in told.headers) == (503, True)
        assert server.call("GET", "/readyz").status_code == 503
        job = server.upload(base, "late.md", b"# Late\n\nThe late valve opens at 3 bar.")["job"]["id"]
        assert wait_for(lambda: server.get(f"/v1/jobs/{job}")["stage"] == "waiting", WAIT_SECONDS)
        time.sleep(20)  # more than all tries of a step would take
        assert server.get(f"/v1/jobs/{job}")["state"] == "running"
        milvus.start()
        back_at = time.monotonic()
        assert wait_for(lambda: search().status_code == 200, WAIT_SECONDS)
        seconds = time.monotonic() - back_at
        print(f"\nMilvus: told at once in {at_once:.3f} s, searched again {seconds:.2f} s after it was back")  # noqa: T201 - the figure
        assert [hit["chunk"]["id"] for hit in search().json()["hits"]] == [hit["chunk"]["id"] for hit in before]
        assert wait_for(lambda: server.call("GET", "/readyz").status_code == 200, WAIT_SECONDS)
        assert wait_for(lambda: server.get(f"/v1/jobs/{job}")["state"] == "done", WAIT_SECONDS)
        done = time.monotonic() - back_at
        print(f"Milvus: the document that waited was ready {done:.2f} s after it was back")  # noqa: T201 - the figure
        assert server.get(f"/v1/jobs/{job}")["attempts"] == 1
        assert max(seconds, done) < 2 * RECOVERY_SECONDS
    finally:
        server.stop()
        milvus.stop()


# --- the database -----------------------------------------------------------------------------------------------------

_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process holds the write lock of a SQLite database."""
    command = [sys.executable, "-c", _LOCK, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield
        process.communicate("", WAIT_SECONDS)


def test_questions_are_answered_while_another_process_locks_the_database(api: tuple[Api, str]) -> None:
    made, base = api
    made.model_says(SAID)
    _, fresh = made.services.keys.create("never used", made.services.keys.all()[0].role)  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {fresh}"}  # whose use would be written down
    database = made.services.settings.data_dir / "catalogue.sqlite"
    with locked(database):
        with pytest.raises(sqlite3.OperationalError):
            sqlite3.connect(database, timeout=0).execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        found = made.client.post(f"/v1/knowledge-bases/{base}/search", json=QUESTION, headers=headers)
        answer = made.client.post(f"/v1/knowledge-bases/{base}/ask", json=QUESTION, headers=headers)
        seconds = time.monotonic() - began
    assert (found.status_code, answer.status_code, answer.json()["mode"]) == (200, 200, "generated")
    assert seconds < 25  # what has to be written waits for 30
    assert made.client.post("/v1/knowledge-bases", json={"name": "after"}).status_code == 201


def test_changes_are_refused_soon_while_the_database_is_locked_and_jobs_wait_for_it(api: tuple[Api, str]) -> None:
    made, base = api
    documents = f"/v1/knowledge-bases/{base}/documents"
    client = made.client

    def upload() -> httpx.Response:
        return client.post(documents, params={"name": "pump.md"}, content=b"# Pump\n\nThe pump runs at 3 bar.")

    def change() -> httpx.Response:
        return client.post("/v1/knowledge-bases", json={"name": "changed"})

    made.embedder.close()
    job = made.upload(base, "valve.md", f"# Valve\n\nThe valve is {HELD}.".encode())["job"]["id"]
    assert made.embedder.arrived.wait(WAIT_SECONDS)
    with locked(made.services.settings.data_dir / "catalogue.sqlite"):
        made.embedder.gate.set()
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            refused = [one.result() for one in [pool.submit(send) for send in (upload, change) * 4]]
        seconds = time.monotonic() - began
        assert made.job(job)["state"] == "running"
    assert {(one.status_code, one.json()["code"]) for one in refused} == {(503, "unavailable")}
    assert all("Retry-After" in one.headers for one in refused)
    assert seconds < 25  # what a job writes waits for 30
    assert made.ended(job)["state"] == "done"
    assert made.job(job)["attempts"] == 1
    assert [one["name"] for one in client.get(documents).json()["documents"] if one["name"] == "pump.md"] == []
    assert upload().status_code == 202
    assert change().status_code == 201


@pytest.mark.campaign
def test_a_change_that_cannot_be_written_is_told_so_and_works_again_afterwards(tmp_path: Path) -> None:
    server = FaultServer(tmp_path)
    server.start()
    try:
        base = a_ready_base(server)
        job = server.upload(base, "late.md", b"# Late\n\nThe late valve opens at 3 bar.")["job"]["id"]
        with locked(server.data / "catalogue.sqlite"):
            began = time.monotonic()
            refused = server.client.post("/v1/knowledge-bases", json={"name": "other"}, timeout=WAIT_SECONDS)
            seconds = time.monotonic() - began
            time.sleep(20)  # as long as this lock lasts at least
        assert wait_for(lambda: server.get(f"/v1/jobs/{job}")["state"] == "done", WAIT_SECONDS)
        print(f"\nLocked database: a change was refused after {seconds:.1f} s")  # noqa: T201 - the figure
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert server.call("POST", "/v1/knowledge-bases", json={"name": "other"}).status_code == 201
        assert server.call("POST", f"/v1/knowledge-bases/{base}/search", json=QUESTION).status_code == 200
    finally:
        server.stop()


def test_a_document_is_accepted_while_the_queues_are_locked_and_read_afterwards(tmp_path: Path) -> None:
    server = FaultServer(tmp_path)
    server.start()
    try:
        base = a_ready_base(server)
        with locked(server.data / "jobs.sqlite"):
            began = time.monotonic()
            job = server.upload(base, "late.md", b"# Late\n\nThe late valve opens at 3 bar.")["job"]["id"]
            seconds = time.monotonic() - began
            assert server.get(f"/v1/jobs/{job}")["state"] == "queued"
        assert seconds < 10
        assert wait_for(lambda: server.get(f"/v1/jobs/{job}")["state"] == "done", WAIT_SECONDS)
    finally:
        server.stop()
