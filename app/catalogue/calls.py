"""Calls: every question that was asked, what it got and how long that took."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from app.catalogue.database import Sessions
from app.catalogue.kept_answers import kept
from app.catalogue.tables import CallRow, now
from app.types import Answer, CallOutcome, Channel

_REMOVED_AT_ONCE = 1000
"""So that the write lock is held for some milliseconds only."""


def new_call_id() -> str:
    """An id that nobody can guess."""
    return f"call-{secrets.token_hex(8)}"


@dataclass(frozen=True, slots=True)
class Call:
    """One question and what it got; `sentences` and `withheld` count those of the model's text, times are seconds.

    `reason` is why it was refused, or the code of an error.
    """

    id: str
    knowledge_base_id: str
    key_id: str
    channel: Channel
    question: str
    outcome: CallOutcome
    total_seconds: float
    reason: str | None = None
    answer: Answer | None = None
    sources_seconds: float | None = None
    asked_at: datetime = field(default_factory=now)

    @property
    def withheld(self) -> int:
        """Sentences of the model that nothing carried."""
        return 0 if self.answer is None else len(self.answer.withheld)

    @property
    def sentences(self) -> int:
        """All sentences that the model wrote."""
        if self.answer is None or self.outcome is CallOutcome.EXTRACTED:
            return 0
        return self.withheld + (0 if self.answer.refused else sum(s.grounded for s in self.answer.sentences))


class Calls:
    """Keeps calls; a knowledge base takes its own with it. Without `keep_questions` no text of them is kept."""

    def __init__(self, sessions: Sessions, *, keep_questions: bool) -> None:
        self._sessions = sessions
        self._keep_questions = keep_questions

    def add(self, call: Call) -> bool:
        """Keeps it; False where its knowledge base has gone meanwhile."""
        try:
            with self._sessions.begin() as session:
                session.add(self._row(call))
        except IntegrityError:
            return False
        return True

    def remove_older(self, days: float) -> int:
        """Removes those asked longer ago; returns how many there were."""
        removed = 0
        while True:
            with self._sessions.begin() as session:
                old = select(CallRow.id).where(CallRow.asked_at < now() - timedelta(days=days)).limit(_REMOVED_AT_ONCE)
                ids = list(session.scalars(old))
                session.execute(delete(CallRow).where(CallRow.id.in_(ids)))
            removed += len(ids)
            if len(ids) < _REMOVED_AT_ONCE:
                return removed

    def _row(self, call: Call) -> CallRow:
        row = CallRow(
            id=call.id,
            knowledge_base_id=call.knowledge_base_id,
            key_id=call.key_id,
            channel=call.channel,
            asked_at=call.asked_at,
            outcome=call.outcome,
            reason=call.reason,
            sources_seconds=call.sources_seconds,
            total_seconds=call.total_seconds,
            sentences=call.sentences,
            withheld=call.withheld,
        )
        if self._keep_questions:
            row.question = call.question
        if call.answer is not None:
            answer = call.answer
            row.model, row.adapter_id, row.promotion_id = answer.model, answer.adapter, answer.promotion
            row.first_token_seconds = answer.timings.first_token
            row.prompt_tokens, row.completion_tokens = answer.prompt_tokens, answer.completion_tokens
            if self._keep_questions:
                row.answer = kept(answer)
        return row
