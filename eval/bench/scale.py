"""Search as a knowledge base grows, at rest and while documents come in, beside a stock LangChain ensemble.

Our own stores are filled as the worker fills them (vectors in windows, the keywords of a document in one commit), and
searched by the service's own search, catalogue included; only the embedding of texts and questions is left out.
"""

from __future__ import annotations

import json
import logging
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import structlog
from rich.progress import track
from sqlalchemy import delete, insert

from app.catalogue.contents import Contents
from app.catalogue.database import Sessions, open_database
from app.catalogue.knowledge_bases import KnowledgeBases
from app.catalogue.records import KnowledgeBaseSettings
from app.catalogue.tables import DocumentRow
from app.ingest.chunking import index_text
from app.ingest.indexing import WINDOW
from app.ports import IndexEntry, KeywordIndex, Vectors, VectorStore
from app.retrieve.search import Searcher
from app.settings import Settings
from app.types import Chunk, DocumentState, Fingerprint
from app.wiring.stores import VECTOR_STORES
from eval.baselines.environment import stock_python
from eval.bench.large import fresh
from eval.bench.made_up import CHUNKS_A_DOCUMENT, DIMENSIONS, MadeDocument, MadeQuestion, MadeUp
from eval.bench.server import console

SEED = 20261123
QUESTIONS = 200
BUSY_SECONDS = 20.0
LIMIT = 8
STOCK_MOST = 100_000
"""Chunks up to which the stock ensemble is measured: it holds all texts in memory and reads each for every question."""

_STOCK_SECONDS = 3600.0
_COPIES = 90_000_000
"""Number of the first document that is put in while search is measured."""

Row = dict[str, Any]


class GivenVectors:
    """Port `Embedder` for questions whose vectors are known."""

    fingerprint = "made-up"
    dimensions = DIMENSIONS
    max_tokens = 512

    def __init__(self, questions: Sequence[MadeQuestion]) -> None:
        self._vectors = {question.text: question.vector for question in questions}

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._vectors[text] for text in texts])

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return self.embed_queries(texts)


@dataclass(frozen=True)
class Shelf:
    """One knowledge base in a catalogue and two indexes, to be filled with made-up documents."""

    contents: Contents
    sessions: Sessions
    vectors: VectorStore
    keywords: KeywordIndex
    base_id: str
    index_id: str

    @classmethod
    def new(cls, settings: Settings, vectors: VectorStore, keywords: KeywordIndex) -> Shelf:
        """An empty one in the data folder of `settings`."""
        sessions = Sessions(open_database(settings.data_dir))
        fingerprint = Fingerprint("made-up", DIMENSIONS, settings.chunk_size, settings.chunk_overlap, "1")
        base = KnowledgeBases(sessions).create("made up", fingerprint, KnowledgeBaseSettings())
        return cls(Contents(sessions), sessions, vectors, keywords, base.id, base.index_id)

    def put(self, made: MadeDocument, seconds: dict[str, float]) -> None:
        """Takes in one document, step by step, and adds the time of each."""
        identity = f"doc-{made.number:08d}"
        chunks = [_chunk(identity, ordinal, text) for ordinal, text in enumerate(made.texts)]
        with _timed(seconds, "catalogue"), self.sessions.begin() as session:
            session.execute(insert(DocumentRow).values(**_document_values(identity, self.base_id, len(chunks))))
        with _timed(seconds, "catalogue"):
            self.contents.put_chunks(identity, self.index_id, chunks)
        with _timed(seconds, "vectors"):
            for first in range(0, len(chunks), WINDOW):
                ids = [chunk.id for chunk in chunks[first : first + WINDOW]]
                self.vectors.upsert(self.index_id, ids, made.vectors[first : first + WINDOW])
        with _timed(seconds, "keywords"):
            entries = [IndexEntry(chunk.id, identity, index_text(chunk, identity)) for chunk in chunks]
            self.keywords.replace_document(self.index_id, identity, entries)

    def take_out(self, number: int) -> None:
        """Takes one document out again."""
        identity = f"doc-{number:08d}"
        self.keywords.delete_document(self.index_id, identity)
        self.vectors.delete(self.index_id, self.contents.chunk_ids(identity, self.index_id))
        with self.sessions.begin() as session:
            session.execute(delete(DocumentRow).where(DocumentRow.id == identity))

    def close(self) -> None:
        """Drops the indexes and lets go of them."""
        self.vectors.drop(self.index_id)
        self.keywords.drop(self.index_id)
        self.vectors.close()
        self.keywords.close()


def measure(work: Path, settings: Settings, most: int, *, stock: bool) -> list[Row]:
    """A row for 1,000, 10,000, ... up to `most` chunks: building, disk, memory, search at rest and while filling.

    The store is the one of the settings, its data are in a folder of the benchmark's own; a Milvus server keeps them
    until they are dropped at the end. With `stock` the stock ensemble follows each size.
    """
    logging.getLogger().setLevel(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    made = MadeUp(SEED)
    settings = settings.model_copy(update={"data_dir": fresh(work / "scale")})
    indexes = VECTOR_STORES[settings.vector_store](settings)
    shelf = Shelf.new(settings, indexes.vectors, indexes.keywords)
    rows: list[Row] = []
    done = 0
    for size in (size for size in (1000, 10_000, 100_000, 1_000_000) if size <= most):
        goal = size // CHUNKS_A_DOCUMENT
        seconds: dict[str, float] = {}
        for number in track(range(done, goal), f"{size} chunks", console=console):
            shelf.put(made.document(number), seconds)
        added, done = (goal - done) * CHUNKS_A_DOCUMENT, goal
        row = {"store": settings.vector_store, "chunks": size} | _building(added, seconds, settings.data_dir)
        rows.append(row | _searching(shelf, made, goal))
        console.print_json(data=rows[-1])
        if stock and size <= STOCK_MOST:
            rows.append(_stock(work, size))
            rows[-2]["times stock p95"] = round(rows[-2]["p95 ms"] / rows[-1]["p95 ms"], 3)
            console.print_json(data=rows[-1])
    shelf.close()
    return rows


def _building(added: int, seconds: dict[str, float], folder: Path) -> Row:
    total = sum(seconds.values())
    parts = {f"{name} chunks/s": round(added / spent) for name, spent in seconds.items()}
    disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    memory = psutil.Process().memory_info().rss
    sizes = {"disk MB": round(disk / 1e6), "memory MB": round(memory / 1e6)}
    return {"added": added, "build s": round(total, 1), "chunks/s": round(added / total), **parts, **sizes}


def _searching(shelf: Shelf, made: MadeUp, documents: int) -> Row:
    questions = [made.question(number, documents) for number in range(QUESTIONS)]
    searcher = Searcher(shelf.vectors, shelf.keywords, shelf.contents, candidates=50)
    embedder = GivenVectors(questions)

    def search(question: MadeQuestion) -> tuple[float, bool]:
        started = time.perf_counter()
        result = searcher.search(embedder, shelf.base_id, shelf.index_id, question.text, LIMIT, -1.0)
        seconds = time.perf_counter() - started
        wanted = f"doc-{question.document:08d}-g1-{question.ordinal:05d}"
        return seconds, any(hit.chunk.id == wanted for hit in result.hits)

    def put(copy: MadeDocument) -> None:
        shelf.put(copy, {})

    return times(search, questions, filling(put, shelf.take_out, made, documents))


def times(
    search: Callable[[MadeQuestion], tuple[float, bool]],
    questions: Sequence[MadeQuestion],
    filling: AbstractContextManager[list[int]],
) -> Row:
    """Figures of `search`, which gives seconds and whether it found what was asked for, at rest and while filling."""
    for question in questions[:20]:
        search(question)
    at_rest = [search(question) for question in questions]
    figures = percentiles([seconds for seconds, _ in at_rest])
    figures["found"] = round(sum(found for _, found in at_rest) / len(at_rest), 3)
    with filling as filled:
        busy: list[float] = []
        began = time.perf_counter()
        while (lasted := time.perf_counter() - began) < BUSY_SECONDS:
            busy.append(search(questions[len(busy) % len(questions)])[0])
    figures |= {f"busy {name}": value for name, value in percentiles(busy).items()}
    return figures | {"busy chunks/s": round(sum(filled) / lasted)}


@contextmanager
def filling(
    put: Callable[[MadeDocument], None], take_out: Callable[[int], None], made: MadeUp, documents: int
) -> Iterator[list[int]]:
    """Documents put in as fast as the stores take them, by another thread; all are taken out again.

    They are copies of those that are there, under numbers of their own.
    """
    filled: list[int] = []
    stop = threading.Event()

    def fill() -> None:
        while not stop.is_set():
            source = made.document(len(filled) % documents)
            put(MadeDocument(_COPIES + len(filled), source.texts, source.vectors))
            filled.append(len(source.texts))

    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(fill)
        try:
            yield filled
        finally:
            stop.set()
        work.result()
    for number in range(_COPIES, _COPIES + len(filled)):
        take_out(number)


def _stock(work: Path, size: int) -> Row:
    """The same texts, vectors and questions through LangChain's Chroma, BM25Retriever and EnsembleRetriever."""
    folder = fresh(work / "stock-scale")
    folder.mkdir(parents=True)
    made = MadeUp(SEED)
    documents = size // CHUNKS_A_DOCUMENT
    texts_file = folder / "texts.json"
    parts = [made.document(number) for number in range(documents)]
    texts_file.write_text(json.dumps([text for part in parts for text in part.texts]), encoding="utf-8")
    np.save(folder / "vectors.npy", np.concatenate([part.vectors for part in parts]))
    questions = [made.question(number, documents) for number in range(QUESTIONS)]
    np.save(folder / "questions.npy", np.stack([question.vector for question in questions]))
    (folder / "questions.json").write_text(json.dumps([question.text for question in questions]), encoding="utf-8")
    program = Path(__file__).parents[1] / "baselines" / "stock_scale.py"
    done = subprocess.run(  # noqa: S603 - our own program
        [str(stock_python()), str(program), str(folder), str(LIMIT)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=_STOCK_SECONDS,
        check=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    wanted = [question.document * CHUNKS_A_DOCUMENT + question.ordinal for question in questions]
    found = sum(place in hits for place, hits in zip(wanted, told["found"], strict=True)) / len(wanted)
    row = {"store": "stock LangChain", "chunks": size, "build s": round(told["build_seconds"], 1)}
    return row | {"memory MB": told["memory_mb"], **percentiles(told["seconds"]), "found": round(found, 3)}


def percentiles(seconds: Sequence[float]) -> Row:
    """Median and 95th percentile, in milliseconds."""
    p50, p95 = (round(1000 * float(value), 1) for value in np.percentile(seconds, [50, 95]))
    return {"p50 ms": p50, "p95 ms": p95}


def _chunk(document_id: str, ordinal: int, text: str) -> Chunk:
    identity = f"{document_id}-g1-{ordinal:05d}"
    return Chunk(identity, document_id, ordinal, text, ordinal * len(text), ((0, ordinal // 3 + 1),), ())


def _document_values(identity: str, base_id: str, chunks: int) -> dict[str, Any]:
    return {
        "id": identity,
        "knowledge_base_id": base_id,
        "name": f"{identity}.pdf",
        "media_type": "application/pdf",
        "sha256": f"{identity:0>64}",
        "bytes": 1,
        "state": DocumentState.READY,
        "pages": chunks // 3 + 1,
        "chunks": chunks,
    }


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started
