"""Servers that several contracts share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.milvus_servers import MilvusLite


@pytest.fixture(scope="session")
def milvus_lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusLite]:
    server = MilvusLite(tmp_path_factory.mktemp("milvus-lite"))
    server.start()
    yield server
    server.stop()
