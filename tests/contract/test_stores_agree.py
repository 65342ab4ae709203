"""Both stores, embedded and Milvus, stay equal to plain numpy through whatever happens to documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.ports import KeywordIndex, VectorStore
from app.retrieve.keyword import TantivyKeywordIndex
from app.retrieve.stores.chroma import ChromaVectorStore
from app.retrieve.stores.milvus.keywords import MilvusKeywordIndex
from app.retrieve.stores.milvus.server import MilvusServer
from app.retrieve.stores.milvus.vectors import MilvusVectorStore
from tests.fixtures.milvus_servers import MilvusLite
from tests.fixtures.store_walk import Walk

STEPS = 60
SEED = 3


def test_a_walk_over_embedded_stores_and_milvus_lite(milvus_lite: MilvusLite, tmp_path: Path) -> None:
    opened: list[VectorStore | KeywordIndex] = []

    def open_again() -> tuple[Mapping[str, VectorStore], Mapping[str, KeywordIndex]]:
        while opened:
            opened.pop().close()
        server = MilvusServer(milvus_lite.config(tmp_path))
        vectors = {"chroma": ChromaVectorStore(tmp_path / "vectors"), "milvus-lite": MilvusVectorStore(server)}
        keywords = {"tantivy": TantivyKeywordIndex(tmp_path / "words"), "milvus-lite": MilvusKeywordIndex(server)}
        opened.extend((*vectors.values(), *keywords.values()))
        return vectors, keywords

    walk = Walk(SEED, *open_again(), open_again)
    walk.run(STEPS)
    assert len(walk.taken) == 8  # every kind of step was taken
    for store in opened:
        store.close()
