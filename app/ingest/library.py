"""What users do with knowledge bases and documents: create, add, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass

from app.catalogue.documents import NewDocument
from app.catalogue.records import Document, Job, KnowledgeBase, KnowledgeBaseSettings
from app.errors import EmptyFile
from app.ingest.files import StoredFile
from app.ingest.jobs import JobEngine
from app.ingest.media import detect_type
from app.ingest.pipeline import Stores
from app.types import Fingerprint


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

    def create(self, name: str, settings: KnowledgeBaseSettings) -> KnowledgeBase:
        """A new knowledge base, bound to what will build its index; raises `InvalidName`, `NameTaken`, `NotReady`."""
        return self.stores.bases.create(name, self.fingerprint(), settings)

    def delete(self, knowledge_base_id: str) -> None:
        """Nothing of it answers any more when this returns; raises `KnowledgeBaseNotFound`."""
        index_id = self.stores.bases.get(knowledge_base_id).index_id
        with self.stores.files.exclusive():  # an upload that is being kept goes first, and is hidden with the rest
            hidden = self.stores.bases.hide(knowledge_base_id)
        for document_id in hidden:
            self.jobs.enqueue_purge(document_id)
        self.jobs.enqueue_purge_base(knowledge_base_id, index_id)

    def add(self, knowledge_base_id: str, name: str, received: StoredFile) -> Added:
        """Takes a received file into a knowledge base; the file's bytes are kept or gone when this returns.

        Raises `EmptyFile`, `UnsupportedType`, `Unreadable`, `KnowledgeBaseNotFound`.
        """
        with ExitStack() as undo:
            undo.callback(self.stores.files.discard, received)
            if received.size == 0:
                raise EmptyFile(name=name)
            media_type = detect_type(name, received.head)
            new = NewDocument(name=name, media_type=media_type, sha256=received.sha256, bytes=received.size)
            document, job, created = self._keep(knowledge_base_id, new, received)
            undo.pop_all()
        if created:
            self.jobs.enqueue(document.id, job.id)
        return Added(document, job, created)

    def _keep(self, knowledge_base_id: str, new: NewDocument, received: StoredFile) -> tuple[Document, Job, bool]:
        with self.stores.files.exclusive(), ExitStack() as undo:
            self.stores.files.keep(received)
            undo.callback(self._delete_unused, new.sha256)
            added = self.stores.documents.add(knowledge_base_id, new)
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
