"""The vector store that lives in this process: Chroma, holding ids and vectors and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from app.errors import IndexUnavailable
from app.ports import Vectors
from app.retrieve.stores.index_ids import checked_index_id
from app.retrieve.stores.readers_first import ReadersFirst

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.collection_configuration import CreateHNSWConfiguration
    from chromadb.api.models.Collection import Collection

HNSW: CreateHNSWConfiguration = {"space": "cosine", "ef_construction": 200, "ef_search": 200, "max_neighbors": 32}
"""Recall@50 of 1.00 on 8,000 clustered vectors, also after deleting half of them and adding them again, at 1 ms a
search; Chroma's own defaults gave 0.998 on average and 0.84 for the worst question."""

OPEN_INDEXES = 256
"""Kept in memory, those that were used last, also some that were dropped: 3 MB each at least, and four descriptors."""
_PUT_AWAY = "Nothing found on disk"

_READ_BATCH = 1000
_SHARED_BATCH = 16
"""Vectors written at once while somebody searches: 40 ms at 100,000."""
_Result = TypeVar("_Result")


class ChromaVectorStore:
    """Port `VectorStore`: one collection per index id, cosine space.

    Only one process may open `folder` (two lose rows unseen; the data folder's lock sees to that). A write holds up
    other threads for as long as its batch takes, so batches are of `write_batch` vectors, 64 or less, and of fewer
    while somebody searches, who goes before the next of them.
    """

    def __init__(self, folder: Path, write_batch: int = 64, open_indexes: int = OPEN_INDEXES) -> None:
        self._write_batch = write_batch
        self._writing = threading.Lock()
        self._first = ReadersFirst()
        self._client = _guarded(partial(_connected, folder, open_indexes))

    def upsert(self, index_id: str, chunk_ids: Sequence[str], vectors: Vectors) -> None:
        name = checked_index_id(index_id)
        if not chunk_ids:
            return
        with self._writing:
            collection = _guarded(
                lambda: self._client.get_or_create_collection(
                    name, embedding_function=None, configuration={"hnsw": HNSW}
                )
            )
            for some in self._batches(len(chunk_ids)):
                _guarded(partial(collection.upsert, list(chunk_ids[some]), vectors[some]))

    def search(self, index_id: str, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        with self._first.reading():
            return self._nearest(index_id, vector, limit)

    def _nearest(self, index_id: str, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        collection = self._collection(index_id)
        if collection is None or limit < 1:
            return []
        query = vector.reshape(1, -1)
        found = self._read(collection, partial(collection.query, query, n_results=limit, include=["distances"]))
        distances = (found["distances"] or [[]])[0]
        hits = [(chunk_id, 1.0 - distance) for chunk_id, distance in zip(found["ids"][0], distances, strict=True)]
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))

    def cosines(self, index_id: str, chunk_ids: Sequence[str], vector: Vectors) -> dict[str, float]:
        with self._first.reading():
            return self._cosines(index_id, chunk_ids, vector)

    def _cosines(self, index_id: str, chunk_ids: Sequence[str], vector: Vectors) -> dict[str, float]:
        collection = self._collection(index_id)
        if collection is None:
            return {}
        question = vector.reshape(-1)
        exact: dict[str, float] = {}
        for some in _slices(len(chunk_ids), _READ_BATCH):
            ids = list(dict.fromkeys(chunk_ids[some]))
            got = self._read(collection, partial(collection.get, ids, include=["embeddings"]))
            rows = np.asarray(got["embeddings"], np.float32).reshape(len(got["ids"]), len(question))
            lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(question)
            exact.update(zip(got["ids"], (rows @ question / lengths).tolist(), strict=True))
        return exact

    def vectors(self, index_id: str, chunk_ids: Sequence[str]) -> tuple[list[str], Vectors]:
        collection = self._collection(index_id)
        if collection is None:
            return [], np.zeros((0, 0), np.float32)
        found: dict[str, Vectors] = {}
        for some in _slices(len(chunk_ids), _READ_BATCH):
            ids = list(dict.fromkeys(chunk_ids[some]))
            got = self._read(collection, partial(collection.get, ids, include=["embeddings"]))
            found.update(zip(got["ids"], np.asarray(got["embeddings"], np.float32), strict=True))
        ids = [chunk_id for chunk_id in dict.fromkeys(chunk_ids) if chunk_id in found]
        return ids, np.stack([found[chunk_id] for chunk_id in ids]) if ids else np.zeros((0, 0), np.float32)

    def delete(self, index_id: str, chunk_ids: Sequence[str]) -> None:
        collection = self._collection(index_id)
        if collection is None:
            return
        with self._writing:
            for some in self._batches(len(chunk_ids)):
                _guarded(partial(collection.delete, list(chunk_ids[some])))

    def drop(self, index_id: str) -> None:
        if self._collection(index_id) is not None:
            with self._writing:
                _guarded(partial(self._client.delete_collection, index_id))

    def ids(self, index_id: str) -> set[str]:
        collection = self._collection(index_id)
        return set() if collection is None else set(self._read(collection, partial(collection.get, include=[]))["ids"])

    def indexes(self) -> set[str]:
        return {collection.name for collection in _guarded(self._client.list_collections)}

    def close(self) -> None:
        self._client.close()  # type: ignore[attr-defined]

    def _read(self, collection: Collection, ask: Callable[[], _Result]) -> _Result:
        """What `ask` gives, also of an index that Chroma has put away.

        Of those that were not used last it keeps `open_indexes` in memory. What it puts away before it ever wrote it
        out, a small index, it does not find again until something is written to it; then it is made from its log. To
        take out what is not there changes nothing.
        """
        try:
            return _guarded(ask)
        except IndexUnavailable as error:
            if _PUT_AWAY not in (error.detail or ""):
                raise
        with self._writing:
            _guarded(partial(collection.delete, ["-"]))
        return _guarded(ask)

    def _batches(self, length: int) -> Iterator[slice]:
        """What is written at once, each after those who search."""
        start = 0
        while start < length:
            self._first.stand_aside()
            size = min(self._write_batch, _SHARED_BATCH) if self._first.were_here else self._write_batch
            yield slice(start, start + size)
            start += size

    def _collection(self, index_id: str) -> Collection | None:
        """The collection, looked up anew each time (it may have been dropped), or None where there is none."""
        from chromadb.errors import NotFoundError  # noqa: PLC0415

        name = checked_index_id(index_id)

        def look() -> Collection | None:
            try:
                return self._client.get_collection(name, embedding_function=None)
            except NotFoundError:
                return None

        return _guarded(look)


def _connected(folder: Path, open_indexes: int) -> ClientAPI:
    """A client as `chromadb.PersistentClient` makes it, which would keep open as many as there are descriptors for."""
    from chromadb.api.client import Client  # noqa: PLC0415 - half a second, which the command line need not wait
    from chromadb.api.rust import RustBindingsAPI  # noqa: PLC0415
    from chromadb.config import Settings as ChromaSettings  # noqa: PLC0415
    from chromadb.config import System  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    system = System(
        ChromaSettings(_env_file=None, anonymized_telemetry=False, is_persistent=True, persist_directory=str(folder))
    )
    server = system.instance(RustBindingsAPI)
    server.hnsw_cache_size = min(server.hnsw_cache_size, open_indexes)
    system.start()
    return Client.from_system(system)


def _slices(length: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, length, size))


def _guarded(action: Callable[[], _Result]) -> _Result:
    """Run `action` and turn what Chroma and its database raise into our error."""
    from chromadb.errors import ChromaError  # noqa: PLC0415

    try:
        return action()
    except (ChromaError, ValueError, OSError, RuntimeError) as error:
        raise IndexUnavailable(str(error), reason="the vector index could not be read or written") from error
