"""The steps that turn a stored file into a searchable document; each can be repeated and ends in the same state."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.catalogue.contents import Contents
from app.catalogue.documents import Documents
from app.catalogue.knowledge_bases import KnowledgeBases
from app.errors import DocumentError, DocumentNotFound, FingerprintMismatch, IngestFailed, NoText
from app.ingest.chunking import ChunkRules, chunk_document, index_text
from app.ingest.files import FileStore
from app.ports import Embedder, IndexEntry, KeywordIndex, ParseLimits, Parser, VectorStore
from app.types import Fingerprint, Stage

log = structlog.get_logger(__name__)

WINDOW = 64
"""Chunks embedded between two checkpoints: 7 s of work on two cores is the most that a kill can cost."""

PROGRESS_SECONDS = 0.5
"""Least time between two progress writes, so that watching costs nothing."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything a document leaves traces in."""

    bases: KnowledgeBases
    documents: Documents
    contents: Contents
    files: FileStore
    vectors: VectorStore
    keywords: KeywordIndex


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Parse, chunk, embed window by window, publish.

    Each step raises `DocumentNotFound` where the document was deleted meanwhile, a `DocumentError` where the file is
    to blame, and `Unavailable` where trying again may help.
    """

    stores: Stores
    parser_for: Callable[[str], Parser]
    embedder: Embedder
    limits: ParseLimits
    fingerprint: Callable[[], Fingerprint]

    def parse(self, document_id: str, job_id: str) -> int:
        """Reads the file into pages; returns how many."""
        self.stores.documents.start(document_id, job_id)
        document, _ = self.stores.documents.for_work(document_id)
        progress = _Throttled(lambda done, total: self._progress(job_id, pages_done=done, pages_total=total))
        self._progress(job_id, stage=Stage.PARSING)
        path: Path = self.stores.files.path(document.sha256)
        try:
            parsed = self.parser_for(document.media_type).parse(path, self.limits, progress)
        except DocumentError as error:
            error.params["name"] = document.name  # the parser knows the file by its hash only
            raise
        self.stores.contents.put_pages(document_id, parsed)
        self._progress(job_id, pages_done=len(parsed.pages), pages_total=len(parsed.pages))
        return len(parsed.pages)

    def chunk(self, document_id: str, job_id: str) -> int:
        """Cuts the pages into chunks; returns how many."""
        document, _ = self.stores.documents.for_work(document_id)
        self._progress(job_id, stage=Stage.CHUNKING)
        parsed = self.stores.contents.parsed(document_id)
        built = self.stores.bases.get(document.knowledge_base_id).fingerprint
        rules = ChunkRules(built.chunk_size, built.chunk_overlap, self.embedder.max_tokens)
        chunks = chunk_document(document_id, parsed, rules, self.embedder.count_tokens, document.name)
        if not chunks:
            raise NoText(name=document.name)
        self.stores.contents.put_chunks(document_id, chunks)
        self._progress(job_id, chunks_total=len(chunks), stage=Stage.EMBEDDING)
        return len(chunks)

    def embed(self, document_id: str, job_id: str, window: int) -> None:
        """Embeds and stores the vectors of one window of chunks; they are not searchable yet."""
        document, index_id = self.stores.documents.for_work(document_id)
        self._check_fingerprint(document.knowledge_base_id)
        offset = window * WINDOW
        chunks = self.stores.contents.chunks(document_id, limit=WINDOW, offset=offset)
        vectors = self.embedder.embed_passages([index_text(chunk, document.name) for chunk in chunks])
        self.stores.vectors.upsert(index_id, [chunk.id for chunk in chunks], vectors)
        self._progress(job_id, chunks_done=offset + len(chunks))

    def publish(self, document_id: str, job_id: str) -> None:
        """Writes the keyword entries in one commit, then makes the document searchable in one statement."""
        document, index_id = self.stores.documents.for_work(document_id)
        self._progress(job_id, stage=Stage.PUBLISHING)
        chunks = self.stores.contents.chunks(document_id)
        entries = [IndexEntry(chunk.id, document_id, index_text(chunk, document.name)) for chunk in chunks]
        self.stores.keywords.replace_document(index_id, document_id, entries)
        self.stores.documents.publish(document_id, job_id, len(chunks))
        log.info("document_ready", document_id=document_id, pages=document.pages, chunks=len(chunks))

    def fail(self, document_id: str, job_id: str, error: DocumentError | FingerprintMismatch) -> None:
        """Records why the document stops here."""
        params = {key: value if isinstance(value, int | float) else str(value) for key, value in error.params.items()}
        self.stores.documents.fail(document_id, job_id, error.code(), params)
        log.warning("document_failed", document_id=document_id, error=error.code(), detail=error.detail)

    def purge(self, document_id: str) -> None:
        """Removes every trace of a hidden document, the catalogue row last, so that a broken purge is repeated."""
        place = self.stores.documents.place(document_id)
        if place is None:
            return
        index_id, sha256 = place
        ids = [chunk.id for chunk in self.stores.contents.chunks(document_id)]
        self.stores.keywords.delete_document(index_id, document_id)
        self.stores.vectors.delete(index_id, ids)
        with self.stores.files.exclusive():
            self.stores.documents.forget(document_id)
            if not self.stores.documents.uses(sha256):
                self.stores.files.delete(sha256)
        log.info("document_purged", document_id=document_id)

    def purge_base(self, knowledge_base_id: str, index_id: str) -> None:
        """Drops the indexes of a hidden knowledge base and forgets it."""
        self.stores.keywords.drop(index_id)
        self.stores.vectors.drop(index_id)
        self.stores.bases.forget(knowledge_base_id)

    def unexpected(self, document_id: str, job_id: str) -> None:
        """Records a fault that is not the file's; the traceback is in the log."""
        try:
            document, _ = self.stores.documents.for_work(document_id)
        except DocumentNotFound:
            return
        self.fail(document_id, job_id, IngestFailed(name=document.name))

    def _check_fingerprint(self, knowledge_base_id: str) -> None:
        built_with, running = self.stores.bases.get(knowledge_base_id).fingerprint, self.fingerprint()
        if not built_with.fits(running):
            raise FingerprintMismatch(built_with=built_with.embedder, running=running.embedder)

    def _progress(self, job_id: str, **values: int | Stage) -> None:
        self.stores.documents.progress(job_id, **values)


class _Throttled:
    """Passes on a progress call at most every `PROGRESS_SECONDS`."""

    def __init__(self, write: Callable[[int, int], None]) -> None:
        self._write = write
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._last >= PROGRESS_SECONDS:
            self._last = time.monotonic()
            self._write(done, total)
