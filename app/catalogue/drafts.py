"""Drafts: questions with the answers that people expect, made of calls, until they are exported."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.living import in_living_bases
from app.catalogue.scope import count_on_server
from app.catalogue.tables import DraftRow, now
from app.errors import DraftIncomplete, DraftNotFound, DraftsFull, KnowledgeBaseNotFound
from app.types import DraftKind

MOST_DRAFTS = 5000
"""Of a knowledge base; a person has looked at each."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A question and what would be right: `answers` any of which is, at `pages` of `document`, or nothing at all."""

    question: str
    answers: tuple[str, ...] = ()
    answerable: bool = True
    document: str | None = None
    pages: tuple[int, ...] = ()
    quote: str = ""

    def require_whole(self) -> None:
        """Raises `DraftIncomplete` where an evaluation or a training could not take it."""
        pages_without = bool(self.pages) and self.document is None
        if pages_without or self.answerable != bool(self.answers):
            raise DraftIncomplete


@dataclass(frozen=True, slots=True)
class Draft:
    """What a call became; `reviewed` once a person has corrected it."""

    id: str
    knowledge_base_id: str
    call_id: str
    kind: DraftKind
    expected: Expected
    reviewed: bool
    created_at: datetime
    updated_at: datetime


class Drafts:
    """Keeps drafts; a knowledge base takes its own with it."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def add(self, knowledge_base_id: str, call_id: str, kind: DraftKind, expected: Expected) -> tuple[Draft, bool]:
        """The draft of this kind that the call has, and whether it is new.

        Raises `DraftsFull`, `KnowledgeBaseNotFound`.
        """
        try:
            return self._add(knowledge_base_id, call_id, kind, expected)
        except IntegrityError as error:
            there = next((draft for draft in self.of_calls([call_id]) if draft.kind is kind), None)
            if there is None:
                raise KnowledgeBaseNotFound(ref=knowledge_base_id[:60]) from error
            return there, False  # another request was first

    def _add(self, knowledge_base_id: str, call_id: str, kind: DraftKind, expected: Expected) -> tuple[Draft, bool]:
        with self._sessions.begin() as session:
            there = session.scalars(select(DraftRow).where(DraftRow.call_id == call_id, DraftRow.kind == kind)).first()
            if there is not None:
                return _draft(there), False
            mine = DraftRow.knowledge_base_id == knowledge_base_id
            if count_on_server(session, DraftRow, mine) >= MOST_DRAFTS:
                raise DraftsFull(limit=MOST_DRAFTS)
            row = DraftRow(
                id=f"dra-{secrets.token_hex(8)}", knowledge_base_id=knowledge_base_id, call_id=call_id, kind=kind
            )
            row.reviewed, row.created_at = False, now()
            _write(row, expected)
            session.add(row)
            session.flush()
            return _draft(row), True

    def all(self, knowledge_base_id: str, kind: DraftKind | None, limit: int, offset: int) -> list[Draft]:
        """Drafts of a knowledge base, those that wait for a person first, then the newest."""
        query = select(DraftRow).where(DraftRow.knowledge_base_id == knowledge_base_id)
        if kind is not None:
            query = query.where(DraftRow.kind == kind)
        order = (DraftRow.reviewed, DraftRow.created_at.desc(), DraftRow.id)
        with self._sessions() as session:
            return [_draft(row) for row in session.scalars(query.order_by(*order).limit(limit).offset(offset))]

    def reviewed(self, knowledge_base_id: str, kind: DraftKind) -> list[Draft]:
        """All that people have corrected, the oldest first."""
        which = (DraftRow.knowledge_base_id == knowledge_base_id, DraftRow.kind == kind, DraftRow.reviewed.is_(True))
        query = select(DraftRow).where(*which).order_by(DraftRow.created_at, DraftRow.id).limit(MOST_DRAFTS)
        with self._sessions() as session:
            return [_draft(row) for row in session.scalars(query)]

    def of_calls(self, call_ids: list[str]) -> list[Draft]:
        """The drafts of these calls."""
        with self._sessions() as session:
            return [_draft(row) for row in session.scalars(select(DraftRow).where(DraftRow.call_id.in_(call_ids)))]

    def get(self, draft_id: str) -> Draft:
        """Raises `DraftNotFound`."""
        with self._sessions() as session:
            return _draft(_row(session, draft_id))

    def correct(self, draft_id: str, expected: Expected) -> Draft:
        """What a person makes of it, from here on reviewed; raises `DraftNotFound`, `DraftIncomplete`."""
        expected.require_whole()
        with self._sessions.begin() as session:
            row = _row(session, draft_id)
            _write(row, expected)
            row.reviewed = True
            return _draft(row)

    def remove(self, draft_id: str) -> None:
        """Raises `DraftNotFound`."""
        with self._sessions.begin() as session:
            session.delete(_row(session, draft_id))


def _row(session: Session, draft_id: str) -> DraftRow:
    row = session.scalars(in_living_bases(DraftRow).where(DraftRow.id == draft_id)).one_or_none()
    if row is None:
        raise DraftNotFound(ref=draft_id[:60])
    return row


def _write(row: DraftRow, expected: Expected) -> None:
    row.question, row.answerable = expected.question, expected.answerable
    row.answers, row.pages = list(expected.answers), list(expected.pages)
    row.document, row.quote = expected.document, expected.quote
    row.updated_at = now()


def _draft(row: DraftRow) -> Draft:
    expected = Expected(row.question, tuple(row.answers), row.answerable, row.document, tuple(row.pages), row.quote)
    return Draft(
        row.id,
        row.knowledge_base_id,
        row.call_id,
        DraftKind(row.kind),
        expected,
        row.reviewed,
        row.created_at,
        row.updated_at,
    )
