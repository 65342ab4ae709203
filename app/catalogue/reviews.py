"""Reviews: what askers and reviewers say of answers, and the queue of those that somebody should look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session

from app.catalogue.conversations import Feedback, keep_verdict, verdict_of
from app.catalogue.database import Sessions
from app.catalogue.kept_answers import answer_of
from app.catalogue.living import in_living_bases
from app.catalogue.tables import CallRow, now
from app.errors import CallNotFound
from app.types import Answer, CallOutcome, Channel, Label


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a reviewer says of an answer."""

    label: Label
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One call with its words, and what was said of it; `answer` is None where it ended without one."""

    id: str
    knowledge_base_id: str
    question: str
    answer: Answer | None
    asked_at: datetime
    channel: Channel
    outcome: CallOutcome
    withheld: int
    feedback: Feedback | None
    labelled: Labelled | None
    labelled_at: datetime | None

    @property
    def is_good(self) -> bool:
        """Whether somebody has found its answer right."""
        return self.labelled is not None and self.labelled.label is Label.RIGHT


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """Which calls are wanted: `labelled` None takes both."""

    labelled: bool | None = None
    label: Label | None = None
    outcome: CallOutcome | None = None


class Reviews:
    """Reads and labels calls whose words were kept; to a review the others are not there."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def count(self, knowledge_base_id: str, wanted: ReviewFilter) -> int:
        """How many there are in the queue."""
        with self._sessions() as session:
            which = _which(knowledge_base_id, wanted)
            return session.scalar(select(func.count()).select_from(CallRow).where(*which)) or 0

    def queue(self, knowledge_base_id: str, wanted: ReviewFilter, limit: int, offset: int) -> list[Reviewed]:
        """Calls of a knowledge base: thumbs down first, then those with withheld sentences, then the rest in an order
        that has nothing to do with what was asked, so that its beginning is a sample."""
        which = _which(knowledge_base_id, wanted)
        urgency = case((CallRow.verdict == "down", 0), (CallRow.withheld > 0, 1), else_=2)
        recent = case((urgency < 2, CallRow.asked_at), else_=None)
        order = (urgency, recent.desc(), CallRow.id)
        with self._sessions() as session:
            rows = session.scalars(select(CallRow).where(*which).order_by(*order).limit(limit).offset(offset))
            return [_reviewed(row) for row in rows]

    def get(self, call_id: str) -> Reviewed:
        """Raises `CallNotFound`."""
        with self._sessions() as session:
            return _reviewed(_readable(session, call_id))

    def label(self, call_id: str, key_id: str, labelled: Labelled | None) -> Reviewed:
        """Keeps what a reviewer says, or forgets it; raises `CallNotFound`."""
        with self._sessions.begin() as session:
            row = _readable(session, call_id)
            row.label = None if labelled is None else labelled.label
            row.note = None if labelled is None else labelled.note
            row.labelled_by = None if labelled is None else key_id
            row.labelled_at = None if labelled is None else now()
            return _reviewed(row)

    def rate(self, call_id: str, key_id: str, feedback: Feedback | None) -> None:
        """Keeps what the asker thinks, or forgets it; to any other key the call is not there: `CallNotFound`.

        A comment is kept only where the question was.
        """
        with self._sessions.begin() as session:
            row = session.scalars(_visible(call_id).where(CallRow.key_id == key_id)).one_or_none()
            if row is None:
                raise CallNotFound(ref=call_id[:60])
            keep_verdict(row, feedback)


def _visible(call_id: str) -> Select[CallRow]:
    """A call of a knowledge base that is there."""
    return in_living_bases(CallRow).where(CallRow.id == call_id)


def _readable(session: Session, call_id: str) -> CallRow:
    row = session.scalars(_visible(call_id).where(CallRow.question.is_not(None))).one_or_none()
    if row is None:
        raise CallNotFound(ref=call_id[:60])
    return row


def _which(knowledge_base_id: str, wanted: ReviewFilter) -> list[ColumnElement[bool]]:
    which: list[Any] = [CallRow.knowledge_base_id == knowledge_base_id, CallRow.question.is_not(None)]
    if wanted.labelled is not None:
        which.append(CallRow.label.is_not(None) if wanted.labelled else CallRow.label.is_(None))
    if wanted.label is not None:
        which.append(CallRow.label == wanted.label)
    if wanted.outcome is not None:
        which.append(CallRow.outcome == wanted.outcome)
    return which


def _reviewed(row: CallRow) -> Reviewed:
    return Reviewed(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        question=row.question or "",
        answer=answer_of(row.answer),
        asked_at=row.asked_at,
        channel=Channel(row.channel),
        outcome=CallOutcome(row.outcome),
        withheld=row.withheld,
        feedback=None if row.verdict is None else Feedback(verdict_of(row.verdict), row.comment),
        labelled=None if row.label is None else Labelled(Label(row.label), row.note),
        labelled_at=row.labelled_at,
    )
