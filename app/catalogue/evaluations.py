"""Evaluations in the catalogue: what is asked, how far each is, and the record of every question that was asked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, select, true
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.jobs import OPEN
from app.catalogue.living import in_living_bases
from app.catalogue.scope import count_on_server
from app.catalogue.tables import EvaluationRecordRow, EvaluationRow, KnowledgeBaseRow, ProcessRow, now
from app.errors import (
    EvaluationEnded,
    EvaluationNotFound,
    EvaluationQueueFull,
    EvaluationsFull,
    KnowledgeBaseNotFound,
    NothingToResume,
)
from app.types import Fingerprint, JobState


@dataclass(frozen=True, slots=True)
class NewEvaluation:
    """What is to be asked of a knowledge base: `questions` are JSON lines, `total` of them."""

    name: str
    question_set: str
    set_hash: str
    questions: str
    total: int
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EvaluationRoom:
    """How many evaluations a knowledge base may have, and how many of the server may be open."""

    stored: int
    opened: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What the questions of an evaluation are put to; it must not change while they are."""

    fingerprint: Fingerprint
    model: str | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation as it stands; see `EvaluationRow`. `asked` is None until it has begun."""

    id: str
    knowledge_base_id: str
    knowledge_base: str
    name: str
    question_set: str
    set_hash: str
    settings: dict[str, Any]
    state: JobState
    total: int
    done: int
    failed: int
    revision: int
    asked: Asked | None
    versions: dict[str, str]
    error_code: str | None
    error_params: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def ended(self) -> bool:
        return self.state not in OPEN


class Evaluations:
    """Rows of evaluations and of their records. Each write is one transaction.

    A record is written while its evaluation runs and never afterwards. Evaluations of a knowledge base that is being
    deleted are not seen any more, and go with it.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, evaluation_id: str) -> Evaluation:
        """Raises `EvaluationNotFound`."""
        with self._sessions() as session:
            return _evaluation(*_found(session, evaluation_id))

    def find(self, evaluation_id: str) -> Evaluation | None:
        """The evaluation, or None where it is gone."""
        try:
            return self.get(evaluation_id)
        except EvaluationNotFound:
            return None

    def all(self, knowledge_base_id: str | None, limit: int, offset: int) -> list[Evaluation]:
        """Evaluations, newest first."""
        query = _visible().order_by(EvaluationRow.created_at.desc(), EvaluationRow.id)
        if knowledge_base_id is not None:
            query = query.where(EvaluationRow.knowledge_base_id == knowledge_base_id)
        with self._sessions() as session:
            return [_evaluation(*found) for found in session.execute(query.limit(limit).offset(offset))]

    def next(self, claimant: str | None = None) -> Evaluation | None:
        """The one to work on: one that was under way when the server stopped, else the one that waits longest.

        Where there are several processes, `claimant` is the one that asks: what it gets is its own as long as it lives.
        """
        first = _visible().where(EvaluationRow.state.in_(OPEN), _is_free(claimant))
        order = (EvaluationRow.state != JobState.RUNNING, EvaluationRow.queued_at, EvaluationRow.id)
        with self._sessions() if claimant is None else self._sessions.begin() as session:
            found = session.execute(first.order_by(*order).limit(1)).one_or_none()
            if found is not None and claimant is not None:
                found[0].claimed_by = claimant
            return None if found is None else _evaluation(*found)

    def questions(self, evaluation_id: str) -> str:
        """The questions as JSON lines, in their order; raises `EvaluationNotFound`."""
        with self._sessions() as session:
            return _found(session, evaluation_id)[0].questions

    def records(self, evaluation_id: str) -> list[str]:
        """The records as JSON, by the order of their questions."""
        mine = EvaluationRecordRow.evaluation_id == evaluation_id
        query = select(EvaluationRecordRow.record).where(mine).order_by(EvaluationRecordRow.number)
        with self._sessions() as session:
            return list(session.scalars(query))

    def recorded(self, evaluation_id: str) -> set[int]:
        """Numbers of the questions that have a record."""
        mine = EvaluationRecordRow.evaluation_id == evaluation_id
        with self._sessions() as session:
            return set(session.scalars(select(EvaluationRecordRow.number).where(mine)))

    # --- what people ask for --------------------------------------------------------------------------------------

    def add(self, knowledge_base_id: str, new: NewEvaluation, room: EvaluationRoom) -> Evaluation:
        """Puts it into the queue; raises `KnowledgeBaseNotFound`, `EvaluationsFull`, `EvaluationQueueFull`."""
        identity = f"eval-{secrets.token_hex(8)}"
        with self._sessions.begin() as session:
            base = session.get(KnowledgeBaseRow, knowledge_base_id)
            if base is None or base.deleting:
                raise KnowledgeBaseNotFound(ref=knowledge_base_id[:60])
            mine = EvaluationRow.knowledge_base_id == knowledge_base_id
            stored = session.scalar(select(func.count()).select_from(EvaluationRow).where(mine)) or 0
            if stored >= room.stored:
                raise EvaluationsFull(name=base.name, limit=room.stored)
            _require_turn(session, room.opened)
            session.add(
                EvaluationRow(
                    id=identity,
                    knowledge_base_id=knowledge_base_id,
                    name=new.name,
                    question_set=new.question_set,
                    set_hash=new.set_hash,
                    questions=new.questions,
                    total=new.total,
                    settings=new.settings,
                )
            )
        return self.get(identity)

    def cancel(self, evaluation_id: str) -> Evaluation:
        """Ends it; its records stay. Raises `EvaluationNotFound`, `EvaluationEnded`."""
        with self._sessions.begin() as session:
            row, _ = _found(session, evaluation_id)
            if row.state not in OPEN:
                raise EvaluationEnded(ref=evaluation_id)
            _end(row, JobState.CANCELLED, None, {})
        return self.get(evaluation_id)

    def resume(self, evaluation_id: str, opened: int) -> Evaluation:
        """Puts it into the queue again, without the records that are errors; one that is open stays as it is.

        Raises `EvaluationNotFound`, `NothingToResume`, and `EvaluationQueueFull` where `opened` are open already.
        """
        with self._sessions.begin() as session:
            row, _ = _found(session, evaluation_id)
            if row.state not in OPEN:
                if row.done - row.failed == row.total:
                    raise NothingToResume(ref=evaluation_id)
                _require_turn(session, opened)
                errors = (EvaluationRecordRow.evaluation_id == evaluation_id) & EvaluationRecordRow.failed
                session.execute(delete(EvaluationRecordRow).where(errors))
                row.done, row.failed = row.done - row.failed, 0
                row.state, row.queued_at, row.finished_at = JobState.QUEUED, now(), None
                row.error_code, row.error_params = None, {}
                row.revision += 1
        return self.get(evaluation_id)

    def remove(self, evaluation_id: str) -> None:
        """Deletes it with its records; raises `EvaluationNotFound`."""
        with self._sessions.begin() as session:
            _found(session, evaluation_id)
            session.execute(delete(EvaluationRow).where(EvaluationRow.id == evaluation_id))

    # --- what the runner writes -----------------------------------------------------------------------------------

    def begin(self, evaluation_id: str, asked: Asked, versions: dict[str, str]) -> Evaluation | None:
        """Its questions are put now; what they are put to is noted the first time. None where it is not open."""
        with self._sessions.begin() as session:
            row = session.get(EvaluationRow, evaluation_id)
            if row is None or row.state not in OPEN:
                return None
            if row.fingerprint is None:
                row.fingerprint, row.model, row.versions = asked.fingerprint.as_dict(), asked.model, versions
            if row.state != JobState.RUNNING:
                row.state, row.revision = JobState.RUNNING, row.revision + 1
            row.started_at = row.started_at or now()
        return self.find(evaluation_id)

    def record(self, evaluation_id: str, number: int, text: str, *, failed: bool) -> bool:
        """Keeps what came of a question, once; False where the evaluation does not run any more."""
        with self._sessions.begin() as session:
            row = session.get(EvaluationRow, evaluation_id)
            if row is None or row.state != JobState.RUNNING:
                return False
            if session.get(EvaluationRecordRow, (evaluation_id, number)) is None:
                session.add(EvaluationRecordRow(evaluation_id=evaluation_id, number=number, failed=failed, record=text))
                row.done, row.failed, row.revision = row.done + 1, row.failed + failed, row.revision + 1
        return True

    def end(self, evaluation_id: str, state: JobState, error_code: str | None = None, **params: Any) -> None:  # noqa: ANN401
        """The evaluation ends, if it has not ended yet."""
        with self._sessions.begin() as session:
            row = session.get(EvaluationRow, evaluation_id)
            if row is not None and row.state in OPEN:
                _end(row, state, error_code, params)


def _is_free(claimant: str | None) -> ColumnElement[bool]:
    """Whether no other process that lives has claimed it; everything is free where there is only one."""
    if claimant is None:
        return true()
    others = select(ProcessRow.id).where(ProcessRow.id != claimant)
    return EvaluationRow.claimed_by.is_(None) | EvaluationRow.claimed_by.not_in(others)


def _end(row: EvaluationRow, state: JobState, code: str | None, params: dict[str, Any]) -> None:
    row.state, row.finished_at, row.revision = state, now(), row.revision + 1
    row.error_code, row.error_params = code, params


def _require_turn(session: Session, opened: int) -> None:
    """Raises `EvaluationQueueFull` where so many are open already."""
    if count_on_server(session, EvaluationRow, EvaluationRow.state.in_(OPEN)) >= opened:
        raise EvaluationQueueFull(limit=opened)


def _visible() -> Select[EvaluationRow, str]:
    """(evaluation, name of its knowledge base) of all that are not being deleted."""
    return in_living_bases(EvaluationRow).add_columns(KnowledgeBaseRow.name)


def _found(session: Session, evaluation_id: str) -> tuple[EvaluationRow, str]:
    found = session.execute(_visible().where(EvaluationRow.id == evaluation_id)).one_or_none()
    if found is None:
        raise EvaluationNotFound(ref=evaluation_id[:60])
    return found[0], found[1]


def _evaluation(row: EvaluationRow, knowledge_base: str) -> Evaluation:
    return Evaluation(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        knowledge_base=knowledge_base,
        name=row.name,
        question_set=row.question_set,
        set_hash=row.set_hash,
        settings=row.settings,
        state=JobState(row.state),
        total=row.total,
        done=row.done,
        failed=row.failed,
        revision=row.revision,
        asked=None if row.fingerprint is None else Asked(Fingerprint(**row.fingerprint), row.model),
        versions=row.versions,
        error_code=row.error_code,
        error_params=row.error_params,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
