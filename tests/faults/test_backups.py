"""Back-ups of a real server under load, restored to an equal state; and those that are broken off or changed."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.errors import BackupInvalid
from app.ingest.backup.restoring import check_backup
from app.settings import child_environment
from tests.faults.server import FaultServer, Json
from tests.fixtures.s3_server import an_s3_server
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.timeout(900)
"""A dozen programs start one after the other; on a busy machine each takes half a minute."""

KEPT = [f"kept{n}" for n in range(8)]
WAIT_SECONDS = 120.0


def a_manual(marker: str) -> bytes:
    line = f"The {marker} valve number {{n}} opens slowly at {{n}} bar, wait until the gauge of {marker} is still. "
    return "\n\n".join(f"# Section {n}\n\n{line.format(n=n) * 3}" for n in range(12)).encode()


def command(data: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env=child_environment(MQA_DATA_DIR=str(data), MQA_LANGUAGE="en", MQA_MIN_FREE_DISK_MB="0", **settings),
        capture_output=True,
        text=True,
        check=False,
    )


def hits(server: FaultServer, base: str, marker: str) -> dict[str, tuple[str, float]]:
    """What a search for a marker finds in the documents with it: chunk id to text and cosine."""
    body = {"question": f"{marker} valve", "limit": 50, "threshold": -1}
    answer = server.call("POST", f"/v1/knowledge-bases/{base}/search", json=body)
    assert answer.status_code == 200, answer.text
    found = [hit for hit in answer.json()["hits"] if hit["document_name"] == f"{marker}.md"]
    return {hit["chunk"]["id"]: (hit["chunk"]["text"], hit["scores"]["cosine"]) for hit in found}


class Load:
    """Uploads, deletes and asks until it is ended."""

    def __init__(self, server: FaultServer, base: str) -> None:
        self._server, self._base = server, base
        self._ended = threading.Event()
        self.rounds = [0, 0]
        self.faults: list[str] = []
        work = (self._churn, self._ask)
        self._threads = [threading.Thread(target=self._run, args=(n, one)) for n, one in enumerate(work)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self, which: int, work: object) -> None:
        assert callable(work)
        with self._server.connect() as client:
            while not self._ended.is_set():
                work(client, self.rounds[which])
                self.rounds[which] += 1

    def _churn(self, client: httpx.Client, turn: int) -> None:
        address = f"/v1/knowledge-bases/{self._base}/documents"
        sent = client.post(address, params={"name": f"churn{turn}.md"}, content=a_manual(f"churn{turn}"))
        self._expect(sent, 202)
        if turn % 2:
            self._expect(client.delete(f"{address}/{sent.json()['document']['id']}"), 204)

    def _ask(self, client: httpx.Client, turn: int) -> None:
        body = {"question": f"{KEPT[turn % len(KEPT)]} valve", "threshold": -1}
        self._expect(client.post(f"/v1/knowledge-bases/{self._base}/search", json=body), 200)

    def _expect(self, answer: httpx.Response, status: int) -> None:
        if answer.status_code != status:
            self.faults.append(answer.text)


@dataclass(frozen=True)
class Written:
    """A backup that was written under load, what its command said, and what was found before."""

    folder: Path
    said: Json
    base: str
    hits: dict[str, dict[str, tuple[str, float]]]
    data: Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultServer]:
    with a_server(tmp_path) as server:
        yield server


@contextmanager
def a_server(folder: Path) -> Iterator[FaultServer]:
    server = FaultServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    root = tmp_path_factory.mktemp("backups")
    target = root / "copies" / "first"
    with a_server(root) as server:
        base = filled(server)
        before = {marker: hits(server, base, marker) for marker in KEPT}
        with Load(server, base) as load:
            assert wait_for(lambda: min(load.rounds) >= 4, WAIT_SECONDS)
            rounds = list(load.rounds)
            done = command(server.data, "backup", str(target), "--json")
            assert done.returncode == 0, done.stderr
            assert wait_for(lambda: load.rounds[1] > rounds[1] and load.rounds[0] > rounds[0], WAIT_SECONDS)
        assert load.faults == []
        assert {marker: hits(server, base, marker) for marker in KEPT} == before
    return Written(target, json.loads(done.stdout), base, before, server.data)


def filled(server: FaultServer) -> str:
    base = server.base("manuals")
    for marker in KEPT:
        server.upload(base, f"{marker}.md", a_manual(marker))
    server.settle()
    return base


def query(database: Path, sql: str) -> set[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return set(connection.execute(sql))


def test_a_backup_under_load_is_restored_to_an_equal_state(written: Written, tmp_path: Path) -> None:
    target, base, before = written.folder, written.base, written.hits
    assert written.said["originals_left_out"] == []
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (target, *target.rglob("*"))} == {0}
    ready = query(target / "catalogue.sqlite", "select name from documents where state = 'ready'")
    assert {(f"{marker}.md",) for marker in KEPT} <= ready
    assert len(ready) == written.said["ready"]

    again = FaultServer(tmp_path / "two")
    restored = command(again.data, "restore", str(target), "--json")
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert json.loads(restored.stdout)["findings"] == []
    in_backup = query(target / "catalogue.sqlite", "select id, state, sha256, chunks from documents")
    assert query(again.data / "catalogue.sqlite", "select id, state, sha256, chunks from documents") == in_backup
    again.start()
    try:
        for marker, expected in before.items():
            found = hits(again, base, marker)
            assert {key: text for key, (text, _) in found.items()} == {key: text for key, (text, _) in expected.items()}
            for key, (_, cosine) in expected.items():
                assert found[key][1] == pytest.approx(cosine, abs=1e-5)
        for (name,) in ready:
            assert hits(again, base, str(name).removesuffix(".md")), name
        again.settle()  # what was on its way goes on, and everything agrees
        documents = again.documents(base)
        assert documents is not None
        assert {one["state"] for one in documents.values()} == {"ready"}
    finally:
        again.stop()


def test_only_a_whole_and_unchanged_backup_is_restored_and_only_into_an_empty_folder(
    written: Written, tmp_path: Path
) -> None:
    target = written.folder
    taken = command(written.data, "restore", str(target))
    assert (taken.returncode, "not empty" in " ".join(taken.stderr.split())) == (1, True)
    for change in (_without_manifest, _with_changed_vectors, _without_an_original, _with_a_path_that_leads_out):
        broken = tmp_path / change.__name__
        shutil.copytree(target, broken)
        change(broken)
        with pytest.raises(BackupInvalid):
            check_backup(broken)

    data = tmp_path / "two" / "data"
    refused = command(data, "restore", str(broken))
    assert (refused.returncode, "cannot be restored" in refused.stderr) == (1, True)
    assert [path.name for path in data.iterdir()] == ["manualqa.lock"]
    assert command(data, "restore", str(target)).returncode == 0
    (data / "restoring").touch()  # as a kill just before the end leaves it
    (data / "catalogue.sqlite").write_bytes(b"half of it")
    refused = command(data, "serve", "--port", "0")
    assert (refused.returncode, "Run `manualqa restore` again" in " ".join(refused.stderr.split())) == (1, True)
    with an_s3_server(tmp_path / "s3") as storage:  # a backup of a folder fits into object storage
        assert command(data, "restore", str(target), **storage.settings()).returncode == 0
        there = {blob.sha256 for blob in storage.blobs(tmp_path / "cache", prefix="manualqa").all()}
    assert there == {path.name for path in target.glob("files/*/*")}
    assert len(there) >= len(KEPT)
    assert not (data / "restoring").exists()


def _without_manifest(backup: Path) -> None:
    (backup / "manifest.json").unlink()


def _with_changed_vectors(backup: Path) -> None:
    path = next(backup.glob("vectors/*/*.npy"))
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def _without_an_original(backup: Path) -> None:
    next(backup.glob("files/*/*")).unlink()


def _with_a_path_that_leads_out(backup: Path) -> None:
    path = backup / "manifest.json"
    manifest: Json = json.loads(path.read_text())
    manifest["files"][0]["path"] = "../../outside"
    path.write_text(json.dumps(manifest))


def test_a_server_killed_while_it_writes_a_backup_leaves_none(server: FaultServer) -> None:
    filled(server)
    server.kill_at("backup.originals")
    with server.connect() as client, pytest.raises(httpx.TransportError):
        client.post("/v1/maintenance/backups", json={})
    server.wait()
    assert [path.suffix for path in (server.data / "backups").iterdir()] == [".part"]
    server.revive()
    assert list((server.data / "backups").iterdir()) == []
    assert server.call("POST", "/v1/maintenance/backups", json={}).status_code == 201
    server.settle()
