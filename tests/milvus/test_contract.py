"""A real Milvus server keeps the law of the vector stores, and says that it has no BM25."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import IndexUnavailable
from app.ports import VectorStore
from app.retrieve.stores.milvus.keywords import MilvusKeywordIndex
from app.retrieve.stores.milvus.server import MilvusServer
from app.retrieve.stores.milvus.vectors import MilvusVectorStore
from tests.contract.test_keyword_index_contract import BASE, an_entry
from tests.contract.test_vector_store_contract import VectorStoreContract
from tests.milvus.conftest import RealMilvus


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
