"""What users do with knowledge bases, documents and jobs: create, add, replace, rebuild, cancel, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass

from app.catalogue.documents import NewDocument, Room
from app.catalogue.records import Document, Job, KnowledgeBase, KnowledgeBaseSettings
from app.errors import EmptyFile, JobEnded, NothingToRetry
from app.ingest.files import StoredFile
from app.ingest.indexing import Stores
from app.ingest.jobs import JobEngine
from app.ingest.media import detect_type
from app.types import Fingerprint, JobKind, JobState


@dataclass(frozen=True, slots=True)
class Added:
    """What became of an upload; `created` is False where the same bytes were there already."""

    document: Document
    job: Job
    created: bool


@dataclass(frozen=True, slots=True)
class Library:
    """Every change goes to the catalogue first; indexes and files follow as durable jobs."""

    stores: Stores
    jobs: JobEngine
    fingerprint: Callable[[], Fingerprint]
    room: Room

    # --- knowledge bases ----------------------------------------------------------------------------------------------

    def create(self, name: str, settings: KnowledgeBaseSettings) -> KnowledgeBase:
        """A new knowledge base, bound to what will build its index; raises `InvalidName`, `NameTaken`, `NotReady`."""
        return self.stores.bases.create(name, self.fingerprint(), settings)

    def delete(self, knowledge_base_id: str) -> None:
        """Nothing of it answers any more when this returns; raises `KnowledgeBaseNotFound`."""
        with self.stores.files.exclusive():  # an upload that is being kept goes first, and is hidden with the rest
            self.stores.bases.hide(knowledge_base_id)
        self.jobs.enqueue_purge_base(knowledge_base_id)

    def rebuild(self, knowledge_base_id: str, fingerprint: Fingerprint) -> Job:
        """Builds a new generation with this fingerprint; the old one answers until it is whole.

        Raises `KnowledgeBaseNotFound`, `RebuildRunning`.
        """
        _, job_id = self.stores.generations.start(knowledge_base_id, fingerprint)
        job = self.stores.jobs.get(job_id)
        self.jobs.enqueue(job)
        return job

    # --- documents ----------------------------------------------------------------------------------------------------

    def add(self, knowledge_base_id: str, name: str, received: StoredFile, *, replaces: bool = True) -> Added:
        """Takes a received file into a knowledge base; the file's bytes are kept or gone when this returns.

        With `replaces`, it takes the place of documents of the same name once it is ready. Raises `EmptyFile`,
        `UnsupportedType`, `Unreadable`, `KnowledgeBaseNotFound`, `KnowledgeBaseFull`, `BlobsUnavailable`.
        """
        with ExitStack() as undo:
            undo.callback(self.stores.files.discard, received)
            if received.size == 0:
                raise EmptyFile(name=name)
            media_type = detect_type(name, received.head)
            new = NewDocument(name, media_type, received.sha256, received.size, replaces)
            document, job_id, created = self._keep(knowledge_base_id, new, received)
            undo.pop_all()
        job = self.stores.jobs.get(job_id)
        if created:
            self.jobs.enqueue(job)
        return Added(document, job, created)

    def _keep(self, knowledge_base_id: str, new: NewDocument, received: StoredFile) -> tuple[Document, str, bool]:
        self.stores.files.stage(received)
        with self.stores.files.exclusive(), ExitStack() as undo:
            undo.callback(self._delete_unused, new.sha256)
            self.stores.files.keep(received)
            added = self.stores.documents.add(knowledge_base_id, new, self.room)
            undo.pop_all()
        return added

    def _delete_unused(self, sha256: str) -> None:
        if not self.stores.documents.uses(sha256):
            self.stores.files.delete(sha256)

    def remove(self, knowledge_base_id: str, document_ids: Iterable[str]) -> None:
        """The documents answer no more when this returns; raises `DocumentNotFound`."""
        for document_id in document_ids:
            with self.stores.files.exclusive():
                self.stores.documents.hide(knowledge_base_id, document_id)
            self.jobs.enqueue_purge(document_id)

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def cancel(self, job_id: str) -> Job:
        """Stops a job; what it has done of it is removed. Raises `JobNotFound`, `JobEnded`."""
        job = self.stores.jobs.get(job_id)
        if job.document_id is not None:
            self.stores.documents.cancel(job.document_id, job_id)
        else:
            if job.state not in (JobState.QUEUED, JobState.RUNNING):
                raise JobEnded(ref=job_id)
            self.stores.generations.abandon(job.index_id or "")
            self.stores.jobs.end(job_id, JobState.CANCELLED)
            self.jobs.enqueue_retirement()
        return self.stores.jobs.get(job_id)

    def retry(self, job_id: str) -> Job:
        """A new job for what failed or was cancelled, or the one that is on it already.

        Raises `JobNotFound`, `NothingToRetry`, `RebuildRunning`.
        """
        job = self.stores.jobs.get(job_id)
        if job.kind is JobKind.REBUILD:
            if job.state not in (JobState.FAILED, JobState.CANCELLED):
                raise NothingToRetry(name=job_id)
            base = self.stores.bases.get(job.knowledge_base_id)
            return self.rebuild(base.id, job.fingerprint or base.fingerprint)
        new_id, created = self.stores.documents.retry(job.document_id or "")
        new = self.stores.jobs.get(new_id)
        if created:
            self.jobs.enqueue(new)
        return new
