"""A real Milvus server keeps the law of the vector stores, and says that it has no BM25."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from app.errors import IndexUnavailable
from app.ports import VectorStore
from app.retrieve.stores.milvus.keywords import MilvusKeywordIndex
from app.retrieve.stores.milvus.names import collection_name
from app.retrieve.stores.milvus.server import MilvusServer
from app.retrieve.stores.milvus.vectors import PREFIX, Hnsw, MilvusVectorStore
from tests.contract.test_keyword_index_contract import BASE, an_entry
from tests.contract.test_vector_store_contract import DIMENSIONS, VectorStoreContract, names
from tests.fixtures.milvus_servers import MilvusProcess
from tests.milvus.conftest import RealMilvus

HNSW = Hnsw(m=24, ef_construction=150, ef=120)


@pytest.mark.parametrize("name", ["real_milvus", "milvus_lite"])
def test_vectors_in_an_index_on_disk_are_found_with_true_cosines(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: MilvusProcess = request.getfixturevalue(name)
    config = server.config(tmp_path)
    store = MilvusVectorStore(MilvusServer(config), HNSW)
    rows = np.random.default_rng(3).normal(size=(3000, DIMENSIONS)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    store.upsert(BASE, names(3000), rows)
    [index] = server.sealed(config, collection_name(PREFIX, BASE))
    described = str(index)
    assert "HNSW" in described
    assert re.search(r"'M': '?24", described)
    assert re.search(r"'efConstruction': '?150", described)
    store.delete(BASE, names(1000))
    store.upsert(BASE, names(500), rows[500:1000])
    alive = {
        **dict(zip(names(500), rows[500:1000], strict=True)),
        **dict(zip(names(3000)[1000:], rows[1000:], strict=True)),
    }
    assert store.ids(BASE) == alive.keys()
    found = 0
    for question in rows[:20]:
        exact = {chunk: float(vector @ question) for chunk, vector in alive.items()}
        hits = store.search(BASE, question, 50)
        assert all(abs(exact[chunk] - cosine) < 1e-4 for chunk, cosine in hits)
        assert hits == sorted(hits, key=lambda hit: (-hit[1], hit[0]))
        found += len({chunk for chunk, _ in hits} & set(sorted(exact, key=lambda chunk: -exact[chunk])[:50]))
    assert found / 1000 >= 0.98
    store.close()


class TestRealMilvus(VectorStoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, real_milvus: RealMilvus) -> None:
        self.server = real_milvus

    def open(self, root: Path) -> VectorStore:
        return MilvusVectorStore(MilvusServer(self.server.config(root)))


def test_a_server_without_bm25_says_so_and_keeps_nothing(real_milvus: RealMilvus, tmp_path: Path) -> None:
    index = MilvusKeywordIndex(MilvusServer(real_milvus.config(tmp_path)))
    with pytest.raises(IndexUnavailable, match=r"2\.3\.5.* has no BM25") as caught:
        index.replace_document(BASE, "doc", [an_entry("c1", "alpha")])
    assert "没有 BM25" in caught.value.message("zh")
    with pytest.raises(IndexUnavailable, match="has no BM25"):
        index.search(BASE, "alpha", 5)
    assert index.indexes() == set()
    assert index.ids(BASE) == set()
    index.delete_document(BASE, "doc")
    index.drop(BASE)
    index.close()
