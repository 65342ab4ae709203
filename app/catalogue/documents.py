"""Documents in the catalogue; each call names the knowledge base it is allowed to see."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, case, delete, func, select
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.generations import generation_of
from app.catalogue.jobs import OPEN, end_job, new_job, require_open
from app.catalogue.records import Document, Generation
from app.catalogue.scope import whole_server
from app.catalogue.tables import DocumentRow, GenerationRow, JobRow, KnowledgeBaseRow, PlacementRow, now
from app.errors import (
    DocumentNotFound,
    JobCancelled,
    JobEnded,
    KnowledgeBaseFull,
    KnowledgeBaseNotFound,
    NothingToRetry,
)
from app.types import DocumentState, GenerationState, JobKind, JobState

WORKING = (DocumentState.QUEUED, DocumentState.PROCESSING)
STOPPED = (DocumentState.FAILED, DocumentState.CANCELLED)

DocumentSort = Literal["-created", "created", "name", "-name", "pages", "-pages", "state"]
"""What a list is ordered by, descending with a minus. By state, those come first that somebody has to look at."""

_BY_STATE = case(
    {
        DocumentState.FAILED: 0,
        DocumentState.PROCESSING: 1,
        DocumentState.QUEUED: 2,
        DocumentState.CANCELLED: 3,
        DocumentState.READY: 4,
    },
    value=DocumentRow.state,
)
_ORDERS: dict[DocumentSort, tuple[ColumnElement[Any], ...]] = {
    "-created": (),
    "created": (DocumentRow.created_at.asc(),),
    "name": (func.lower(DocumentRow.name).asc(), DocumentRow.name.asc()),
    "-name": (func.lower(DocumentRow.name).desc(), DocumentRow.name.desc()),
    "pages": (DocumentRow.pages.asc().nulls_last(),),
    "-pages": (DocumentRow.pages.desc().nulls_last(),),
    "state": (_BY_STATE,),
}


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What an upload is known by; `replaces`: once ready, it takes the place of those of the same name."""

    name: str
    media_type: str
    sha256: str
    bytes: int
    replaces: bool = True


@dataclass(frozen=True, slots=True)
class Room:
    """What one knowledge base may hold."""

    documents: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did: whether it could (its generation is the live one), and which documents it hid."""

    done: bool
    hidden: tuple[str, ...] = ()


class Documents:
    """Rows of documents. States change only here, each in one transaction."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    # --- adding and reading ---------------------------------------------------------------------------------------

    def add(self, knowledge_base_id: str, new: NewDocument, room: Room) -> tuple[Document, str, bool]:
        """The document of these bytes, its newest job's id, and whether that job is new.

        The same bytes in the same knowledge base are one document, however many ask at once; one that failed or was
        cancelled is put back in the queue. Raises `KnowledgeBaseNotFound`, `KnowledgeBaseFull`.
        """
        with self._sessions.begin() as session:
            base = session.get(KnowledgeBaseRow, knowledge_base_id)
            if base is None or base.deleting:
                raise KnowledgeBaseNotFound(ref=knowledge_base_id[:60])
            row = session.scalars(
                select(DocumentRow).where(_of(knowledge_base_id), DocumentRow.sha256 == new.sha256)
            ).one_or_none()
            if row is not None:
                if row.name == new.name:
                    row.accepted_at = _next_moment(session, row.knowledge_base_id, row.name)
                job_id, is_new = _job_of(session, row)
                return _document(row), job_id, is_new
            _require_room(session, base, new.bytes, room)
            row = DocumentRow(
                id=f"doc-{secrets.token_hex(8)}",
                knowledge_base_id=knowledge_base_id,
                name=new.name,
                media_type=new.media_type,
                sha256=new.sha256,
                bytes=new.bytes,
                state=DocumentState.QUEUED,
                replaces=new.replaces,
                created_at=now(),
                accepted_at=_next_moment(session, knowledge_base_id, new.name),
                error_params={},
            )
            session.add(row)
            session.flush()
            job_id = new_job(session, JobKind.INGEST, knowledge_base_id, document_id=row.id)
            return _document(row), job_id, True

    def get(self, knowledge_base_id: str, document_id: str) -> Document:
        """Raises `DocumentNotFound`, also for a document of another knowledge base or one being deleted."""
        with self._sessions() as session:
            row = session.get(DocumentRow, document_id)
            if row is None or row.knowledge_base_id != knowledge_base_id or row.state == DocumentState.DELETING:
                raise DocumentNotFound(ref=document_id[:60])
            return _document(row)

    def all(
        self,
        knowledge_base_id: str,
        limit: int,
        offset: int,
        state: DocumentState | None = None,
        name: str = "",
        sort: DocumentSort = "-created",
    ) -> list[Document]:
        """Documents of a knowledge base in this state, if any, with `name` in their names, by default newest first."""
        order = (*_ORDERS[sort], DocumentRow.created_at.desc(), DocumentRow.id)
        query = select(DocumentRow).where(_wanted(knowledge_base_id, state, name)).order_by(*order)
        with self._sessions() as session:
            return [_document(row) for row in session.scalars(query.limit(limit).offset(offset))]

    def count(self, knowledge_base_id: str, state: DocumentState | None = None, name: str = "") -> int:
        """How many documents `all` has without a limit."""
        query = select(func.count()).select_from(DocumentRow).where(_wanted(knowledge_base_id, state, name))
        with self._sessions() as session:
            return session.scalar(query) or 0

    # --- what the worker does -------------------------------------------------------------------------------------

    def for_work(self, document_id: str, job_id: str) -> tuple[Document, Generation]:
        """The document and the live generation; raises `JobCancelled` once this job may not go on with it."""
        with self._sessions() as session:
            row = _working(session, document_id, job_id)
            base = session.get_one(KnowledgeBaseRow, row.knowledge_base_id)
            return _document(row), generation_of(session.get_one(GenerationRow, base.index_id))

    def for_rebuild(self, document_id: str, index_id: str, job_id: str) -> Document | None:
        """The document where it is searchable and not in this generation yet; raises `JobCancelled`."""
        with self._sessions() as session:
            require_open(session, job_id)
            row = session.get(DocumentRow, document_id)
            if row is None or row.state != DocumentState.READY:
                return None
            placed = session.get(PlacementRow, (document_id, index_id))
            return _document(row) if placed is None else None

    def start(self, document_id: str, job_id: str) -> Document:
        """The worker has taken the document; raises `JobCancelled`."""
        with self._sessions.begin() as session:
            row = _working(session, document_id, job_id)
            row.state = DocumentState.PROCESSING
            return _document(row)

    def publish(self, document_id: str, job_id: str, index_id: str, chunks: int) -> Published:
        """The one step that makes a document searchable, and hides those whose place it takes.

        Not done where another generation has become the live one. Raises `JobCancelled`. Where a newer version of the
        same name is searchable already, this one is hidden instead.
        """
        with self._sessions.begin() as session:
            row = _working(session, document_id, job_id)
            base = session.get_one(KnowledgeBaseRow, row.knowledge_base_id)
            if base.index_id != index_id:
                return Published(done=False)
            others = _of(base.id) & (DocumentRow.state == DocumentState.READY) & (DocumentRow.name == row.name)
            newer = others & (DocumentRow.accepted_at > row.accepted_at) & DocumentRow.replaces
            if session.scalar(select(func.count()).select_from(DocumentRow).where(newer)):
                row.state = DocumentState.DELETING
                end_job(session, JobRow.id == job_id, JobState.DONE)
                return Published(done=True, hidden=(document_id,))
            replaced = others & (DocumentRow.accepted_at <= row.accepted_at)
            older = list(session.scalars(select(DocumentRow).where(replaced))) if row.replaces else []
            for other in older:
                other.state = DocumentState.DELETING
            row.state, row.chunks, row.ready_at = DocumentState.READY, chunks, now()
            session.merge(PlacementRow(document_id=document_id, index_id=index_id, chunks=chunks))
            end_job(session, JobRow.id == job_id, JobState.DONE)
            return Published(done=True, hidden=tuple(other.id for other in older))

    def place(self, document_id: str, index_id: str, job_id: str, chunks: int) -> None:
        """Records that a searchable document is whole in a generation that is being built; raises `JobCancelled`."""
        with self._sessions.begin() as session:
            require_open(session, job_id)
            row = session.get(DocumentRow, document_id)
            generation = session.get(GenerationRow, index_id)
            if generation is None or generation.state != GenerationState.BUILDING:
                raise JobCancelled
            if row is not None and row.state == DocumentState.READY:
                session.merge(PlacementRow(document_id=document_id, index_id=index_id, chunks=chunks))

    def fail(self, document_id: str, job_id: str, code: str, params: dict[str, Any]) -> None:
        """The document stops here, with the reason; one that is being deleted or was cancelled stays so."""
        with self._sessions.begin() as session:
            row = session.get(DocumentRow, document_id)
            job = session.get(JobRow, job_id)
            if row is not None and row.state in WORKING and job is not None and job.state in OPEN:
                row.state, row.error_code, row.error_params = DocumentState.FAILED, code, params
            end_job(session, JobRow.id == job_id, JobState.FAILED, code, params)

    # --- cancelling, retrying, deleting ---------------------------------------------------------------------------

    def cancel(self, document_id: str, job_id: str) -> None:
        """The document stops where it is, not searchable; raises `JobEnded`."""
        with self._sessions.begin() as session:
            row, job = session.get(DocumentRow, document_id), session.get(JobRow, job_id)
            if row is None or job is None or row.state not in WORKING or job.state not in OPEN:
                raise JobEnded(ref=job_id)
            row.state = DocumentState.CANCELLED
            end_job(session, JobRow.id == job_id, JobState.CANCELLED)

    def retry(self, document_id: str) -> tuple[str, bool]:
        """The id of a job for a document that failed or was cancelled, and whether it is new; its open job otherwise.

        Raises `DocumentNotFound`, `NothingToRetry`.
        """
        with self._sessions.begin() as session:
            row = session.get(DocumentRow, document_id)
            if row is None or row.state == DocumentState.DELETING:
                raise DocumentNotFound(ref=document_id[:60])
            if row.state == DocumentState.READY:
                raise NothingToRetry(name=row.name)
            return _job_of(session, row)

    def name(self, document_id: str) -> str:
        """Its display name, in any state; a question mark where there is no such row."""
        with self._sessions() as session:
            row = session.get(DocumentRow, document_id)
            return "?" if row is None else row.name

    def is_there(self, document_id: str) -> bool:
        """Whether there is a row of this id, in any state."""
        with self._sessions() as session:
            return session.get(DocumentRow, document_id) is not None

    def bytes(self, document_id: str) -> int:
        """Size of its file; 0 where there is no such row."""
        with self._sessions() as session:
            row = session.get(DocumentRow, document_id)
            return 0 if row is None else row.bytes

    def is_stopped(self, document_id: str) -> bool:
        """Whether it failed or was cancelled, so that nothing of it is wanted but its row and its file."""
        with self._sessions() as session:
            row = session.get(DocumentRow, document_id)
            return row is not None and row.state in STOPPED

    def hide(self, knowledge_base_id: str, document_id: str) -> None:
        """Out of every answer when this returns; the purge comes later. Raises `DocumentNotFound`."""
        with self._sessions.begin() as session:
            row = session.get(DocumentRow, document_id)
            if row is None or row.knowledge_base_id != knowledge_base_id or row.state == DocumentState.DELETING:
                raise DocumentNotFound(ref=document_id[:60])
            row.state = DocumentState.DELETING
            end_job(session, JobRow.document_id == document_id, JobState.CANCELLED)

    def hidden(self) -> list[str]:
        """Ids of documents that are hidden and not purged yet."""
        with self._sessions() as session:
            return list(session.scalars(select(DocumentRow.id).where(DocumentRow.state == DocumentState.DELETING)))

    def hidden_place(self, document_id: str) -> tuple[str, list[str]] | None:
        """(sha256, index ids of its knowledge base) of a hidden document, or None where there is no such row."""
        with self._sessions() as session:
            row = session.get(DocumentRow, document_id)
            if row is None or row.state != DocumentState.DELETING:
                return None
            return row.sha256, _index_ids(session, row.knowledge_base_id)

    def index_ids(self, document_id: str) -> list[str]:
        """Index ids of all generations of its knowledge base; none where there is no such row."""
        with self._sessions() as session:
            row = session.get(DocumentRow, document_id)
            return [] if row is None else _index_ids(session, row.knowledge_base_id)

    def forget(self, document_id: str) -> None:
        """Removes the row of a hidden document with its pages, chunks and jobs."""
        with self._sessions.begin() as session:
            session.execute(
                delete(DocumentRow).where(DocumentRow.id == document_id, DocumentRow.state == DocumentState.DELETING)
            )

    def uses(self, sha256: str) -> bool:
        """Whether any document, in any knowledge base and state, has these bytes."""
        with whole_server(), self._sessions() as session:
            return session.scalar(select(DocumentRow.id).where(DocumentRow.sha256 == sha256).limit(1)) is not None

    def reopen(self, document_id: str) -> str | None:
        """A job for a document that should be on its way but whose job has ended; None where all is well."""
        with self._sessions.begin() as session:
            row = session.get(DocumentRow, document_id)
            if row is None or row.state not in WORKING:
                return None
            job_id, is_new = _job_of(session, row)
            return job_id if is_new else None

    def read_again(self, document_id: str) -> str | None:
        """Puts a searchable document back in the queue, to be read from its file; the id of its job, or None."""
        with self._sessions.begin() as session:
            row = session.get(DocumentRow, document_id)
            if row is None or row.state != DocumentState.READY:
                return None
            row.state = DocumentState.QUEUED
            session.execute(delete(PlacementRow).where(PlacementRow.document_id == document_id))
            return new_job(session, JobKind.INGEST, row.knowledge_base_id, document_id=row.id)

    def without_job(self) -> list[str]:
        """Ids of documents that should be on their way and have no open job."""
        open_job = select(JobRow.id).where(JobRow.document_id == DocumentRow.id, JobRow.state.in_(OPEN)).exists()
        with self._sessions() as session:
            return list(session.scalars(select(DocumentRow.id).where(DocumentRow.state.in_(WORKING), ~open_job)))


def _of(knowledge_base_id: str) -> ColumnElement[bool]:
    mine: ColumnElement[bool] = DocumentRow.knowledge_base_id == knowledge_base_id
    return mine & (DocumentRow.state != DocumentState.DELETING)


def _wanted(knowledge_base_id: str, state: DocumentState | None, name: str) -> ColumnElement[bool]:
    wanted = _of(knowledge_base_id)
    if state is not None:
        wanted &= DocumentRow.state == state
    return wanted & DocumentRow.name.icontains(name, autoescape=True) if name else wanted


def _index_ids(session: Session, knowledge_base_id: str) -> list[str]:
    mine = GenerationRow.knowledge_base_id == knowledge_base_id
    return list(session.scalars(select(GenerationRow.index_id).where(mine)))


def _working(session: Session, document_id: str, job_id: str) -> DocumentRow:
    """The document that this job is on; raises `JobCancelled` once it may not go on with it."""
    require_open(session, job_id)
    row = session.get(DocumentRow, document_id)
    if row is None or row.state not in WORKING:
        raise JobCancelled
    return row


def _next_moment(session: Session, knowledge_base_id: str, name: str) -> datetime:
    """Now, but after all that was accepted under this name, even where the clock was set back: the last upload wins."""
    last = session.scalar(
        select(func.max(DocumentRow.accepted_at)).where(_of(knowledge_base_id), DocumentRow.name == name)
    )
    return now() if last is None else max(now(), last + timedelta(microseconds=1))


def _job_of(session: Session, row: DocumentRow) -> tuple[str, bool]:
    """The newest job of a document, or a new one where it has stopped or lost its own; and whether it is new."""
    jobs = select(JobRow).where(JobRow.document_id == row.id)
    job = session.scalars(jobs.order_by(JobRow.state.in_(OPEN).desc(), JobRow.created_at.desc()).limit(1)).one_or_none()
    has_open = job is not None and job.state in OPEN
    if job is not None and (has_open or row.state == DocumentState.READY):
        return job.id, False
    row.state, row.error_code, row.error_params = DocumentState.QUEUED, None, {}
    return new_job(session, JobKind.INGEST, row.knowledge_base_id, document_id=row.id), True


def _require_room(session: Session, base: KnowledgeBaseRow, more: int, room: Room) -> None:
    count, size = session.execute(
        select(func.count(), func.coalesce(func.sum(DocumentRow.bytes), 0)).where(_of(base.id))
    ).one()
    if count >= room.documents:
        raise KnowledgeBaseFull(name=base.name, limit=f"{room.documents} documents", setting="MQA_MAX_DOCUMENTS")
    if size + more > room.bytes:
        limit = f"{room.bytes // 1_000_000} MB"
        raise KnowledgeBaseFull(name=base.name, limit=limit, setting="MQA_MAX_KNOWLEDGE_BASE_MB")


def _document(row: DocumentRow) -> Document:
    return Document(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        name=row.name,
        media_type=row.media_type,
        sha256=row.sha256,
        bytes=row.bytes,
        state=DocumentState(row.state),
        pages=row.pages,
        chunks=row.chunks,
        error_code=row.error_code,
        error_params=row.error_params,
        created_at=row.created_at,
        ready_at=row.ready_at,
        pages_without_text=row.pages_without_text,
        pages_recognised=row.pages_recognised,
        pages_with_hidden_text=None if row.pages_with_hidden_text is None else tuple(row.pages_with_hidden_text),
    )
