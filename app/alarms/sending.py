"""Sends the notices that wait, each on its way, until it has arrived or was tried often enough."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

import structlog

from app.alarms.messages import TEST, Message
from app.alarms.rules import Happening, Rule
from app.catalogue.alarms import Alarm, Alarms, Notice
from app.catalogue.tables import now
from app.errors import NoticeNotDelivered

log = structlog.get_logger(__name__)

WAITS: Final = (15.0, 60.0, 240.0, 960.0, 3600.0, 3600.0)
"""Seconds from each try to the next; a notice that the sixth does not deliver either is failed."""


class Way(Protocol):
    """A way on which notices go out. `send` returns once a message was taken and raises `NoticeNotDelivered`; within a
    bounded time. The same message may be sent again after a crash, under the same id."""

    @property
    def name(self) -> Literal["webhook", "mail"]: ...

    def send(self, message: Message) -> None: ...


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a test on one way; `reason` is None where it arrived."""

    way: str
    reason: str | None


class Sender:
    """Each notice is sent by one process: whoever has taken it is the only one until its next try is due."""

    def __init__(
        self, alarms: Alarms, ways: Sequence[Way], waits: Sequence[float] = WAITS, page: str | None = None
    ) -> None:
        self._alarms = alarms
        self._ways: dict[str, Way] = {way.name: way for way in ways}
        self._waits = waits
        self._page = page

    @property
    def names(self) -> list[str]:
        """Those of the ways that there are."""
        return list(self._ways)

    def send_due(self, most: int = 100) -> int:
        """Sends what is due now; how many were tried."""
        for tried in range(most):
            taken = self._alarms.take(self.names, now(), self._waits) if self._ways else None
            if taken is None:
                return tried
            self._send(*taken)
        return most

    def test(self) -> list[Tried]:
        """Sends a notice that says it is a test on every way."""
        message = Message(f"notice-{secrets.token_hex(8)}", TEST, now(), page=self._page)
        return [Tried(name, self._reason(way, message)) for name, way in self._ways.items()]

    def _send(self, notice: Notice, alarm: Alarm) -> None:
        reason = self._reason(self._ways[notice.way], self._message(notice, alarm, now()))
        if reason is None:
            self._alarms.sent(notice, now())
            log.info("notice_sent", notice_id=notice.id, way=notice.way, tries=notice.tries)
            return
        again = notice.tries < len(self._waits)
        self._alarms.not_sent(notice, reason, again=again)
        facts = {"notice_id": notice.id, "way": notice.way, "tries": notice.tries}
        log.warning("notice_not_sent", reason=reason, again=again, **facts)

    @staticmethod
    def _reason(way: Way, message: Message) -> str | None:
        try:
            way.send(message)
        except NoticeNotDelivered as error:
            return str(error.params["reason"])
        return None

    def _message(self, notice: Notice, alarm: Alarm, at: datetime) -> Message:
        return Message(
            id=notice.id,
            happening=Happening(notice.happening),
            at=at,
            alarm_id=alarm.id,
            rule=Rule(alarm.rule),
            figure=notice.figure,
            limit=alarm.limit,
            fired_at=alarm.fired_at,
            page=self._page,
        )
