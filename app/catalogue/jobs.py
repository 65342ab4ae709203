"""Jobs in the catalogue: what people watch, and what says whether work may go on."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, select, update
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.records import Job
from app.catalogue.tables import DocumentRow, JobRow, KnowledgeBaseRow, now
from app.errors import JobCancelled, JobNotFound
from app.types import DocumentState, Fingerprint, JobKind, JobState, Stage

OPEN = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; None means all."""

    knowledge_base_id: str | None = None
    document_id: str | None = None
    kind: JobKind | None = None
    states: Sequence[JobState] = ()
    ended_since: datetime | None = None


class Jobs:
    """Rows of jobs. A job ends once: what comes after its end changes nothing and is told `JobCancelled`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, job_id: str) -> Job:
        """Raises `JobNotFound`."""
        with self._sessions() as session:
            found = session.execute(_visible().where(JobRow.id == job_id)).one_or_none()
            if found is None:
                raise JobNotFound(ref=job_id[:60])
            return _job(*found)

    def all(self, wanted: JobFilter, limit: int, offset: int) -> list[Job]:
        """Jobs, newest first."""
        query = _visible().order_by(JobRow.created_at.desc(), JobRow.id)
        if wanted.knowledge_base_id is not None:
            query = query.where(JobRow.knowledge_base_id == wanted.knowledge_base_id)
        if wanted.document_id is not None:
            query = query.where(JobRow.document_id == wanted.document_id)
        if wanted.kind is not None:
            query = query.where(JobRow.kind == wanted.kind)
        if wanted.ended_since is not None:
            query = query.where(JobRow.ended_at >= wanted.ended_since)
        if wanted.states:
            query = query.where(JobRow.state.in_(wanted.states))
        with self._sessions() as session:
            return [_job(*found) for found in session.execute(query.limit(limit).offset(offset))]

    def find(self, job_id: str) -> Job | None:
        """The job, or None where it is gone."""
        try:
            return self.get(job_id)
        except JobNotFound:
            return None

    def unfinished(self) -> list[Job]:
        """Jobs that have not ended, oldest first."""
        with self._sessions() as session:
            query = _visible().where(JobRow.state.in_(OPEN)).order_by(JobRow.created_at, JobRow.id)
            return [_job(*found) for found in session.execute(query)]

    # --- what the worker writes -----------------------------------------------------------------------------------

    def begin(self, job_id: str) -> int:
        """A process takes the job up; returns how many have since its last finished step. Raises `JobCancelled`."""
        with self._sessions.begin() as session:
            row = _open(session, job_id)
            row.attempts = row.attempts + 1 if row.steps_at_start == row.steps else 1
            row.steps_at_start = row.steps
            row.stage_started_at = None
            row.state = JobState.RUNNING
            row.started_at = row.started_at or now()
            return row.attempts

    def pause(self, job_id: str) -> None:
        """The process stops on purpose: this start does not count."""
        with self._sessions.begin() as session:
            session.execute(update(JobRow).where(JobRow.id == job_id).values(steps_at_start=-1))

    def wait(self, job_id: str) -> None:
        """The job waits for its place; a process that dies meanwhile does not count, until it goes on."""
        with self._sessions.begin() as session:
            changed = update(JobRow).where(JobRow.id == job_id).values(attempts=JobRow.attempts - 1)
            session.execute(changed)

    def go_on(self, job_id: str, seconds: float) -> None:
        """The job has its place, for which it waited so long; that is no part of the time of its stage."""
        with self._sessions.begin() as session:
            row = session.get(JobRow, job_id)
            if row is not None:
                row.attempts += 1
                if row.stage_started_at is not None:
                    row.stage_started_at += timedelta(seconds=seconds)

    def stage(self, job_id: str, stage: Stage, done: int = 0) -> float:
        """The job enters a stage, or is in it still, of which `done` is done already; seconds since it entered it.

        Raises `JobCancelled`.
        """
        with self._sessions.begin() as session:
            row = _open(session, job_id)
            if row.stage != stage or row.stage_started_at is None or done < row.stage_from:
                row.stage, row.stage_started_at, row.stage_from = stage, now(), done
            return (now() - row.stage_started_at).total_seconds()

    def progress(self, job_id: str, **counts: int) -> None:
        """Sets counts; raises `JobCancelled` where the job has ended meanwhile."""
        with self._sessions.begin() as session:
            for name, value in counts.items():
                setattr(_open(session, job_id), name, value)

    def stepped(self, job_id: str, **counts: int) -> None:
        """A step is finished and will not be done again; raises `JobCancelled` where the job has ended meanwhile."""
        with self._sessions.begin() as session:
            row = _open(session, job_id)
            row.steps += 1
            row.steps_at_start, row.attempts = row.steps, 1  # the process that goes on has begun the next step
            for name, value in counts.items():
                setattr(row, name, value)

    def end(self, job_id: str, state: JobState, error_code: str | None = None, **params: Any) -> None:  # noqa: ANN401
        """The job ends, if it has not ended yet."""
        with self._sessions.begin() as session:
            end_job(session, JobRow.id == job_id, state, error_code, params)


def new_job(session: Session, kind: JobKind, knowledge_base_id: str, **values: Any) -> str:  # noqa: ANN401
    """Adds a job in the caller's transaction; returns its id."""
    job_id = f"job-{secrets.token_hex(8)}"
    session.add(JobRow(id=job_id, kind=kind, knowledge_base_id=knowledge_base_id, **values))
    return job_id


def end_job(
    session: Session,
    which: ColumnElement[bool],
    state: JobState,
    code: str | None = None,
    params: dict[str, Any] | None = None,
) -> None:
    """Ends the open jobs that `which` (a condition on `JobRow`) means, in the caller's transaction."""
    values: dict[str, Any] = {"state": state, "ended_at": now(), "error_code": code, "error_params": params or {}}
    if state is JobState.DONE:
        values["stage"] = Stage.DONE
    session.execute(update(JobRow).where(which, JobRow.state.in_(OPEN)).values(**values))


def require_open(session: Session, job_id: str) -> None:
    """Raises `JobCancelled` where the job has ended."""
    _open(session, job_id)


def _open(session: Session, job_id: str) -> JobRow:
    row = session.get(JobRow, job_id)
    if row is None or row.state not in OPEN:
        raise JobCancelled
    return row


def _visible() -> Select[JobRow, str]:
    """(job, name of its document) of all that is not being deleted."""
    return (
        select(JobRow, DocumentRow.name)
        .join(KnowledgeBaseRow, JobRow.knowledge_base_id == KnowledgeBaseRow.id)
        .outerjoin(DocumentRow, JobRow.document_id == DocumentRow.id)
        .where(
            KnowledgeBaseRow.deleting.is_(False),
            DocumentRow.state.is_(None) | (DocumentRow.state != DocumentState.DELETING),
        )
    )


def _job(row: JobRow, document_name: str | None) -> Job:
    return Job(
        id=row.id,
        kind=JobKind(row.kind),
        knowledge_base_id=row.knowledge_base_id,
        document_id=row.document_id,
        document_name=document_name,
        index_id=row.index_id,
        fingerprint=None if row.fingerprint is None else Fingerprint(**row.fingerprint),
        state=JobState(row.state),
        stage=Stage(row.stage),
        stage_started_at=row.stage_started_at,
        stage_from=row.stage_from,
        pages_done=row.pages_done,
        pages_total=row.pages_total,
        chunks_done=row.chunks_done,
        chunks_total=row.chunks_total,
        documents_done=row.documents_done,
        documents_total=row.documents_total,
        attempts=row.attempts,
        error_code=row.error_code,
        error_params=row.error_params,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
