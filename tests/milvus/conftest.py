"""One real Milvus server for all tests of this folder; `make test-milvus` runs them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.fixtures.milvus_servers import MilvusProcess
from tests.milvus.environment import milvus_folder

LOCK_SECONDS = 1800.0


class RealMilvus(MilvusProcess):
    """The server of the wheel `milvus`, of a version before BM25.

    One at a time on a machine, for the others wait: the etcd inside it takes a port that cannot be chosen.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._package = milvus_folder()
        self._alone = FileLock(self._package.with_name(f"{self._package.name}-running.lock"))

    def start(self) -> None:
        self._alone.acquire(LOCK_SECONDS)
        super().start()

    def stop(self) -> None:
        super().stop()
        self._alone.release(force=True)

    def command(self) -> list[str]:
        script = Path(__file__).with_name("standalone.py")
        return [sys.executable, str(script), str(self._package), "data", str(self.port)]


@pytest.fixture(scope="session")
def real_milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMilvus]:
    server = RealMilvus(tmp_path_factory.mktemp("milvus"))
    began = time.monotonic()
    try:
        server.start()
        print(f"\nMilvus is up after {time.monotonic() - began:.0f} s")  # noqa: T201 - told once, for the log of a run
        yield server
    finally:
        server.stop()
