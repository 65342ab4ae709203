"""The same bytes many times at once, uploads that are cut off, and kills while files arrive."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.faults.scenarios import PAGES, SCAN, SMALL, pages, scan, small
from tests.faults.server import FaultServer, Json
from tests.fixtures.pdfs import a_pdf

CALLERS = 16
ATTEMPTS = 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    running = FaultServer(tmp_path_factory.mktemp("uploads"), MQA_INGEST_ATTEMPTS=str(ATTEMPTS))
    running.start()
    yield running
    running.stop()


def stored_files(server: FaultServer) -> list[str]:
    return sorted(path.name for path in (server.data / "files").rglob("*") if path.is_file())


def jobs_of(server: FaultServer, base: str) -> list[Json]:
    found: list[Json] = server.get("/v1/jobs", knowledge_base_id=base)["jobs"]
    return found


def test_the_same_bytes_from_many_at_once_are_one_document(server: FaultServer) -> None:
    base, content = server.base("many callers"), small()
    url = f"/v1/knowledge-bases/{base}/documents"
    everybody = threading.Barrier(CALLERS)

    def send(_: int) -> Json:
        everybody.wait(30)
        with server.connect() as client:
            answer = client.post(url, params={"name": SMALL}, content=content)
        assert answer.status_code in (200, 202), answer.text
        found: Json = answer.json()
        return found

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(send, range(CALLERS)))
    assert len({answer["document"]["id"] for answer in answers}) == 1
    assert len({answer["job"]["id"] for answer in answers}) == 1
    assert sum(answer["created"] for answer in answers) == 1
    server.settle()
    assert len(jobs_of(server, base)) == 1
    documents = server.documents(base)
    assert documents is not None
    for _ in range(3):
        again = server.upload(base, SMALL, content)
        assert (again["created"], again["document"]["id"]) == (False, answers[0]["document"]["id"])
    server.settle()
    assert server.documents(base) == documents


def test_an_upload_that_is_cut_off_leaves_nothing(server: FaultServer) -> None:
    base = server.base("cut off")
    files = stored_files(server)
    address = httpx.URL(str(server.client.base_url))
    head = (
        f"POST /v1/knowledge-bases/{base}/documents?name=cut.md HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: {server.client.headers['Authorization']}\r\nContent-Length: 4000000\r\n\r\n"
    )
    with socket.create_connection((address.host, address.port or 0), timeout=10) as connection:
        connection.sendall(head.encode() + b"x" * 2_500_000)
    server.settle()
    deadline = time.monotonic() + 20  # the server notices a little later that nobody sends any more
    while stored_files(server) != files and time.monotonic() < deadline:
        time.sleep(0.05)
    assert stored_files(server) == files
    assert server.documents(base) == {}


def test_every_upload_that_was_accepted_survives_a_kill_in_the_middle_of_others(server: FaultServer) -> None:
    base = server.base("killed while uploading")
    url = f"/v1/knowledge-bases/{base}/documents"
    accepted: dict[str, str] = {}
    enough = threading.Event()

    def send(caller: int) -> None:
        with server.connect() as client:
            for number in range(30):
                name = f"{caller}-{number}.md"
                try:
                    answer = client.post(url, params={"name": name}, content=f"# {name}\n\nIt is {name}.\n" * 200)
                except httpx.TransportError:
                    return
                assert answer.status_code == 202, answer.text
                accepted[name] = answer.json()["document"]["id"]
                if len(accepted) == 10:
                    enough.set()

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(send, caller) for caller in range(4)]
        assert enough.wait(30)
        os.kill(server.process.pid, signal.SIGKILL)
    for caller in callers:
        caller.result()
    server.wait()
    server.revive()
    server.settle()
    documents = server.documents(base) or {}
    assert len(accepted) >= 10
    assert accepted.keys() <= documents.keys()
    assert {document["state"] for document in documents.values()} == {"ready"}


def test_a_killed_reader_process_stops_neither_its_document_nor_others(server: FaultServer) -> None:
    """The file has enough pages for its reading to be met; a second reader gets it, or it says why it failed."""
    base = server.base("killed reader")
    content = a_pdf([f"Sheet {n}: the valve opens at {n} bar.\n" * 40 for n in range(1, 80)])
    server.upload(base, "long.pdf", content)
    server.upload(base, SMALL, small())
    assert kill_a_reader(server.process.pid), "no reader was met"
    server.settle()
    documents = server.documents(base) or {}
    assert documents[SMALL]["state"] == "ready"
    assert documents["long.pdf"]["state"] == "ready" or documents["long.pdf"]["error"] == "unreadable"
    assert documents["long.pdf"]["state"] == "failed" or documents["long.pdf"]["pages"] == 79


def kill_a_reader(pid: int, seconds: float = 20.0) -> bool:
    """Kills the first PDF-reading child that is met."""
    ended = threading.Event()
    timer = threading.Timer(seconds, ended.set)
    timer.start()
    try:
        while not ended.is_set():
            for child in psutil.Process(pid).children(recursive=True):
                try:
                    if "app.ingest.parsers.pdf_child" in " ".join(child.cmdline()):
                        child.kill()
                        return True
                except psutil.Error:
                    continue
    finally:
        timer.cancel()
    return False


def test_a_document_that_kills_every_server_is_given_up_and_others_are_ready(server: FaultServer) -> None:
    """Only the scanned document comes to the point of the kill."""
    base, deaths = server.base("deadly"), server.deaths
    server.kill_at("recognise.begin", always=True)
    try:
        job = server.upload(base, SCAN, scan())["job"]["id"]
        server.upload(base, SMALL, small())
        server.upload(base, PAGES, pages())
        server.settle()
    finally:
        server.disarm()
    documents = server.documents(base) or {}
    assert {name: (document["state"], document["error"]) for name, document in documents.items()} == {
        SCAN: ("failed", "gave_up"),
        SMALL: ("ready", None),
        PAGES: ("ready", None),
    }
    assert server.deaths == deaths + ATTEMPTS
    assert server.call("POST", f"/v1/jobs/{job}/retry").status_code == 202
    server.settle()
    assert (server.documents(base) or {})[SCAN]["state"] == "ready"


@pytest.mark.parametrize("hurried", [False, True])
def test_a_stop_in_the_middle_drains_and_the_next_start_finishes(tmp_path: Path, hurried: bool) -> None:
    """The first SIGTERM waits for the running step, the second does not; neither counts as an attempt."""
    server = FaultServer(tmp_path, MQA_INGEST_ATTEMPTS="1")
    server.start()
    try:
        base = server.base("stopped")
        with server.held_at("embed.begin") as wait_until_held:
            job = server.upload(base, SMALL, small())["job"]["id"]
            wait_until_held()
            server.process.terminate()
            if hurried:
                _wait_until_draining(server)
                server.process.terminate()
                assert server.wait(20) == 0
        assert server.wait(60) == 0
        server.start()
        server.settle()
        assert (server.documents(base) or {})[SMALL]["state"] == "ready"
        ended = server.get(f"/v1/jobs/{job}")
        assert ended["attempts"] == 1
        assert stored_files(server)
    finally:
        server.stop()


def _wait_until_draining(server: FaultServer) -> None:
    """Until the server has taken the first signal: it accepts no connection any more."""
    address = httpx.URL(str(server.client.base_url))
    while True:
        try:
            socket.create_connection((address.host, address.port or 0), timeout=5).close()
        except OSError:
            return
