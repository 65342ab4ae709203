"""Trainings of adapters in the catalogue: who ordered what, how far each is, and what came of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.jobs import OPEN
from app.catalogue.scope import count_on_server
from app.catalogue.tables import FinetuneJobRow, KnowledgeBaseRow, ProcessRow, now
from app.errors import (
    KnowledgeBaseNotFound,
    TrainingDone,
    TrainingEnded,
    TrainingNotFound,
    TrainingQueueFull,
    TrainingsFull,
)
from app.types import JobState, TrainingStage


@dataclass(frozen=True, slots=True)
class NewTraining:
    """What is to be trained: `config` are the choices made so far, `examples` what is known of the pairs."""

    name: str
    base: str
    config: dict[str, Any]
    examples: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TrainingRoom:
    """How many trainings the server keeps, and how many of them may be open."""

    stored: int
    opened: int


@dataclass(frozen=True, slots=True)
class Training:
    """One training as it stands; see `FinetuneJobRow`. `knowledge_base_id` is None where that was deleted."""

    id: str
    knowledge_base_id: str | None
    name: str
    base: str
    config: dict[str, Any]
    examples: dict[str, Any]
    state: JobState
    stage: TrainingStage
    step: int
    steps: int | None
    attempts: int
    revision: int
    figures: dict[str, Any]
    adapter_id: str | None
    error_code: str | None
    error_params: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def ended(self) -> bool:
        return self.state not in OPEN


def new_training_id() -> str:
    """An id that no training has."""
    return f"ft-{secrets.token_hex(8)}"


class Trainings:
    """Rows of trainings; each write is one transaction. What comes after the end of one changes nothing."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, training_id: str) -> Training:
        """Raises `TrainingNotFound`."""
        with self._sessions() as session:
            return _training(_found(session, training_id))

    def find(self, training_id: str) -> Training | None:
        """The training, or None where it is gone."""
        try:
            return self.get(training_id)
        except TrainingNotFound:
            return None

    def all(self, knowledge_base_id: str | None, limit: int, offset: int) -> list[Training]:
        """Trainings, newest first."""
        query = select(FinetuneJobRow).order_by(FinetuneJobRow.created_at.desc(), FinetuneJobRow.id)
        if knowledge_base_id is not None:
            query = query.where(FinetuneJobRow.knowledge_base_id == knowledge_base_id)
        with self._sessions() as session:
            return [_training(row) for row in session.scalars(query.limit(limit).offset(offset))]

    def next(self, claimant: str | None = None) -> Training | None:
        """The one to work on: one that was under way when the server stopped, else the one that waits longest.

        Where there are several processes, `claimant` is the one that asks: what it gets is its own as long as it lives.
        """
        query = select(FinetuneJobRow).where(FinetuneJobRow.state.in_(OPEN), _is_free(claimant))
        order = (FinetuneJobRow.state != JobState.RUNNING, FinetuneJobRow.queued_at, FinetuneJobRow.id)
        with self._sessions() if claimant is None else self._sessions.begin() as session:
            row = session.scalars(query.order_by(*order).limit(1)).one_or_none()
            if row is not None and claimant is not None:
                row.claimed_by = claimant
            return None if row is None else _training(row)

    def ids(self) -> set[str]:
        """The ids of all trainings."""
        with self._sessions() as session:
            return set(session.scalars(select(FinetuneJobRow.id)))

    def open_ids(self) -> set[str]:
        """The ids of trainings that wait or run."""
        with self._sessions() as session:
            return set(session.scalars(select(FinetuneJobRow.id).where(FinetuneJobRow.state.in_(OPEN))))

    # --- what people ask for --------------------------------------------------------------------------------------

    def require_room(self, room: TrainingRoom) -> None:
        """Raises `TrainingsFull` or `TrainingQueueFull`, as `add` would; to be told before files are written."""
        with self._sessions() as session:
            _require_room(session, room)

    def add(self, training_id: str, knowledge_base_id: str, new: NewTraining, room: TrainingRoom) -> Training:
        """Puts it into the queue; its files are in their place already.

        Raises `KnowledgeBaseNotFound`, `TrainingsFull`, `TrainingQueueFull`.
        """
        with self._sessions.begin() as session:
            base = session.get(KnowledgeBaseRow, knowledge_base_id)
            if base is None or base.deleting:
                raise KnowledgeBaseNotFound(ref=knowledge_base_id[:60])
            _require_room(session, room)
            session.add(
                FinetuneJobRow(
                    id=training_id,
                    knowledge_base_id=knowledge_base_id,
                    name=new.name,
                    base=new.base,
                    config=new.config,
                    examples=new.examples,
                )
            )
        return self.get(training_id)

    def cancel(self, training_id: str) -> Training:
        """Ends it; what it has written stays. Raises `TrainingNotFound`, `TrainingEnded`."""
        with self._sessions.begin() as session:
            row = _found(session, training_id)
            if row.state not in OPEN:
                raise TrainingEnded(ref=training_id)
            _end(row, JobState.CANCELLED, None, {})
        return self.get(training_id)

    def resume(self, training_id: str, opened: int) -> Training:
        """Puts one that failed or was cancelled into the queue again; one that is open stays as it is.

        Raises `TrainingNotFound`, `TrainingDone` for one that is done, and `TrainingQueueFull`.
        """
        with self._sessions.begin() as session:
            row = _found(session, training_id)
            if row.state == JobState.DONE:
                raise TrainingDone(ref=training_id)
            if row.state not in OPEN:
                _require_turn(session, opened)
                row.state, row.queued_at, row.finished_at = JobState.QUEUED, now(), None
                row.attempts, row.error_code, row.error_params = 0, None, {}
                row.revision += 1
        return self.get(training_id)

    def remove(self, training_id: str) -> None:
        """Deletes the row; raises `TrainingNotFound`."""
        with self._sessions.begin() as session:
            session.delete(_found(session, training_id))

    # --- what the runner writes -----------------------------------------------------------------------------------

    def begin(self, training_id: str) -> Training | None:
        """It is taken up now, which counts as an attempt. None where it is not open."""
        with self._sessions.begin() as session:
            row = _open(session, training_id)
            if row is None:
                return None
            row.state, row.attempts, row.revision = JobState.RUNNING, row.attempts + 1, row.revision + 1
            row.started_at = row.started_at or now()
        return self.find(training_id)

    def put_back(self, training_id: str) -> None:
        """The server stopped it in good order, which does not count as an attempt."""
        with self._sessions.begin() as session:
            row = _open(session, training_id)
            if row is not None and row.attempts > 0:
                row.attempts -= 1

    def enter(self, training_id: str, stage: TrainingStage) -> bool:
        """It is at this stage now; False where it is not open any more."""
        with self._sessions.begin() as session:
            row = _open(session, training_id)
            if row is None:
                return False
            if row.stage != stage:
                row.stage, row.revision = stage, row.revision + 1
        return True

    def prepared(self, training_id: str, config: dict[str, Any], examples: dict[str, Any]) -> bool:
        """What it learns from is written; attempts count anew. False where it is not open any more."""
        with self._sessions.begin() as session:
            row = _open(session, training_id)
            if row is None:
                return False
            row.config, row.examples, row.attempts = config, examples, 1
            row.stage, row.revision = TrainingStage.TRAINING, row.revision + 1
        return True

    def progress(self, training_id: str, step: int, steps: int | None, figures: dict[str, Any]) -> bool:
        """How far its process is; a checkpoint that is new lets attempts count anew. False where it is not open."""
        with self._sessions.begin() as session:
            row = _open(session, training_id)
            if row is None:
                return False
            if (row.step, row.steps, row.figures) != (step, steps, figures):
                if (figures.get("checkpoint") or 0) > (row.figures.get("checkpoint") or 0):
                    row.attempts = 1
                row.step, row.steps, row.figures, row.revision = step, steps, figures, row.revision + 1
        return True

    def trained(self, training_id: str) -> bool:
        """Its process is done; attempts count anew. False where it is not open any more."""
        with self._sessions.begin() as session:
            row = _open(session, training_id)
            if row is None:
                return False
            if row.stage != TrainingStage.REGISTERING:
                row.stage, row.attempts, row.revision = TrainingStage.REGISTERING, 1, row.revision + 1
        return True

    def finish(self, training_id: str, adapter_id: str) -> bool:
        """Its adapter is registered: it is done, also where it was cancelled in that moment. False where it is gone."""
        with self._sessions.begin() as session:
            row = session.get(FinetuneJobRow, training_id)
            if row is None:
                return False
            row.adapter_id, row.stage = adapter_id, TrainingStage.DONE
            _end(row, JobState.DONE, None, {})
        return True

    def fail(self, training_id: str, error_code: str, params: dict[str, Any]) -> None:
        """It ends without an adapter, if it has not ended yet."""
        with self._sessions.begin() as session:
            row = _open(session, training_id)
            if row is not None:
                _end(row, JobState.FAILED, error_code, params)


def _is_free(claimant: str | None) -> ColumnElement[bool]:
    """Whether no other process that lives has claimed it; everything is free where there is only one."""
    if claimant is None:
        return true()
    others = select(ProcessRow.id).where(ProcessRow.id != claimant)
    return FinetuneJobRow.claimed_by.is_(None) | FinetuneJobRow.claimed_by.not_in(others)


def _end(row: FinetuneJobRow, state: JobState, code: str | None, params: dict[str, Any]) -> None:
    row.state, row.finished_at, row.revision = state, now(), row.revision + 1
    row.error_code, row.error_params = code, params


def _require_room(session: Session, room: TrainingRoom) -> None:
    if count_on_server(session, FinetuneJobRow) >= room.stored:
        raise TrainingsFull(limit=room.stored)
    _require_turn(session, room.opened)


def _require_turn(session: Session, opened: int) -> None:
    if count_on_server(session, FinetuneJobRow, FinetuneJobRow.state.in_(OPEN)) >= opened:
        raise TrainingQueueFull(limit=opened)


def _found(session: Session, training_id: str) -> FinetuneJobRow:
    row = session.get(FinetuneJobRow, training_id)
    if row is None:
        raise TrainingNotFound(ref=training_id[:60])
    return row


def _open(session: Session, training_id: str) -> FinetuneJobRow | None:
    row = session.get(FinetuneJobRow, training_id)
    return None if row is None or row.state not in OPEN else row


def _training(row: FinetuneJobRow) -> Training:
    return Training(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        name=row.name,
        base=row.base,
        config=row.config,
        examples=row.examples,
        state=JobState(row.state),
        stage=TrainingStage(row.stage),
        step=row.step,
        steps=row.steps,
        attempts=row.attempts,
        revision=row.revision,
        figures=row.figures,
        adapter_id=row.adapter_id,
        error_code=row.error_code,
        error_params=row.error_params,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
