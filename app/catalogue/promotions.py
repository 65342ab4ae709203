"""What answers the questions of each knowledge base, from when to when, why, and what askers thought of it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.living import in_living_bases
from app.catalogue.tables import AdapterRow, KnowledgeBaseRow, PromotionRow, TurnRow, now
from app.errors import AdapterNotFound, AdapterRetired, KnowledgeBaseNotFound, NothingToRollBack
from app.types import AdapterState, TurnState

WHOLE: Final = 100
_FINE: Final = 100
"""Draws between two percent."""


class PromotionKind(StrEnum):
    """Whether something was put to use, or what had been before was taken up again."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class NewPromotion:
    """An adapter that is to get `share` percent of the questions; see `PromotionRow`."""

    knowledge_base_id: str
    adapter_id: str
    share: int
    by: str
    forced: bool = False
    reason: str = ""
    proof: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What answers from a moment on: `adapter_id` gets `share` percent, `previous_id` the rest; None is the base."""

    id: str
    knowledge_base_id: str
    number: int
    adapter_id: str | None
    previous_id: str | None
    share: int
    kind: PromotionKind
    forced: bool
    reason: str
    proof: dict[str, Any]
    by: str
    created_at: datetime

    def pick(self, text: str, asker: str) -> str | None:
        """The adapter that a question gets, None for the base model; the same question of the same asker the same."""
        if self.share >= WHOLE:
            return self.adapter_id
        digest = sha256(f"{self.id}\0{asker}\0{text.strip()}".encode()).digest()
        draw = int.from_bytes(digest[:8]) % (WHOLE * _FINE)
        return self.adapter_id if draw < self.share * _FINE else self.previous_id

    def adapters(self) -> frozenset[str]:
        """The adapters that get questions."""
        both = (self.adapter_id, self.previous_id if self.share < WHOLE else None)
        return frozenset(adapter for adapter in both if adapter is not None)


@dataclass(frozen=True, slots=True)
class Arm:
    """What came of a promotion's questions with one adapter, or with the base model (None), in conversations."""

    promotion_id: str
    adapter_id: str | None
    answers: int
    up: int
    down: int


class Promotions:
    """Rows of promotions, which are never changed: each write adds one, and the last of a knowledge base counts."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def present(self, knowledge_base_id: str) -> Promotion | None:
        """What answers now; None where it has always been the base model."""
        with self._sessions() as session:
            row = _last(session, knowledge_base_id)
            return None if row is None else _record(row)

    def history(self, knowledge_base_id: str, limit: int = 100, offset: int = 0) -> list[Promotion]:
        """Promotions and what took them back, newest first."""
        query = select(PromotionRow).where(PromotionRow.knowledge_base_id == knowledge_base_id)
        with self._sessions() as session:
            rows = session.scalars(query.order_by(PromotionRow.number.desc()).limit(limit).offset(offset))
            return [_record(row) for row in rows]

    def arms(self, promotion_ids: Sequence[str]) -> list[Arm]:
        """What came of the questions of these promotions, by adapter; none where nothing was asked."""
        counts = (
            func.count(),
            func.count().filter(TurnRow.verdict == "up"),
            func.count().filter(TurnRow.verdict == "down"),
        )
        query = (
            select(TurnRow.promotion_id, TurnRow.adapter_id, *counts)
            .where(TurnRow.promotion_id.in_(promotion_ids), TurnRow.state == TurnState.ANSWERED)
            .group_by(TurnRow.promotion_id, TurnRow.adapter_id)
            .order_by(TurnRow.promotion_id, TurnRow.adapter_id)
        )
        with self._sessions() as session:
            return [Arm(str(row[0]), row[1], row[2], row[3], row[4]) for row in session.execute(query)]

    def answering(self) -> set[str]:
        """The adapters that get questions of any knowledge base now; they are not to be unloaded."""
        with self._sessions() as session:
            return answering_adapters(session)

    def promote(self, new: NewPromotion) -> Promotion:
        """From now on the adapter answers its share; raises `KnowledgeBaseNotFound`, `AdapterNotFound`,
        `AdapterRetired`.

        The rest goes to what answered alone before: to the base model, or the adapter that had all questions.
        """
        with self._sessions.begin() as session:
            _require_base(session, new.knowledge_base_id)
            _require_usable(session, new.adapter_id)
            last = _last(session, new.knowledge_base_id)
            row = PromotionRow(
                id=f"pro-{secrets.token_hex(8)}",
                knowledge_base_id=new.knowledge_base_id,
                number=1 if last is None else last.number + 1,
                adapter_id=new.adapter_id,
                previous_id=None if last is None else _other_arm(last, new.adapter_id),
                share=new.share,
                kind=PromotionKind.PROMOTE,
                forced=new.forced,
                reason=new.reason,
                proof=new.proof,
                by=new.by,
                created_at=now(),
            )
            session.add(row)
            session.flush()
            return _record(row)

    def roll_back(self, knowledge_base_id: str, by: str, reason: str) -> Promotion:
        """Takes up what was before the present promotion, and before that the next time; at last the base model.

        What has been retired meanwhile is passed over. Raises `KnowledgeBaseNotFound`, `NothingToRollBack`.
        """
        with self._sessions.begin() as session:
            _require_base(session, knowledge_base_id)
            standing = _standing(session, knowledge_base_id)
            last = _last(session, knowledge_base_id)
            if not standing or last is None:
                raise NothingToRollBack(ref=knowledge_base_id)
            before = standing[:-1]
            while before and not _is_usable(session, before[-1]):
                before.pop()
            target = before[-1] if before else None
            row = PromotionRow(
                id=f"pro-{secrets.token_hex(8)}",
                knowledge_base_id=knowledge_base_id,
                number=last.number + 1,
                adapter_id=None if target is None else target.adapter_id,
                previous_id=None if target is None else target.previous_id,
                share=WHOLE if target is None else target.share,
                kind=PromotionKind.ROLLBACK,
                forced=False,
                reason=reason,
                proof={"undone": len(standing) - len(before), "to": None if target is None else target.id},
                by=by,
                created_at=now(),
            )
            session.add(row)
            session.flush()
            made = _record(row)
            for adapter in session.scalars(select(AdapterRow).where(AdapterRow.id.in_(made.adapters()))):
                adapter.hosted, adapter.used_at = True, now()
            return made


def answering_adapters(session: Session) -> set[str]:
    """The adapters that get questions of a knowledge base which is there."""
    last = (
        select(PromotionRow.knowledge_base_id, func.max(PromotionRow.number).label("number"))
        .group_by(PromotionRow.knowledge_base_id)
        .subquery()
    )
    present = (PromotionRow.knowledge_base_id == last.c.knowledge_base_id) & (PromotionRow.number == last.c.number)
    query = in_living_bases(PromotionRow).join(last, present)
    return {adapter for row in session.scalars(query) for adapter in _record(row).adapters()}


def _last(session: Session, knowledge_base_id: str) -> PromotionRow | None:
    query = select(PromotionRow).where(PromotionRow.knowledge_base_id == knowledge_base_id)
    return session.scalars(query.order_by(PromotionRow.number.desc()).limit(1)).one_or_none()


def _standing(session: Session, knowledge_base_id: str) -> list[PromotionRow]:
    """The promotions that have not been taken back, oldest first."""
    query = select(PromotionRow).where(PromotionRow.knowledge_base_id == knowledge_base_id)
    standing: list[PromotionRow] = []
    for row in session.scalars(query.order_by(PromotionRow.number)):
        if row.kind == PromotionKind.PROMOTE:
            standing.append(row)
        else:
            del standing[len(standing) - int(row.proof["undone"]) :]
    return standing


def _other_arm(last: PromotionRow, adapter_id: str) -> str | None:
    """What answered alone before, and not the adapter itself, whose share changes."""
    return last.previous_id if last.share < WHOLE or last.adapter_id == adapter_id else last.adapter_id


def _is_usable(session: Session, row: PromotionRow) -> bool:
    found = session.scalars(select(AdapterRow).where(AdapterRow.id.in_(_record(row).adapters())))
    return all(adapter.state != AdapterState.RETIRED for adapter in found)


def _require_usable(session: Session, adapter_id: str) -> None:
    row = session.get(AdapterRow, adapter_id)
    if row is None:
        raise AdapterNotFound(ref=adapter_id[:60])
    if row.state == AdapterState.RETIRED:
        raise AdapterRetired(ref=adapter_id)


def _require_base(session: Session, knowledge_base_id: str) -> None:
    row = session.get(KnowledgeBaseRow, knowledge_base_id)
    if row is None or row.deleting:
        raise KnowledgeBaseNotFound(ref=knowledge_base_id[:60])


def _record(row: PromotionRow) -> Promotion:
    return Promotion(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        number=row.number,
        adapter_id=row.adapter_id,
        previous_id=row.previous_id,
        share=row.share,
        kind=PromotionKind(row.kind),
        forced=row.forced,
        reason=row.reason,
        proof=row.proof,
        by=row.by,
        created_at=row.created_at,
    )
