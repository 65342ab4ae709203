"""Many steps over all stores at once: embedded, milvus-lite, and a real Milvus."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.ports import KeywordIndex, VectorStore
from app.retrieve.keyword import TantivyKeywordIndex
from app.retrieve.stores.chroma import ChromaVectorStore
from app.retrieve.stores.milvus.keywords import MilvusKeywordIndex
from app.retrieve.stores.milvus.server import MilvusServer
from app.retrieve.stores.milvus.vectors import MilvusVectorStore
from tests.fixtures.milvus_servers import MilvusLite
from tests.fixtures.store_walk import Walk
from tests.milvus.conftest import RealMilvus

STEPS = 600
CAMPAIGN_STEPS = 2000
"""Steps by default and of `pytest --campaign`; 2,000 took 14 minutes on two cores that others kept busy."""

SEED = 11
RESTARTS_A_KILL = 6
"""How many times the stores are opened again for each kill; that of the real one, 10 s, is for the campaign."""


@pytest.mark.timeout(1800)
def test_a_long_walk_over_all_stores(
    real_milvus: RealMilvus, milvus_lite: MilvusLite, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    campaign = bool(request.config.getoption("--campaign"))
    steps, killed = (CAMPAIGN_STEPS, (real_milvus, milvus_lite)) if campaign else (STEPS, (milvus_lite,))
    opened: list[VectorStore | KeywordIndex] = []
    restarts = 0

    def open_all() -> tuple[Mapping[str, VectorStore], Mapping[str, KeywordIndex]]:
        lite, real = (MilvusServer(server.config(tmp_path)) for server in (milvus_lite, real_milvus))
        vectors = {
            "chroma": ChromaVectorStore(tmp_path / "vectors"),
            "milvus-lite": MilvusVectorStore(lite),
            "milvus": MilvusVectorStore(real),
        }
        keywords = {"tantivy": TantivyKeywordIndex(tmp_path / "words"), "milvus-lite": MilvusKeywordIndex(lite)}
        opened.extend((*vectors.values(), *keywords.values()))
        return vectors, keywords

    def open_again() -> tuple[Mapping[str, VectorStore], Mapping[str, KeywordIndex]]:
        nonlocal restarts
        restarts += 1
        while opened:
            opened.pop().close()
        if restarts % RESTARTS_A_KILL == 0:
            for server in killed:
                server.kill()
                server.start()
        return open_all()

    began = time.monotonic()
    walk = Walk(SEED, *open_all(), open_again)
    walk.run(steps)
    while opened:
        opened.pop().close()
    assert len(walk.taken) == 8
    kills = restarts // RESTARTS_A_KILL
    print(f"\n{steps} steps with {kills} kills in {time.monotonic() - began:.0f} s: {dict(walk.taken)}")  # noqa: T201
