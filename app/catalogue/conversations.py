"""Conversations: what each key has asked of a knowledge base, what came of it, and what was thought of that."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import TypeAdapter
from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.kept_answers import answer_of, kept
from app.catalogue.living import in_living_bases
from app.catalogue.tables import CallRow, ConversationRow, KnowledgeBaseRow, TurnRow, now
from app.errors import ConversationFull, ConversationNotFound, KnowledgeBaseNotFound, TurnNotFound
from app.types import Answer, SearchResult, TurnState

MAX_TITLE = 120

Verdict = Literal["up", "down"]

_results: TypeAdapter[SearchResult] = TypeAdapter(SearchResult)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation of a key with a knowledge base; `title` is its first question, "" before that."""

    id: str
    knowledge_base_id: str
    title: str
    created_at: datetime
    updated_at: datetime
    turns: int = 0


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the asker thinks of an answer."""

    verdict: Verdict
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a turn ended. `written` is what the model had written, unchecked, where no answer was made of it."""

    state: TurnState
    answer: Answer | None = None
    sources: SearchResult | None = None
    written: str = ""
    error_code: str | None = None
    error_params: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation and what came of it; `standalone` is what was searched for in its place."""

    id: str
    conversation_id: str
    knowledge_base_id: str
    question: str
    standalone: str | None
    asked_at: datetime
    state: TurnState
    answer: Answer | None
    sources: SearchResult | None
    written: str
    error_code: str | None
    error_params: dict[str, Any]
    feedback: Feedback | None

    @property
    def asked(self) -> str:
        """The question as it stands alone."""
        return self.standalone or self.question


@dataclass(frozen=True, slots=True)
class History:
    """What is kept: conversations of a key with a knowledge base, of which the oldest goes, and turns of one."""

    conversations: int
    turns: int


class Conversations:
    """Keeps conversations. Every call names the key whose they must be: to any other they are not there.

    What was answered stays as it was, also when its documents change or go; a knowledge base takes its conversations
    with it.
    """

    def __init__(self, sessions: Sessions, history: History, process_id: str | None = None) -> None:
        self._sessions = sessions
        self._history = history
        self._process_id = process_id

    # --- conversations ------------------------------------------------------------------------------------------------

    def create(self, knowledge_base_id: str, key_id: str) -> Conversation:
        """A new one without turns; raises `KnowledgeBaseNotFound`."""
        row = ConversationRow(
            id=f"con-{secrets.token_hex(8)}", knowledge_base_id=knowledge_base_id, key_id=key_id, title=""
        )
        row.created_at = row.updated_at = now()
        with self._sessions.begin() as session:
            base = session.get(KnowledgeBaseRow, knowledge_base_id)
            if base is None or base.deleting:
                raise KnowledgeBaseNotFound(ref=knowledge_base_id[:60])
            session.add(row)
            session.flush()
            mine = (ConversationRow.knowledge_base_id == knowledge_base_id) & (ConversationRow.key_id == key_id)
            order = (ConversationRow.updated_at.desc(), ConversationRow.created_at.desc())
            newest = select(ConversationRow.id).where(mine).order_by(*order).limit(self._history.conversations)
            session.execute(
                delete(ConversationRow).where(mine, ConversationRow.id.not_in(newest), ConversationRow.id != row.id)
            )
            return _conversation(row, 0)

    def get(self, conversation_id: str, key_id: str) -> Conversation:
        """Raises `ConversationNotFound`."""
        with self._sessions() as session:
            row = _own(session, conversation_id, key_id)
            return _conversation(row, _count(session, row.id))

    def list(self, knowledge_base_id: str, key_id: str, limit: int, offset: int) -> list[Conversation]:
        """Conversations of this key with the knowledge base, the last used first."""
        count = select(func.count()).where(TurnRow.conversation_id == ConversationRow.id).scalar_subquery()
        query = (
            select(ConversationRow, count)
            .where(ConversationRow.knowledge_base_id == knowledge_base_id, ConversationRow.key_id == key_id)
            .order_by(ConversationRow.updated_at.desc(), ConversationRow.created_at.desc(), ConversationRow.id)
        )
        with self._sessions() as session:
            return [_conversation(row, turns) for row, turns in session.execute(query.limit(limit).offset(offset))]

    def remove(self, conversation_id: str, key_id: str) -> None:
        """Removes it with its turns; raises `ConversationNotFound`."""
        with self._sessions.begin() as session:
            session.delete(_own(session, conversation_id, key_id))

    def remove_older(self, days: float) -> int:
        """Removes those not used for so long, whose ever they are; returns how many there were."""
        with self._sessions.begin() as session:
            old = delete(ConversationRow).where(ConversationRow.updated_at < now() - timedelta(days=days))
            return len(session.scalars(old.returning(ConversationRow.id)).all())

    # --- turns --------------------------------------------------------------------------------------------------------

    def turns(self, conversation_id: str, key_id: str, last: int | None = None) -> tuple[Turn, ...]:
        """The turns in order, or the last of them; raises `ConversationNotFound`."""
        with self._sessions() as session:
            base_id = _own(session, conversation_id, key_id).knowledge_base_id
            query = select(TurnRow).where(TurnRow.conversation_id == conversation_id).order_by(TurnRow.number.desc())
            rows = list(session.scalars(query if last is None else query.limit(last)))
            return tuple(_turn(row, base_id) for row in reversed(rows))

    def turn(self, turn_id: str, key_id: str) -> Turn:
        """Raises `TurnNotFound`."""
        with self._sessions() as session:
            return _turn(*_own_turn(session, turn_id, key_id))

    def begin(self, conversation_id: str, key_id: str, question: str) -> Turn:
        """A new turn that is being answered; raises `ConversationNotFound`, `ConversationFull`."""
        with self._sessions.begin() as session:
            conversation = _own(session, conversation_id, key_id)
            number = session.scalar(select(func.max(TurnRow.number)).where(TurnRow.conversation_id == conversation_id))
            if (number or 0) >= self._history.turns:
                raise ConversationFull(limit=self._history.turns)
            row = TurnRow(
                id=f"turn-{secrets.token_hex(8)}",
                conversation_id=conversation_id,
                number=(number or 0) + 1,
                question=question,
                state=TurnState.RUNNING,
                asked_at=now(),
                written="",
                error_params={},
                process_id=self._process_id,
            )
            session.add(row)
            conversation.title = conversation.title or " ".join(question.split())[:MAX_TITLE]
            conversation.updated_at = row.asked_at
            session.flush()
            return _turn(row, conversation.knowledge_base_id)

    def rewrite(self, turn_id: str, standalone: str) -> None:
        """Notes what is searched for in place of the question."""
        with self._sessions.begin() as session:
            session.execute(update(TurnRow).where(TurnRow.id == turn_id).values(standalone=standalone))

    def end(self, turn_id: str, outcome: Outcome) -> None:
        """Keeps how a turn ended; nothing where it was removed meanwhile."""
        values = {
            "state": outcome.state,
            "answer": None if outcome.answer is None else kept(outcome.answer),
            "sources": None if outcome.sources is None else _results.dump_json(outcome.sources).decode(),
            "written": outcome.written,
            "error_code": outcome.error_code,
            "error_params": outcome.error_params or {},
            "promotion_id": None if outcome.answer is None else outcome.answer.promotion,
            "adapter_id": None if outcome.answer is None else outcome.answer.adapter,
        }
        with self._sessions.begin() as session:
            session.execute(
                update(TurnRow).where(TurnRow.id == turn_id, TurnRow.state == TurnState.RUNNING).values(**values)
            )

    def stop_running(self, living: Collection[str] = ()) -> None:
        """What a process has left that does not live any more is `stopped`; a server that starts alone has no turn."""
        left = TurnRow.process_id.is_(None) | TurnRow.process_id.not_in(living)
        with self._sessions.begin() as session:
            session.execute(
                update(TurnRow).where(TurnRow.state == TurnState.RUNNING, left).values(state=TurnState.STOPPED)
            )

    def rate(self, turn_id: str, key_id: str, feedback: Feedback | None) -> None:
        """Keeps what the asker thinks of the answer, with its call too, or forgets it; raises `TurnNotFound`."""
        with self._sessions.begin() as session:
            row, _ = _own_turn(session, turn_id, key_id)
            row.verdict = None if feedback is None else feedback.verdict
            row.comment = None if feedback is None else feedback.comment
            row.rated_at = None if feedback is None else now()
            answer = answer_of(row.answer)
            recorded = None if answer is None else answer.call_id
            call = None if recorded is None else session.get(CallRow, recorded)
            if call is not None:
                keep_verdict(call, feedback)


def keep_verdict(row: CallRow, feedback: Feedback | None) -> None:
    """The asker's verdict on a call; a comment only where the question was kept."""
    row.verdict = None if feedback is None else feedback.verdict
    row.comment = None if feedback is None or row.question is None else feedback.comment


def _visible(key_id: str) -> Select[ConversationRow]:
    """Conversations of this key with knowledge bases that are there."""
    return in_living_bases(ConversationRow).where(ConversationRow.key_id == key_id)


def _own(session: Session, conversation_id: str, key_id: str) -> ConversationRow:
    row = session.scalars(_visible(key_id).where(ConversationRow.id == conversation_id)).one_or_none()
    if row is None:
        raise ConversationNotFound(ref=conversation_id[:60])
    return row


def _own_turn(session: Session, turn_id: str, key_id: str) -> tuple[TurnRow, str]:
    row = session.get(TurnRow, turn_id)
    owner = None if row is None else _visible(key_id).where(ConversationRow.id == row.conversation_id)
    conversation = None if owner is None else session.scalars(owner).one_or_none()
    if row is None or conversation is None:
        raise TurnNotFound(ref=turn_id[:60])
    return row, conversation.knowledge_base_id


def _count(session: Session, conversation_id: str) -> int:
    mine = TurnRow.conversation_id == conversation_id
    return session.scalar(select(func.count()).select_from(TurnRow).where(mine)) or 0


def _conversation(row: ConversationRow, turns: int) -> Conversation:
    return Conversation(row.id, row.knowledge_base_id, row.title, row.created_at, row.updated_at, turns)


def _turn(row: TurnRow, knowledge_base_id: str) -> Turn:
    return Turn(
        id=row.id,
        conversation_id=row.conversation_id,
        knowledge_base_id=knowledge_base_id,
        question=row.question,
        standalone=row.standalone,
        asked_at=row.asked_at,
        state=TurnState(row.state),
        answer=answer_of(row.answer),
        sources=None if row.sources is None else _results.validate_json(row.sources),
        written=row.written,
        error_code=row.error_code,
        error_params=row.error_params,
        feedback=None if row.verdict is None else Feedback(verdict_of(row.verdict), row.comment),
    )


def verdict_of(stored: str) -> Verdict:
    return "up" if stored == "up" else "down"
