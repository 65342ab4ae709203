"""A document in one generation: its chunks, their vectors, and its keyword entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.breakers import PartAwayError, Watched
from app.catalogue.contents import Contents
from app.catalogue.documents import Documents
from app.catalogue.generations import Generations
from app.catalogue.jobs import Jobs
from app.catalogue.knowledge_bases import KnowledgeBases
from app.catalogue.records import Document, Generation
from app.errors import NoText, Unavailable
from app.failpoints import failpoint
from app.ingest.chunking import ChunkRules, chunk_document, index_text
from app.ingest.files import FileStore
from app.ingest.rendering.cache import ImageCache
from app.ports import Embedder, IndexEntry, KeywordIndex, VectorStore
from app.types import Fingerprint, Stage

WINDOW = 64
"""Chunks embedded between two checkpoints: a few seconds of work are the most that a kill can cost."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything a document leaves traces in."""

    bases: KnowledgeBases
    documents: Documents
    generations: Generations
    jobs: Jobs
    contents: Contents
    files: FileStore
    vectors: VectorStore
    keywords: KeywordIndex
    images: ImageCache


@dataclass(frozen=True, slots=True)
class Indexing:
    """Puts documents into generations; each call can be repeated and ends in the same state.

    `embedder_for` raises `FingerprintMismatch` where this server has no such embedder: vectors of two never mix.
    `watched` are the parts of this that are on servers.
    """

    stores: Stores
    embedder_for: Callable[[Fingerprint], Embedder]
    watched: tuple[Watched, ...] = ()

    def require_there(self) -> None:
        """Raises the `Unavailable` of a part that is known to be away, without asking it."""
        for part in self.watched:
            part.require_there()

    @contextmanager
    def at_hand(self, job_id: str) -> Iterator[None]:
        """A block of a job that needs the parts on servers; where one is away the job waits, by a `PartAwayError`."""
        try:
            self.require_there()
            yield
        except Unavailable as error:
            if not any(part.is_away(error) for part in self.watched):
                raise
            self.stores.jobs.stage(job_id, Stage.WAITING)
            raise PartAwayError(error.detail or repr(error)) from error

    def chunk(self, document: Document, generation: Generation) -> int:
        """Cuts the stored pages into chunks; returns how many, at least one. Raises `NoText`."""
        contents, built_with = self.stores.contents, generation.fingerprint
        embedder = self.embedder_for(built_with)
        rules = ChunkRules(built_with.chunk_size, built_with.chunk_overlap, embedder.max_tokens)
        prefix = f"{document.id}-g{generation.number}"
        parsed = contents.parsed(document.id)
        chunks = chunk_document(document.id, parsed, rules, embedder.count_tokens, document.name, prefix)
        if not chunks:
            raise NoText(name=document.name)
        stale = set(contents.chunk_ids(document.id, generation.index_id)) - {chunk.id for chunk in chunks}
        self.stores.vectors.delete(generation.index_id, sorted(stale))
        contents.put_chunks(document.id, generation.index_id, chunks)
        return len(chunks)

    def embed(self, document: Document, generation: Generation, window: int) -> int:
        """Embeds and stores the vectors of one window of chunks; returns how many chunks are done with it."""
        embedder = self.embedder_for(generation.fingerprint)
        chunks = self.stores.contents.chunks(document.id, generation.index_id, WINDOW, window * WINDOW)
        vectors = embedder.embed_passages([index_text(chunk, document.name) for chunk in chunks])
        failpoint("embed.computed")
        self.stores.vectors.upsert(generation.index_id, [chunk.id for chunk in chunks], vectors)
        return window * WINDOW + len(chunks)

    def write_keywords(self, document: Document, generation: Generation) -> int:
        """Writes the keyword entries of all chunks in one commit; returns how many."""
        chunks = self.stores.contents.chunks(document.id, generation.index_id)
        entries = [IndexEntry(chunk.id, document.id, index_text(chunk, document.name)) for chunk in chunks]
        self.stores.keywords.replace_document(generation.index_id, document.id, entries)
        return len(entries)

    def remove(self, document_id: str, index_ids: list[str]) -> None:
        """Takes a document out of these indexes, whole or half that it is in them."""
        self.require_there()
        for index_id in index_ids:
            self.stores.keywords.delete_document(index_id, document_id)
            failpoint("remove.keywords")
            self.stores.vectors.delete(index_id, self.stores.contents.chunk_ids(document_id, index_id))
            failpoint("remove.vectors")
