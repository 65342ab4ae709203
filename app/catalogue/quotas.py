"""How many questions a key has asked in a day, counted in the catalogue: for all processes, and over restarts."""

from __future__ import annotations

import math
from datetime import datetime, time, timedelta

from sqlalchemy import delete, select, update

from app.catalogue.database import Sessions
from app.catalogue.records import Key
from app.catalogue.tables import KeyDayRow, now
from app.errors import QuotaSpent

_KEPT = 31
"""Days of a key whose counts stay: not so long, since a clock that jumps ahead would make all of them old."""


class Quotas:
    """A day is one of UTC. Each has its own count, so that a clock that jumps and comes back finds the right one."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def count(self, key: Key, questions: int = 1) -> None:
        """So many questions more of this key; raises `QuotaSpent`, and counts none, where not all are left."""
        limit = key.questions_per_day
        if limit is None:
            return
        moment = now()
        day = moment.date().isoformat()
        with self._sessions.begin() as session:
            row = session.get(KeyDayRow, (key.id, day))
            asked = 0 if row is None else row.questions
            if asked + questions > limit:
                raise QuotaSpent(limit=limit, left=max(0, limit - asked), retry_after=_seconds_left(moment))
            if row is None:
                days = select(KeyDayRow.day).where(KeyDayRow.key_id == key.id)
                kept = days.order_by(KeyDayRow.day.desc()).limit(_KEPT)
                session.execute(delete(KeyDayRow).where(KeyDayRow.key_id == key.id, KeyDayRow.day.not_in(kept)))
                session.add(KeyDayRow(key_id=key.id, day=day, questions=questions))
            else:
                this = (KeyDayRow.key_id == key.id) & (KeyDayRow.day == day)
                session.execute(update(KeyDayRow).where(this).values(questions=asked + questions))


def _seconds_left(moment: datetime) -> int:
    """Until midnight."""
    midnight = datetime.combine(moment.date() + timedelta(days=1), time(), moment.tzinfo)
    return max(1, math.ceil((midnight - moment).total_seconds()))
