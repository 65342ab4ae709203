"""The move itself: rows, originals, vectors, keywords, folders. Each step goes on where it was, and ends the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from app.catalogue.copying import TABLES, RowCopy, count_rows
from app.catalogue.moves import begin_move
from app.catalogue.records import Generation
from app.errors import EmbedderUnavailable, MoveBroken
from app.failpoints import failpoint
from app.ingest.backup.moving import differing, move_blobs, move_vectors
from app.ingest.backup.vectors import BATCH
from app.ingest.indexing import Indexing
from app.moving.folders import make_equal
from app.moving.sides import Shared, Side, Told
from app.ports import Embedder
from app.types import Fingerprint


@dataclass
class Move:
    """Fills `target` with what `source` has, while nobody works on either.

    Whatever is there of an earlier try is looked at and not written again; what the source has not any more goes. The
    source is only read. `lost` collects the hashes of originals that are missing or damaged in the source itself.
    """

    source: Side
    target: Side
    shared: Shared
    told: Told
    lost: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Raises what the stores do, and `MoveBroken`."""
        with broken_off():
            if not self.shared.catalogue:
                begin_move(self.target.engine, self.source.place)
                failpoint("move.begun")
                self._rows()
            if not self.shared.originals:
                self._originals()
            if not self.shared.index:
                for generation in self.source.generations():
                    self._vectors(generation.index_id)
                for generation in self.source.generations():
                    self._keywords(generation)
            if not self.shared.folders:
                self._folders()
            failpoint("move.filled")

    # --- the catalogue ------------------------------------------------------------------------------------------------

    def _rows(self) -> None:
        total = sum(count_rows(self.source.sessions, table) for table in TABLES)
        done = 0
        self.told("rows", 0, total)

        def progress(rows: int) -> None:
            nonlocal done
            done += rows
            self.told("rows", done, total)
            failpoint("move.rows")

        RowCopy(self.source.sessions, self.target.sessions, self._drop_keywords).run(progress)

    def _drop_keywords(self) -> None:
        """Texts change that the target's keywords were made of: they are made anew, all of them."""
        if not self.shared.index:
            for generation in self.target.stores.generations.all():
                self.target.stores.keywords.drop(generation.index_id)

    # --- originals ----------------------------------------------------------------------------------------------------

    def _originals(self) -> None:
        wanted, here = self.source.hashes(), self.source.stores.files.hashes()
        self.lost |= wanted - here
        source, target = self.source.stores.files.blobs, self.target.stores.files.blobs
        counted = self._counted("originals", sorted(wanted & here), 1, lambda: failpoint("move.original"))
        move_blobs(source, target, counted, self.target.folders.scratch, self.lost.add)

    # --- the index ----------------------------------------------------------------------------------------------------

    def _vectors(self, index_id: str) -> None:
        source, target = self.source.stores.vectors, self.target.stores.vectors
        wanted = source.ids(index_id) & self.source.facts.all_chunks(index_id)
        there = target.ids(index_id)
        target.delete(index_id, sorted(there - wanted))
        target.delete(index_id, self._stale(index_id, sorted(there & wanted)))
        counted = self._counted("vectors", sorted(wanted), BATCH, lambda: failpoint("move.vectors"))
        move_vectors(source, target, index_id, counted)

    def _stale(self, index_id: str, chunk_ids: list[str]) -> list[str]:
        """Those whose vector in the target is another one: they were embedded again since it came there."""
        stale: list[str] = []
        for start in range(0, len(chunk_ids), BATCH):
            some = chunk_ids[start : start + BATCH]
            stale += differing(self.source.stores.vectors, self.target.stores.vectors, index_id, some)
        return stale

    def _counted(self, part: str, ids: list[str], every: int, reached: Callable[[], None]) -> Iterator[str]:
        """The ids, of which it is told how far they are before every so many, and at their end."""
        for number, one in enumerate(ids):
            if number % every == 0:
                self.told(part, number, len(ids))
                reached()
            yield one
        self.told(part, len(ids), len(ids))

    def _keywords(self, generation: Generation) -> None:
        """Writes the keywords of every searchable document anew from its chunks."""
        index_id, keywords = generation.index_id, self.target.stores.keywords
        chunks = self.target.facts.searchable_chunks(index_id)
        there = keywords.ids(index_id)
        keywords.delete(index_id, sorted(there - chunks.keys()))
        missing = sorted({document_id for chunk_id, document_id in chunks.items() if chunk_id not in there})
        indexing = Indexing(self.target.stores, _no_embedder)
        for document_id in self._counted("keywords", missing, 1, lambda: failpoint("move.keywords")):
            document = self.target.stores.documents.get(generation.knowledge_base_id, document_id)
            indexing.write_keywords(document, generation)

    # --- folders ------------------------------------------------------------------------------------------------------

    def _folders(self) -> None:
        targets = dict(self.target.trees())
        trees = self.source.trees()
        for number, (name, folder) in enumerate(trees, start=1):
            make_equal(folder, targets[name])
            self.told("folders", number, len(trees))


@contextmanager
def broken_off() -> Iterator[None]:
    """Makes ours what a database raises where it goes away, and a disk where it is full."""
    try:
        yield
    except SQLAlchemyError as error:
        raise MoveBroken(repr(error), reason="a database does not answer, or refuses us") from error
    except OSError as error:
        raise MoveBroken(repr(error), reason=str(error.strerror)) from error


def _no_embedder(fingerprint: Fingerprint) -> Embedder:
    raise EmbedderUnavailable(f"asked for {fingerprint.embedder}", reason="its files could not be loaded")
