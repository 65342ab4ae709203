"""Documents and their ingestion jobs in the catalogue; each call names the knowledge base it is allowed to see."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, select, update
from sqlalchemy.exc import IntegrityError

from app.catalogue.database import Sessions
from app.catalogue.records import Document, Job
from app.catalogue.tables import DocumentRow, JobRow, KnowledgeBaseRow, now
from app.errors import DocumentNotFound, JobNotFound, KnowledgeBaseNotFound
from app.types import DocumentState, Stage


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What an upload is known by."""

    name: str
    media_type: str
    sha256: str
    bytes: int


class Documents:
    """Rows of documents and jobs. States change only here, each in one conditional statement."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    # --- adding and reading ---------------------------------------------------------------------------------------

    def add(self, knowledge_base_id: str, new: NewDocument) -> tuple[Document, Job, bool]:
        """The document of these bytes, its newest job, and whether it is new.

        The same bytes in the same knowledge base are one document, however many ask at once. A failed one is put back
        in the queue with a new job.
        """
        document_id = f"doc-{secrets.token_hex(8)}"
        job_id = f"job-{secrets.token_hex(8)}"
        try:
            with self._sessions.begin() as session:
                base = session.get(KnowledgeBaseRow, knowledge_base_id)
                if base is None or base.deleting:
                    raise KnowledgeBaseNotFound(ref=knowledge_base_id[:60])
                session.add(
                    DocumentRow(
                        id=document_id,
                        knowledge_base_id=knowledge_base_id,
                        name=new.name,
                        media_type=new.media_type,
                        sha256=new.sha256,
                        bytes=new.bytes,
                        state=DocumentState.QUEUED,
                    )
                )
                session.flush()
                session.add(JobRow(id=job_id, document_id=document_id, stage=Stage.WAITING))
        except IntegrityError:
            return self._again(knowledge_base_id, new.sha256, job_id)
        return self.get(knowledge_base_id, document_id), self.job(job_id), True

    def _again(self, knowledge_base_id: str, sha256: str, job_id: str) -> tuple[Document, Job, bool]:
        same = (DocumentRow.knowledge_base_id == knowledge_base_id) & (DocumentRow.sha256 == sha256)
        with self._sessions.begin() as session:
            row = session.scalars(select(DocumentRow).where(same, DocumentRow.state != DocumentState.DELETING)).one()
            document_id = row.id
            failed = (DocumentRow.id == document_id) & (DocumentRow.state == DocumentState.FAILED)
            fresh: dict[str, Any] = {"state": DocumentState.QUEUED, "error_code": None, "error_params": {}}
            requeued = session.execute(update(DocumentRow).where(failed).values(**fresh))
            if requeued.rowcount:  # type: ignore[attr-defined]
                session.add(JobRow(id=job_id, document_id=document_id, stage=Stage.WAITING))
            newest = select(JobRow.id).where(JobRow.document_id == document_id).order_by(JobRow.created_at.desc())
            session.flush()
            current = session.scalars(newest.limit(1)).one()
        return self.get(knowledge_base_id, document_id), self.job(current), current == job_id

    def get(self, knowledge_base_id: str, document_id: str) -> Document:
        """Raises `DocumentNotFound`, also for a document of another knowledge base or one being deleted."""
        with self._sessions() as session:
            row = session.get(DocumentRow, document_id)
            if row is None or row.knowledge_base_id != knowledge_base_id or row.state == DocumentState.DELETING:
                raise DocumentNotFound(ref=document_id[:60])
            return _document(row)

    def all(
        self, knowledge_base_id: str, limit: int, offset: int, state: DocumentState | None = None
    ) -> list[Document]:
        """Documents of a knowledge base, newest first."""
        query = (
            select(DocumentRow)
            .where(DocumentRow.knowledge_base_id == knowledge_base_id, DocumentRow.state != DocumentState.DELETING)
            .order_by(DocumentRow.created_at.desc(), DocumentRow.id)
        )
        if state is not None:
            query = query.where(DocumentRow.state == state)
        with self._sessions() as session:
            return [_document(row) for row in session.scalars(query.limit(limit).offset(offset))]

    def for_work(self, document_id: str) -> tuple[Document, str]:
        """The document and its index id, for the worker; raises `DocumentNotFound` once it is being deleted."""
        with self._sessions() as session:
            row = session.get(DocumentRow, document_id)
            if row is None or row.state == DocumentState.DELETING:
                raise DocumentNotFound(ref=document_id)
            base = session.get_one(KnowledgeBaseRow, row.knowledge_base_id)
            return _document(row), base.index_id

    # --- what the worker writes -----------------------------------------------------------------------------------

    def start(self, document_id: str, job_id: str) -> None:
        """The worker has taken the document; raises `DocumentNotFound` where it was deleted meanwhile."""
        open_states = (DocumentState.QUEUED, DocumentState.PROCESSING)
        self._move(document_id, open_states, state=DocumentState.PROCESSING)
        with self._sessions.begin() as session:
            session.execute(
                update(JobRow).where(JobRow.id == job_id, JobRow.started_at.is_(None)).values(started_at=now())
            )

    def progress(self, job_id: str, **values: int | Stage) -> None:
        """Sets counts or the stage of a job."""
        with self._sessions.begin() as session:
            session.execute(update(JobRow).where(JobRow.id == job_id).values(**values))

    def publish(self, document_id: str, job_id: str, chunks: int) -> None:
        """The one step that makes a document searchable; raises `DocumentNotFound` where it was deleted meanwhile."""
        states = (DocumentState.PROCESSING, DocumentState.READY)
        self._move(document_id, states, state=DocumentState.READY, chunks=chunks, ready_at=now())
        self._end(job_id)

    def fail(self, document_id: str, job_id: str, code: str, params: dict[str, Any]) -> None:
        """The document stops here, with the reason; one that is being deleted stays so."""
        states = (DocumentState.QUEUED, DocumentState.PROCESSING)
        with self._sessions.begin() as session:
            session.execute(
                update(DocumentRow)
                .where(DocumentRow.id == document_id, DocumentRow.state.in_(states))
                .values(state=DocumentState.FAILED, error_code=code, error_params=params)
            )
        self._end(job_id, done=False)

    def _end(self, job_id: str, *, done: bool = True) -> None:
        values: dict[str, Any] = {"ended_at": now()}
        if done:
            values["stage"] = Stage.DONE
        with self._sessions.begin() as session:
            session.execute(update(JobRow).where(JobRow.id == job_id).values(**values))

    def _move(self, document_id: str, states: tuple[DocumentState, ...], **values: object) -> None:
        with self._sessions.begin() as session:
            moved = session.execute(
                update(DocumentRow).where(DocumentRow.id == document_id, DocumentRow.state.in_(states)).values(**values)
            )
            if not moved.rowcount:  # type: ignore[attr-defined]
                raise DocumentNotFound(ref=document_id)

    def new_job(self, document_id: str) -> str:
        """A further job for a document whose last one broke off; returns its id."""
        job_id = f"job-{secrets.token_hex(8)}"
        with self._sessions.begin() as session:
            session.add(JobRow(id=job_id, document_id=document_id, stage=Stage.WAITING))
        return job_id

    # --- deleting -------------------------------------------------------------------------------------------------

    def hide(self, knowledge_base_id: str, document_id: str) -> None:
        """Out of every answer when this returns; the purge comes later. Raises `DocumentNotFound`."""
        self.get(knowledge_base_id, document_id)
        with self._sessions.begin() as session:
            session.execute(
                update(DocumentRow).where(DocumentRow.id == document_id).values(state=DocumentState.DELETING)
            )

    def hidden(self) -> list[str]:
        """Ids of documents that are hidden and not purged yet."""
        with self._sessions() as session:
            return list(session.scalars(select(DocumentRow.id).where(DocumentRow.state == DocumentState.DELETING)))

    def place(self, document_id: str) -> tuple[str, str] | None:
        """(index id, sha256) of a document in any state, or None where there is no such row."""
        with self._sessions() as session:
            row = session.get(DocumentRow, document_id)
            if row is None:
                return None
            return session.get_one(KnowledgeBaseRow, row.knowledge_base_id).index_id, row.sha256

    def forget(self, document_id: str) -> None:
        """Removes the row of a hidden document with its pages, chunks and jobs."""
        with self._sessions.begin() as session:
            session.execute(
                delete(DocumentRow).where(DocumentRow.id == document_id, DocumentRow.state == DocumentState.DELETING)
            )

    def uses(self, sha256: str) -> bool:
        """Whether any document, in any knowledge base and state, has these bytes."""
        with self._sessions() as session:
            return session.scalar(select(DocumentRow.id).where(DocumentRow.sha256 == sha256).limit(1)) is not None

    # --- jobs -----------------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """Raises `JobNotFound`."""
        with self._sessions() as session:
            found = session.execute(_jobs().where(JobRow.id == job_id)).one_or_none()
        if found is None:
            raise JobNotFound(ref=job_id[:60])
        return _job(found[0], found[1])

    def jobs(self, limit: int, offset: int, knowledge_base_id: str | None = None) -> list[Job]:
        """Jobs, newest first."""
        query = _jobs().order_by(JobRow.created_at.desc(), JobRow.id)
        if knowledge_base_id is not None:
            query = query.where(DocumentRow.knowledge_base_id == knowledge_base_id)
        with self._sessions() as session:
            return [_job(job, document) for job, document in session.execute(query.limit(limit).offset(offset))]

    def unfinished(self) -> list[tuple[str, str]]:
        """(document id, job id) of documents that should be on their way, with their newest job."""
        states = (DocumentState.QUEUED, DocumentState.PROCESSING)
        query = _jobs().where(DocumentRow.state.in_(states), JobRow.ended_at.is_(None)).order_by(JobRow.created_at)
        with self._sessions() as session:
            return [(document.id, job.id) for job, document in session.execute(query)]


def _jobs() -> Select[JobRow, DocumentRow]:
    joined = select(JobRow, DocumentRow).join(DocumentRow, JobRow.document_id == DocumentRow.id)
    return joined.where(DocumentRow.state != DocumentState.DELETING)


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
    )


def _job(job: JobRow, document: DocumentRow) -> Job:
    failed = document.state == DocumentState.FAILED and job.ended_at is not None
    return Job(
        id=job.id,
        document_id=document.id,
        document_name=document.name,
        knowledge_base_id=document.knowledge_base_id,
        state=DocumentState(document.state),
        stage=Stage(job.stage),
        pages_done=job.pages_done,
        pages_total=job.pages_total,
        chunks_done=job.chunks_done,
        chunks_total=job.chunks_total,
        error_code=document.error_code if failed else None,
        error_params=document.error_params if failed else {},
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
    )
