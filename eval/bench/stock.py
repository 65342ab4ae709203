"""Where the time of an ingest goes, and the same manuals through a stock LangChain pipeline.

The stock pipeline makes the calls that LangChain's `PyPDFLoader`, `RecursiveCharacterTextSplitter(1000, 100)`,
`HuggingFaceEmbeddings` and `Chroma` wrappers make, with their defaults, in this process; ours runs its own steps in the
same process, one after the other. Both use all-MiniLM-L6-v2, and take turns, manual by manual.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.ingest.chunking import ChunkRules, chunk_document, index_text
from app.ingest.media import MediaType, parser_for
from app.ingest.reading import parse_whole
from app.models.store import ModelStore
from app.ports import IndexEntry
from app.retrieve.embed import SentenceTransformerEmbedder
from app.retrieve.keyword import TantivyKeywordIndex
from app.retrieve.prefixes import prefixes_for
from app.retrieve.stores.chroma import ChromaVectorStore
from app.settings import Settings, go_offline, load_settings, share_cores
from app.wiring.parts import parse_limits
from eval.bench.large import fresh

MINILM = "all-minilm-l6-v2"
INDEX = "kb-0000000000000000-g1"
SCANS = "scanned"
STEPS = ("parse", "chunk", "embed", "vectors", "keywords")


def measure(data: Path, work: Path) -> list[dict[str, Any]]:
    """Rows: our steps with the default embedder and with MiniLM, and the stock pipeline with MiniLM."""
    go_offline()
    share_cores()
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it says of each odd font what it thinks of it
    files = [path for path in sorted((data / "pdf").glob("*.pdf")) if SCANS not in path.name]
    settings = load_settings()
    default = Ours(settings, settings.embedder, fresh(work / "steps"))
    ours = Ours(settings, MINILM, fresh(work / "steps-minilm"))
    stock = Stock(settings, fresh(work / "stock"))
    for path in files:
        for pipeline in (stock, ours, default):
            pipeline.load(path)
    rows = [default.row("ours"), ours.row("ours"), stock.row("stock LangChain")]
    rows[1]["times stock"] = round(rows[1]["pages/s"] / rows[2]["pages/s"], 2)
    return rows


class Ours:
    """Our steps, timed one by one."""

    def __init__(self, settings: Settings, embedder: str, folder: Path) -> None:
        self.name = embedder
        self.pages = self.chunks = 0
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._settings = settings
        weights = ModelStore.from_settings(settings).resolve(embedder)
        self._embedder = SentenceTransformerEmbedder(
            weights.name, weights.revision, weights.path, prefixes_for(embedder), settings.embed_batch
        )
        self._embedder.embed_passages(["warm up"])
        self._vectors = ChromaVectorStore(folder / "chroma", settings.index_batch)
        self._keywords = TantivyKeywordIndex(folder / "keywords")

    def load(self, path: Path) -> None:
        """Takes one manual through all steps."""
        mark = time.perf_counter()

        def timed(step: str) -> None:
            nonlocal mark
            now = time.perf_counter()
            self.seconds[step] += now - mark
            mark = now

        parser = parser_for(MediaType.PDF)
        parsed = parse_whole(parser, path, parse_limits(self._settings), lambda _done, _total: None)
        timed("parse")
        rules = ChunkRules(self._settings.chunk_size, self._settings.chunk_overlap, self._embedder.max_tokens)
        chunks = chunk_document(path.stem, parsed, rules, self._embedder.count_tokens, path.name)
        texts = [index_text(chunk, path.name) for chunk in chunks]
        timed("chunk")
        vectors = self._embedder.embed_passages(texts)
        timed("embed")
        self._vectors.upsert(INDEX, [chunk.id for chunk in chunks], vectors)
        timed("vectors")
        entries = [IndexEntry(chunk.id, path.stem, text) for chunk, text in zip(chunks, texts, strict=True)]
        self._keywords.replace_document(INDEX, path.stem, entries)
        timed("keywords")
        self.pages += len(parsed.pages)
        self.chunks += len(chunks)

    def row(self, what: str) -> dict[str, Any]:
        """The times so far."""
        return _row(what, self.name, self.pages, self.chunks, self.seconds)


class Stock:
    """A script as tutorials show it."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        import chromadb  # noqa: PLC0415 - heavy, and only this benchmark uses them so
        from langchain_text_splitters import RecursiveCharacterTextSplitter  # noqa: PLC0415
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415

        self.pages = self.chunks = 0
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=100)
        folder_of_model = ModelStore.from_settings(settings).resolve(MINILM).path
        self._model = SentenceTransformer(str(folder_of_model), device="cpu", local_files_only=True)
        self._model.encode(["warm up"])
        self._collection = chromadb.PersistentClient(str(folder)).get_or_create_collection("langchain")

    def load(self, path: Path) -> None:
        """Takes one manual through all steps."""
        from pypdf import PdfReader  # noqa: PLC0415

        mark = time.perf_counter()
        pages = [page.extract_text() for page in PdfReader(path).pages]
        self.seconds["parse"] += (parsed := time.perf_counter()) - mark
        chunks = [(number, text) for number, page in enumerate(pages) for text in self._splitter.split_text(page)]
        self.seconds["chunk"] += (split := time.perf_counter()) - parsed
        vectors = self._model.encode([text for _, text in chunks])
        self.seconds["embed"] += (embedded := time.perf_counter()) - split
        self._collection.upsert(
            ids=[f"{path.stem}-{number}" for number in range(len(chunks))],
            embeddings=vectors,
            documents=[text for _, text in chunks],
            metadatas=[{"source": path.name, "page": number} for number, _ in chunks],
        )
        self.seconds["vectors"] += time.perf_counter() - embedded
        self.pages += len(pages)
        self.chunks += len(chunks)

    def row(self, what: str) -> dict[str, Any]:
        """The times so far."""
        return _row(what, MINILM, self.pages, self.chunks, self.seconds)


def _row(what: str, embedder: str, pages: int, chunks: int, seconds: Mapping[str, float]) -> dict[str, Any]:
    total = sum(seconds.values())
    steps = {
        f"{step} s": round(seconds.get(step, 0.0), 1) for step in ("parse", "chunk", "embed", "vectors", "keywords")
    }
    rates = {"pages/s": round(pages / total, 1), "chunks/s": round(chunks / total, 1)}
    return {"what": what, "embedder": embedder, "pages": pages, "chunks": chunks, **steps, **rates}
