"""A server that keeps its originals in a real S3-compatible server, which goes away while jobs run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.server import FaultServer
from tests.fixtures.s3_server import S3Server, an_s3_server
from tests.fixtures.waiting import wait_for

WAIT_SECONDS = 120.0


def a_page(marker: str) -> bytes:
    """An HTML file that is too large for the cache, so that each reading has to fetch it."""
    return f"<html><body><p>The {marker} valve opens at 3 bar.</p><!-- {'x' * 1_200_000} --></body></html>".encode()


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[S3Server]:
    with an_s3_server(tmp_path / "s3") as server:
        yield server


@pytest.fixture
def server(tmp_path: Path, storage: S3Server) -> Iterator[FaultServer]:
    server = FaultServer(tmp_path, **storage.settings(), MQA_BLOB_CACHE_MB="1", MQA_BLOB_GRACE_MINUTES="0.001")
    try:
        server.start()
        yield server
    finally:
        server.stop()


def files_part(server: FaultServer) -> dict[str, object]:
    ready = server.call("GET", "/readyz")
    assert ready.status_code == 200
    part: dict[str, object] = ready.json()["parts"]["files"]
    return part


def test_jobs_wait_for_a_storage_that_is_away_and_finish(server: FaultServer, storage: S3Server) -> None:
    base = server.base("manuals")
    assert files_part(server)["state"] == "ready"
    with server.held_at("read.begin") as wait_held:
        jobs = [server.upload(base, f"{name}.html", a_page(name))["job"]["id"] for name in ("red", "blue", "green")]
        wait_held()
        storage.stop()
    assert wait_for(lambda: server.get(f"/v1/jobs/{jobs[0]}")["state"] == "done", WAIT_SECONDS)
    assert wait_for(lambda: server.get(f"/v1/jobs/{jobs[1]}")["attempts"] == 1, WAIT_SECONDS)
    assert files_part(server)["detail"] == "no connection"
    refused = server.call(
        "POST", f"/v1/knowledge-bases/{base}/documents", params={"name": "late.html"}, content=a_page("late")
    )
    assert (refused.status_code, refused.json()["code"]) == (503, "blobs_unavailable")
    [log] = (server.data / "logs").glob("server.log")
    assert wait_for(lambda: log.read_text(encoding="utf-8").count("job_waits_for_originals") > 4, WAIT_SECONDS)
    waiting = server.get(f"/v1/jobs/{jobs[1]}")
    assert (waiting["state"], waiting["stage"]) == ("running", "waiting")

    storage.start()
    for job in jobs[1:]:
        assert wait_for(lambda job=job: server.get(f"/v1/jobs/{job}")["state"] == "done", WAIT_SECONDS)  # type: ignore[misc]
    server.settle()
    found = server.documents(base)
    assert found is not None
    assert {name: one["state"] for name, one in found.items()} == dict.fromkeys(
        ("red.html", "blue.html", "green.html"), "ready"
    )
    assert files_part(server)["state"] == "ready"


def test_a_killed_server_finds_its_originals_again(server: FaultServer, storage: S3Server) -> None:
    base = server.base("manuals")
    server.kill_at("read.begin")
    document = server.upload(base, "red.html", a_page("red"))["document"]
    server.settle()
    assert server.deaths == 1
    address = f"/v1/knowledge-bases/{base}/documents/{document['id']}"
    fetched = server.call("GET", f"{address}/file")
    assert fetched.content == a_page("red")
    part = server.call("GET", f"{address}/file", headers={"Range": "bytes=0-5"})
    assert (part.status_code, part.content) == (206, b"<html>")

    storage.stop()
    assert server.call("GET", f"{address}/pages/1").json()["kind"] == "text"
    storage.start()
    assert server.call("DELETE", address).status_code == 204
    server.settle()
    store = storage.blobs(server.data / "other-cache", prefix="manualqa")
    assert list(store.all()) == []
