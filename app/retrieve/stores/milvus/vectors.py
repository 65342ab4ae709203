"""Vectors in Milvus: HNSW over the cosine, a collection per index id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from app.errors import IndexUnavailable
from app.ports import Vectors
from app.retrieve.stores.milvus.names import collection_name, index_id_of
from app.retrieve.stores.milvus.server import Collection, CollectionMissingError, MilvusServer, index_of

if TYPE_CHECKING:
    from pymilvus import CollectionSchema, MilvusClient
    from pymilvus.milvus_client.index import IndexParams

PREFIX = "mqa_vectors_"
_BATCH = 500
"""Vectors in one request: 2 MB of 1,024 dimensions, where Milvus takes 64."""


@dataclass(frozen=True, slots=True)
class Hnsw:
    """`m` neighbours of a node and `ef_construction` candidates while building hold for new collections;

    `ef` candidates of a search are at least the hits that are wanted.
    """

    m: int = 32
    ef_construction: int = 200
    ef: int = 200


class MilvusVectorStore:
    """Port `VectorStore`; see the package for layout and consistency.

    The cosines of `search` are the server's, in float32 over unquantised vectors; those of `cosines` are computed here.
    """

    def __init__(self, server: MilvusServer, hnsw: Hnsw | None = None) -> None:
        self._server = server
        self._hnsw = hnsw or Hnsw()
        self._dimensions: dict[str, int] = {}

    def upsert(self, index_id: str, chunk_ids: Sequence[str], vectors: Vectors) -> None:
        name = collection_name(PREFIX, index_id)
        if not chunk_ids:
            return
        try:
            self._write(name, chunk_ids, vectors)
        except CollectionMissingError:  # dropped since it was last seen
            self._dimensions.pop(name, None)
            self._write(name, chunk_ids, vectors)

    def search(self, index_id: str, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        name = collection_name(PREFIX, index_id)
        if limit < 1:
            return []
        question = np.asarray(vector, np.float32).reshape(-1)
        parameters = {"metric_type": "COSINE", "params": {"ef": max(self._hnsw.ef, limit)}}
        try:
            self._check(name, len(question))
            hits = self._server.search(name, [question], "vector", limit, parameters)
        except CollectionMissingError:
            self._dimensions.pop(name, None)
            return []
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))

    def cosines(self, index_id: str, chunk_ids: Sequence[str], vector: Vectors) -> dict[str, float]:
        name = collection_name(PREFIX, index_id)
        ids = list(dict.fromkeys(chunk_ids))
        question = np.asarray(vector, np.float32).reshape(-1)
        if not ids:
            return {}
        try:
            self._check(name, len(question))
            got = list(self._server.rows(name, ids, ["id", "vector"], "Bounded"))
        except CollectionMissingError:
            self._dimensions.pop(name, None)
            return {}
        rows = np.asarray([row["vector"] for row in got], np.float32).reshape(len(got), len(question))
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(question)
        return dict(zip((str(row["id"]) for row in got), (rows @ question / lengths).tolist(), strict=True))

    def vectors(self, index_id: str, chunk_ids: Sequence[str]) -> tuple[list[str], Vectors]:
        name = collection_name(PREFIX, index_id)
        wanted = list(dict.fromkeys(chunk_ids))
        try:
            found = {
                str(row["id"]): row["vector"] for row in self._server.rows(name, wanted, ["id", "vector"], "Strong")
            }
        except CollectionMissingError:
            found = {}
        ids = [chunk_id for chunk_id in wanted if chunk_id in found]
        return ids, np.asarray([found[chunk_id] for chunk_id in ids], np.float32).reshape(len(ids), -1 if ids else 0)

    def delete(self, index_id: str, chunk_ids: Sequence[str]) -> None:
        name = collection_name(PREFIX, index_id)
        if not chunk_ids:
            return
        try:
            self._server.delete(name, list(chunk_ids))
            self._server.settle(name)
        except CollectionMissingError:
            self._dimensions.pop(name, None)

    def drop(self, index_id: str) -> None:
        name = collection_name(PREFIX, index_id)
        self._dimensions.pop(name, None)
        self._server.drop(name)

    def ids(self, index_id: str) -> set[str]:
        try:
            return self._server.ids(collection_name(PREFIX, index_id))
        except CollectionMissingError:
            return set()

    def indexes(self) -> set[str]:
        return {index_id_of(PREFIX, name) for name in self._server.names() if name.startswith(PREFIX)}

    def close(self) -> None:
        """Ends the connection that both stores share; the next call makes another."""
        self._dimensions.clear()
        self._server.close()

    def _write(self, name: str, chunk_ids: Sequence[str], vectors: Vectors) -> None:
        dimensions = vectors.shape[1]
        self._server.create(name, Collection(partial(_schema, dimensions), partial(_indexes, self._hnsw)))
        self._check(name, dimensions)
        for start in range(0, len(chunk_ids), _BATCH):
            some = slice(start, start + _BATCH)
            pairs = zip(chunk_ids[some], np.asarray(vectors[some], np.float32), strict=True)
            self._server.upsert(name, [{"id": chunk_id, "vector": vector} for chunk_id, vector in pairs])
        self._server.settle(name)

    def _check(self, name: str, dimensions: int) -> None:
        """Raises `IndexUnavailable` where the collection has vectors of another length, and if it is not there."""
        if name not in self._dimensions:
            fields = {one["name"]: one for one in self._server.describe(name)["fields"]}
            self._dimensions[name] = int(fields["vector"]["params"]["dim"])
        if self._dimensions[name] != dimensions:
            detail = f"{dimensions} dimensions where {name} has {self._dimensions[name]}"
            raise IndexUnavailable(detail, reason="its vectors have another length")


def _schema(dimensions: int, client: MilvusClient) -> CollectionSchema:
    from pymilvus import DataType  # noqa: PLC0415

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=200)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimensions)
    return schema


def _indexes(hnsw: Hnsw, client: MilvusClient) -> IndexParams:
    return index_of(client, "vector", "HNSW", "COSINE", {"M": hnsw.m, "efConstruction": hnsw.ef_construction})
