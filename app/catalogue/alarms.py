"""Alarms in the catalogue: where each rule stands, what has fired, and the notices that go out."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.tables import AlarmNoticeRow, AlarmRow, AlarmStateRow

MOST_KEPT: Final = 1000
"""Alarms; with their notices about 1 kB each."""


class NoticeState(StrEnum):
    """What became of a notice; a failed one is not tried again."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RuleState:
    """Where a rule stands; see `AlarmStateRow`."""

    phase: str
    since: datetime
    checked_at: datetime
    held: float = 0.0
    quiet: float = 0.0
    untold: float = 0.0
    figure: float | None = None
    memory: dict[str, Any] = field(default_factory=dict)
    alarm_id: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice on one way; `reason` is a phrase of ours."""

    id: str
    alarm_id: str
    happening: str
    way: str
    figure: float | None
    state: NoticeState
    tries: int
    reason: str | None
    made_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm from its firing to its recovery, None while it fires."""

    id: str
    rule: str
    limit: float
    figure: float
    last_figure: float | None
    fired_at: datetime
    recovered_at: datetime | None
    notices: tuple[Notice, ...] = ()


class Alarms:
    """Rows of alarms. Who changes them holds the write lock: of several processes each sees what the last has done."""

    def __init__(self, sessions: Sessions, most: int = MOST_KEPT) -> None:
        self._sessions = sessions
        self._most = most

    def states(self) -> dict[str, RuleState]:
        """Where each rule stood when it was last looked at."""
        with self._sessions() as session:
            return {row.rule: _state(row) for row in session.scalars(select(AlarmStateRow))}

    def all(self, limit: int, offset: int = 0) -> list[Alarm]:
        """Alarms with their notices, newest first."""
        query = select(AlarmRow).order_by(AlarmRow.fired_at.desc(), AlarmRow.id).limit(limit).offset(offset)
        with self._sessions() as session:
            rows = list(session.scalars(query))
            notices: dict[str, list[Notice]] = {row.id: [] for row in rows}
            told = select(AlarmNoticeRow).where(AlarmNoticeRow.alarm_id.in_(notices))
            for row in session.scalars(told.order_by(AlarmNoticeRow.number, AlarmNoticeRow.way)):
                notices[row.alarm_id].append(_notice(row))
            return [_alarm(row, notices[row.id]) for row in rows]

    @contextmanager
    def changing(self) -> Iterator[Changing]:
        """What is read and written in the block holds together; it is kept at its end."""
        with self._sessions.begin() as session:
            yield Changing(session, self._most)

    # --- notices on their way -------------------------------------------------------------------------------------

    def take(self, ways: Sequence[str], at: datetime, waits: Sequence[float]) -> tuple[Notice, Alarm] | None:
        """A notice that is due on one of these ways, with its alarm; nobody else gets it before its next try is due.

        `waits` are the seconds to the next try after each; one that has had so many is failed. Those of an alarm go in
        the order in which they were made. A clock that was set back does not hold one up for longer than `waits` do.
        """
        latest = at + timedelta(seconds=max(waits))
        with self._sessions.begin() as session:
            for row in session.scalars(_first_of_each(ways)):
                if at < row.due_at <= latest:
                    continue
                if row.tries >= len(waits):
                    row.state = NoticeState.FAILED
                    continue
                row.due_at = at + timedelta(seconds=waits[row.tries])
                row.tries += 1
                alarm = session.get_one(AlarmRow, row.alarm_id)
                return _notice(row), _alarm(alarm, [])
        return None

    def sent(self, notice: Notice, at: datetime) -> None:
        """It has arrived."""
        values = {"state": NoticeState.SENT, "sent_at": at, "reason": None}
        with self._sessions.begin() as session:
            session.execute(update(AlarmNoticeRow).where(AlarmNoticeRow.id == notice.id).values(**values))

    def not_sent(self, notice: Notice, reason: str, *, again: bool) -> None:
        """It has not, and is tried again or is failed."""
        values: dict[str, Any] = {"reason": reason[:200]}
        if not again:
            values["state"] = NoticeState.FAILED
        with self._sessions.begin() as session:
            session.execute(update(AlarmNoticeRow).where(AlarmNoticeRow.id == notice.id).values(**values))


class Changing:
    """Rows of alarms within one transaction."""

    def __init__(self, session: Session, most: int) -> None:
        self._session = session
        self._most = most

    def state(self, rule: str) -> RuleState | None:
        """Where a rule stands; None where it was never looked at."""
        row = self._session.get(AlarmStateRow, rule)
        return None if row is None else _state(row)

    def put(self, rule: str, state: RuleState) -> None:
        """It stands so from now on."""
        values = {name: getattr(state, name) for name in RuleState.__slots__}
        self._session.merge(AlarmStateRow(rule=rule, **values))

    def rules(self) -> list[str]:
        """All rules that were ever looked at."""
        return list(self._session.scalars(select(AlarmStateRow.rule)))

    def fired(self, rule: str, limit: float, figure: float, at: datetime) -> str:
        """An alarm begins; its id. The oldest that have recovered go where there are too many."""
        alarm_id = f"alarm-{secrets.token_hex(8)}"
        newest = select(AlarmRow.id).order_by(AlarmRow.fired_at.desc()).limit(self._most - 1)
        old = AlarmRow.id.not_in(newest.scalar_subquery()) & AlarmRow.recovered_at.is_not(None)
        self._session.execute(delete(AlarmNoticeRow).where(AlarmNoticeRow.alarm_id.in_(select(AlarmRow.id).where(old))))
        self._session.execute(delete(AlarmRow).where(old))
        self._session.add(AlarmRow(id=alarm_id, rule=rule, limit=limit, figure=figure, last_figure=figure, fired_at=at))
        self._session.flush()
        return alarm_id

    def recovered(self, alarm_id: str, figure: float | None, at: datetime) -> None:
        """It is over."""
        values = {"recovered_at": at, "last_figure": figure}
        self._session.execute(update(AlarmRow).where(AlarmRow.id == alarm_id).values(**values))

    def fired_since(self, rule: str, moment: datetime) -> int:
        """How many alarms of a rule have fired since."""
        query = select(func.count()).select_from(AlarmRow).where(AlarmRow.rule == rule, AlarmRow.fired_at >= moment)
        return self._session.scalar(query) or 0

    def has_waiting(self, alarm_id: str) -> bool:
        """Whether a notice of it is still on its way."""
        waiting = AlarmNoticeRow.state == NoticeState.WAITING
        query = select(AlarmNoticeRow.id).where(AlarmNoticeRow.alarm_id == alarm_id, waiting)
        return self._session.scalar(query.limit(1)) is not None

    def tell(self, alarm_id: str, happening: str, ways: Sequence[str], figure: float | None, at: datetime) -> None:
        """A notice of it goes out on each of these ways."""
        number = func.coalesce(func.max(AlarmNoticeRow.number), 0)
        last = self._session.scalar(select(number).where(AlarmNoticeRow.alarm_id == alarm_id)) or 0
        self._session.add_all(
            AlarmNoticeRow(
                id=f"notice-{secrets.token_hex(8)}",
                alarm_id=alarm_id,
                number=last + 1,
                happening=happening,
                way=way,
                figure=figure,
                state=NoticeState.WAITING,
                made_at=at,
                due_at=at,
            )
            for way in ways
        )


def _first_of_each(ways: Sequence[str]) -> Select[AlarmNoticeRow]:
    """The oldest waiting notice of each alarm on each of these ways, those of the oldest alarms first."""
    waiting = AlarmNoticeRow.state == NoticeState.WAITING, AlarmNoticeRow.way.in_(ways)
    first = (
        select(AlarmNoticeRow.alarm_id, AlarmNoticeRow.way, func.min(AlarmNoticeRow.number).label("number"))
        .where(*waiting)
        .group_by(AlarmNoticeRow.alarm_id, AlarmNoticeRow.way)
        .subquery()
    )
    same = (
        (AlarmNoticeRow.alarm_id == first.c.alarm_id)
        & (AlarmNoticeRow.way == first.c.way)
        & (AlarmNoticeRow.number == first.c.number)
    )
    return select(AlarmNoticeRow).join(first, same).where(*waiting).order_by(AlarmNoticeRow.made_at, AlarmNoticeRow.id)


def _state(row: AlarmStateRow) -> RuleState:
    return RuleState(**{name: getattr(row, name) for name in RuleState.__slots__})


def _notice(row: AlarmNoticeRow) -> Notice:
    values = {name: getattr(row, name) for name in Notice.__slots__}
    return Notice(**{**values, "state": NoticeState(row.state)})


def _alarm(row: AlarmRow, notices: Sequence[Notice]) -> Alarm:
    return Alarm(
        id=row.id,
        rule=row.rule,
        limit=row.limit,
        figure=row.figure,
        last_figure=row.last_figure,
        fired_at=row.fired_at,
        recovered_at=row.recovered_at,
        notices=tuple(notices),
    )
