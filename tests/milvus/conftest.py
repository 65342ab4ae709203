"""One real Milvus server for all tests of this folder; `make test-milvus` runs them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.milvus_servers import MilvusLite, MilvusProcess
from tests.milvus.environment import milvus_folder


class RealMilvus(MilvusProcess):
    """The server of the wheel `milvus`, of a version before BM25."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._package = milvus_folder()

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


@pytest.fixture(scope="session")
def milvus_lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusLite]:
    server = MilvusLite(tmp_path_factory.mktemp("milvus-lite"))
    server.start()
    yield server
    server.stop()
