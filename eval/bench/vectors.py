"""The dense side alone as it grows, in each store: filling, search at rest and while filling, disk and memory.

The Milvus server that runs here without containers (the wheel `milvus`, 2.3.5) has no BM25, so the whole search of
`eval.bench.scale` cannot run on it; a search here is what that one asks of a vector store: the nearest, then cosines.
The servers come from the tests' fixtures, which are beside this package in a checkout and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.progress import track

from app.ingest.indexing import WINDOW
from app.ports import VectorStore
from app.retrieve.stores.milvus.names import collection_name
from app.retrieve.stores.milvus.server import MilvusServer
from app.retrieve.stores.milvus.vectors import PREFIX, Hnsw, MilvusVectorStore
from app.settings import Settings
from app.wiring.stores import VECTOR_STORES
from eval.bench.large import fresh
from eval.bench.made_up import CHUNKS_A_DOCUMENT, MadeDocument, MadeQuestion, MadeUp
from eval.bench.scale import QUESTIONS, SEED, Row, filling, times
from eval.bench.server import console
from tests.milvus.conftest import RealMilvus

CANDIDATES = 50
INDEX = "kb-bench-g1"


@dataclass(frozen=True)
class Shelf:
    """A vector store with made-up vectors, and where to look for its size: a folder and a process."""

    name: str
    store: VectorStore
    folder: Path
    pid: int
    settle: Callable[[], object] = lambda: None
    """Has what was put in written out and indexed, as happens by itself after a while."""

    def put(self, made: MadeDocument) -> None:
        """The vectors of one document, in windows as the worker writes them."""
        ids = _ids(made.number)
        for first in range(0, len(ids), WINDOW):
            self.store.upsert(INDEX, ids[first : first + WINDOW], made.vectors[first : first + WINDOW])

    def take_out(self, number: int) -> None:
        """Takes one document out again."""
        self.store.delete(INDEX, _ids(number))

    def sizes(self) -> Row:
        """Megabytes on disk and in memory, children included."""
        disk = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        process = psutil.Process(self.pid)
        memory = sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])
        return {"disk MB": round(disk / 1e6), "memory MB": round(memory / 1e6)}


def _ids(number: int) -> list[str]:
    return [f"doc-{number:08d}-g1-{ordinal:05d}" for ordinal in range(CHUNKS_A_DOCUMENT)]


def measure(work: Path, settings: Settings, most: int) -> list[Row]:
    """A row for each store (embedded, then real Milvus) and each size of 10,000, 100,000, ... up to `most` vectors."""
    rows: list[Row] = []
    for shelf in (_embedded, _milvus):
        with shelf(fresh(work / "vectors"), settings) as filled:
            rows += _rows(filled, most)
    return rows


@contextmanager
def _embedded(folder: Path, settings: Settings) -> Iterator[Shelf]:
    store = VECTOR_STORES["chroma"](settings.model_copy(update={"data_dir": folder})).vectors
    yield Shelf("embedded", store, folder, psutil.Process().pid)
    store.close()


@contextmanager
def _milvus(folder: Path, settings: Settings) -> Iterator[Shelf]:
    server = RealMilvus(folder)
    server.start()
    try:
        hnsw = Hnsw(settings.milvus_hnsw_m, settings.milvus_hnsw_ef_construction, settings.milvus_hnsw_ef)
        config = server.config(folder, timeout_seconds=600)
        store = MilvusVectorStore(MilvusServer(config), hnsw)
        name = collection_name(PREFIX, INDEX)
        yield Shelf("Milvus 2.3.5", store, folder, server.pid, lambda: server.sealed(config, name))
        store.close()
    finally:
        server.stop()


def _rows(shelf: Shelf, most: int) -> list[Row]:
    made, rows, done = MadeUp(SEED), [], 0
    for size in (size for size in (10_000, 100_000, 1_000_000) if size <= most):
        goal, spent = size // CHUNKS_A_DOCUMENT, 0.0
        for number in track(range(done, goal), f"{shelf.name}, {size} vectors", console=console):
            document = made.document(number)
            started = time.perf_counter()
            shelf.put(document)
            spent += time.perf_counter() - started
        added, done = (goal - done) * CHUNKS_A_DOCUMENT, goal
        started = time.perf_counter()
        shelf.settle()
        row: Row = {"store": shelf.name, "vectors": size, "vectors/s": round(added / spent)}
        row["indexed after s"] = round(time.perf_counter() - started, 1)
        rows.append(row | shelf.sizes() | _searching(shelf, made, goal))
        console.print_json(data=rows[-1])
    return rows


def _searching(shelf: Shelf, made: MadeUp, documents: int) -> Row:
    questions = [made.question(number, documents) for number in range(QUESTIONS)]

    def search(question: MadeQuestion) -> tuple[float, bool]:
        started = time.perf_counter()
        found = [chunk_id for chunk_id, _ in shelf.store.search(INDEX, question.vector, CANDIDATES)]
        shelf.store.cosines(INDEX, found, question.vector)
        return time.perf_counter() - started, f"doc-{question.document:08d}-g1-{question.ordinal:05d}" in found

    return times(search, questions, filling(shelf.put, shelf.take_out, made, documents))
