"""The steps that build a new generation of a knowledge base beside the one that answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from app.catalogue.records import Document, Generation
from app.errors import JobCancelled, ManualqaError
from app.failpoints import failpoint
from app.ingest.indexing import Indexing, Stores
from app.ingest.turns import REMOVALS, Turns
from app.types import GenerationState, JobState, Stage

log = structlog.get_logger(__name__)

DOCUMENTS_AT_ONCE = 20
"""Documents named between two looks at what has come or gone meanwhile."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rebuild:
    """For every searchable document: chunk, embed window by window, write keywords; then swap in one step.

    Each step raises `JobCancelled` where the job or the knowledge base is gone; a document that is gone is passed over.
    """

    stores: Stores
    indexing: Indexing
    turns: Turns

    def waiting(self, index_id: str, job_id: str) -> list[str]:
        """Some of the documents that are not in the generation yet; none where it is whole."""
        found = self.stores.generations.waiting(index_id, job_id, DOCUMENTS_AT_ONCE)
        self.stores.jobs.stepped(job_id)
        return found

    def chunk(self, document_id: str, index_id: str, job_id: str) -> int:
        """Cuts a document for this generation; returns how many chunks, none where it is gone."""
        failpoint("rebuild.chunk")
        return self._in_turn(document_id, index_id, job_id, Stage.CHUNKING, self._chunk, 0)

    def embed(self, document_id: str, index_id: str, job_id: str, window: int) -> None:
        """Embeds one window of a document's chunks."""

        def run(document: Document, generation: Generation, job: str) -> None:
            done = self.indexing.embed(document, generation, window)
            failpoint("rebuild.embedded")
            self.stores.jobs.stepped(job, chunks_done=done)

        self._in_turn(document_id, index_id, job_id, Stage.EMBEDDING, run, None)

    def place(self, document_id: str, index_id: str, job_id: str) -> None:
        """Writes the keyword entries and records that the document is whole in the generation."""

        def run(document: Document, generation: Generation, job: str) -> None:
            chunks = self.indexing.write_keywords(document, generation)
            failpoint("rebuild.written")
            self.stores.documents.place(document.id, generation.index_id, job, chunks)
            self.stores.jobs.stepped(job)

        self._in_turn(document_id, index_id, job_id, Stage.PUBLISHING, run, None)

    def swap(self, index_id: str, job_id: str) -> bool:
        """Makes the generation the live one; False where a document came that is not in it yet."""
        failpoint("rebuild.swap")
        done = self.stores.generations.swap(index_id, job_id)
        failpoint("rebuild.swapped")
        if done:
            log.info("generation_live", index_id=index_id)
        return done

    def fail(self, index_id: str, job_id: str, error: ManualqaError) -> None:
        """Records why the rebuild stops here; the live generation goes on answering."""
        self.stores.generations.abandon(index_id)
        self.stores.jobs.end(job_id, JobState.FAILED, error.code(), **error.stored_params())
        log.warning("rebuild_failed", index_id=index_id, error=error.code(), detail=error.detail)

    def cancel(self, index_id: str, job_id: str) -> None:
        """Stops a rebuild; the live generation goes on answering."""
        self.stores.generations.abandon(index_id)
        self.stores.jobs.end(job_id, JobState.CANCELLED)

    def purge(self, index_id: str) -> None:
        """Removes the indexes of a retired generation, then its row with its chunks."""
        for document_id in self.stores.contents.documents_in(index_id):
            with self.turns.of(document_id):  # a step that began before the generation retired writes no more
                failpoint("retire.waited")
        with self.turns.of(REMOVALS):
            self.indexing.require_there()
            self.stores.keywords.drop(index_id)
            failpoint("retire.keywords")
            self.stores.vectors.drop(index_id)
            failpoint("retire.vectors")
            self.stores.generations.forget(index_id)

    def _chunk(self, document: Document, generation: Generation, job_id: str) -> int:
        count = self.indexing.chunk(document, generation)
        self.stores.jobs.stepped(job_id, chunks_done=0, chunks_total=count)
        return count

    def _in_turn(
        self,
        document_id: str,
        index_id: str,
        job_id: str,
        stage: Stage,
        run: Callable[[Document, Generation, str], T],
        otherwise: T,
    ) -> T:
        """Runs a step under the document's turn; `otherwise` where the document is gone or placed already."""
        with self.turns.of(document_id):
            document = self.stores.documents.for_rebuild(document_id, index_id, job_id)
            generation = self.stores.generations.get(index_id)
            if generation is None or generation.state is not GenerationState.BUILDING:
                raise JobCancelled
            if document is None:
                return otherwise
            self.stores.jobs.stage(job_id, stage)
            with self.indexing.at_hand(job_id):
                return run(document, generation, job_id)
