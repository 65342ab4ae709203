"""Every write fails in turn, once and several times in a row; what could not be done is said, and done later."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from app.api.app import create_app
from app.catalogue.keys import Role
from app.errors import IndexUnavailable
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.parts import Parts
from app.settings import Settings
from app.wiring.services import build_services
from tests.faults.scenarios import SMALL, small
from tests.faults.server import UNSETTLED
from tests.fixtures.embedders import WordEmbedder

STRIDE = {1: 9, 7: 30}
"""Outside a campaign only some of the writes fail, other ones for each number of failures."""
WAIT_SECONDS = 60.0


@dataclass
class Faults:
    """Counts writes; the `first`-th and those after it fail, `left` of them."""

    count: int = 0
    first: int = 0
    left: int = 0
    raised: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, first: int, times: int) -> None:
        with self.lock:
            self.count, self.first, self.left, self.raised = 0, first, times, []

    def write(self, what: str, error: Callable[[], Exception]) -> None:
        """A write is about to happen, or has happened."""
        with self.lock:
            self.count += 1
            if self.left and self.count >= self.first:
                self.left -= 1
                self.raised.append(what)
                raise error()


def no_space() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def full_database() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("database or disk is full")


def break_catalogue(engine: Engine, faults: Faults) -> None:
    """Statements that write, and commits after them, fail as the driver would have them fail."""
    wrote = threading.local()

    def execute(cursor: object, statement: str, parameters: object, context: object) -> None:  # noqa: ARG001
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            wrote.here = True
            faults.write(statement[:40], full_database)

    commit = engine.dialect.do_commit

    def do_commit(connection: Any) -> None:  # noqa: ANN401
        if getattr(wrote, "here", False):
            wrote.here = False
            faults.write("commit", full_database)
        commit(connection)

    event.listen(engine, "do_execute", execute)
    event.listen(engine, "do_executemany", execute)
    engine.dialect.do_commit = do_commit  # type: ignore[method-assign]


class BrokenStore:
    """A vector store or keyword index whose writes fail before or after they happened."""

    def __init__(self, real: object, writes: Sequence[str], faults: Faults) -> None:
        self._real, self._writes, self._faults = real, writes, faults

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        method = getattr(self._real, name)
        if name not in self._writes:
            return method

        def write(*arguments: object) -> object:
            def away() -> Exception:
                return IndexUnavailable(reason="the vector index could not be read or written")

            self._faults.write(f"before {name}", away)
            result = method(*arguments)
            self._faults.write(f"after {name}", away)
            return result

        return write


def break_files(patch: pytest.MonkeyPatch, folder: Path, faults: Faults) -> None:
    """Syncing and renaming an uploaded file find no space."""
    sync, rename = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        if str(folder) in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            faults.write("fsync", no_space)
        sync(descriptor)

    def replace(source: Any, target: Any, **rest: Any) -> None:  # noqa: ANN401
        if str(folder) in str(target):
            faults.write("replace", no_space)
        rename(source, target, **rest)

    patch.setattr(os, "fsync", fsync)
    patch.setattr(os, "replace", replace)


@dataclass
class Broken:
    """The application over breakable stores."""

    client: TestClient
    faults: Faults
    database: Path
    bases: int = 0

    def call(self, method: str, path: str, **request: Any) -> Any:  # noqa: ANN401
        """The answer, asked for again while it is a typed error of a part that is away; never any other 5xx."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            answer = self.client.request(method, path, **request)
            if answer.status_code < 500:
                return answer
            told = (answer.text, self.faults.raised)
            assert answer.status_code in (503, 507), told
            assert answer.headers["content-type"] == "application/problem+json", told
            assert time.monotonic() < deadline, told

    def settle(self, base: str) -> None:
        """Waits until everything has ended and tries again what failed; nothing is restarted."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self._unsettled() or self._retried(base) or self._findings():
            assert time.monotonic() < deadline, (self.faults.raised, self._findings())
            time.sleep(0.03)

    def _unsettled(self) -> int:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            return int(connection.execute(UNSETTLED).fetchone()[0])

    def _retried(self, base: str) -> bool:
        """Whether anything had failed; `ingest_failed` is what users read of a disk that stayed full for all tries."""
        newest: dict[object, dict[str, Any]] = {}
        for job in reversed(self.call("GET", "/v1/jobs", params={"knowledge_base_id": base}).json()["jobs"]):
            newest[job["document_id"] or "rebuild"] = job
        failed = [job for job in newest.values() if job["state"] == "failed"]
        for job in failed:
            assert job["error"]["code"] in ("ingest_failed", "rebuild_failed", "index_unavailable", "disk_full"), job
            assert self.call("POST", f"/v1/jobs/{job['id']}/retry").status_code in (200, 202, 409)
        return bool(failed)

    def _findings(self) -> object:
        return self.call("POST", "/v1/maintenance/check", json={"repair": False}).json()["findings"]

    def story(self) -> tuple[list[str], list[str]]:
        """Upload, new version, rebuild, delete; returns the texts before and after the rebuild."""
        self.bases += 1
        base = self.call("POST", "/v1/knowledge-bases", json={"name": f"base {self.bases}"}).json()["id"]
        documents = f"/v1/knowledge-bases/{base}/documents"
        for version in (1, 2):
            sent = self.call("POST", documents, params={"name": SMALL}, content=small(version))
            assert sent.status_code in (200, 202), sent.text
            self.settle(base)
        before = self._texts(documents)
        rebuilt = self.call("POST", f"/v1/knowledge-bases/{base}/rebuild", json={"chunk_size": 500})
        assert rebuilt.status_code in (202, 409), rebuilt.text
        self.settle(base)
        after = self._texts(documents)
        (document,) = self.call("GET", documents).json()["documents"]
        assert self.call("DELETE", f"{documents}/{document['id']}").status_code in (204, 404)
        self.settle(base)
        assert self.call("GET", documents).json()["documents"] == []
        return before, after

    def _texts(self, documents: str) -> list[str]:
        (document,) = self.call("GET", documents).json()["documents"]
        assert document["state"] == "ready"
        chunks = self.call("GET", f"{documents}/{document['id']}/chunks").json()["chunks"]
        return [chunk["text"] for chunk in chunks]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    folder = tmp_path_factory.mktemp("writes")
    settings = Settings(
        data_dir=folder,
        chunk_size=200,
        chunk_overlap=0,
        min_free_disk_mb=0,
        ingest_retry_seconds=0.01,
        shutdown_seconds=1.0,
    )
    model = OpenAICompatibleModel(
        "none", FixedEndpoint("http://127.0.0.1:9/v1"), first_token_seconds=1, total_seconds=1
    )
    services = build_services(settings, "local-token", Parts(WordEmbedder(), model))
    _, secret = services.keys.create("tests", Role.ADMIN)
    faults, stores = Faults(), services._stores
    application = create_app(services)
    with pytest.MonkeyPatch.context() as patch:
        client = TestClient(application, headers={"Authorization": f"Bearer {secret}"}, raise_server_exceptions=False)
        with client:
            while client.get("/readyz").status_code != 200:
                time.sleep(0.02)
            break_catalogue(services._database, faults)
            break_files(patch, settings.uploads_dir, faults)
            vectors = BrokenStore(stores.vectors, ("upsert", "delete", "drop"), faults)
            keywords = BrokenStore(stores.keywords, ("replace_document", "delete_document", "drop"), faults)
            object.__setattr__(stores, "vectors", vectors)
            object.__setattr__(stores, "keywords", keywords)
            yield Broken(client, faults, folder / "catalogue.sqlite")
            faults.arm(0, 0)


@pytest.mark.parametrize("times", sorted(STRIDE))
def test_any_write_may_fail(broken: Broken, times: int, request: pytest.FixtureRequest) -> None:
    """Seven failures in a row are more than one step's tries, so that jobs fail too and are tried again."""
    broken.faults.arm(0, 0)
    clean = broken.story()
    writes = broken.faults.count
    assert writes > 50
    assert clean[0] != clean[1]
    stride = 1 if request.config.getoption("--campaign") else STRIDE[times]
    for first in range(1 + times % stride, writes + 1, stride):
        broken.faults.arm(first, times)
        assert broken.story() == clean, (first, broken.faults.raised)
        assert broken.faults.raised, first
