"""The alarms of a running server: who looks and who sends, each in a thread of its own, and how all of it stands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.alarms.rules import Limit, Phase, Rule
from app.alarms.sending import Sender, Tried
from app.alarms.watching import Watcher
from app.catalogue.alarms import Alarm, Alarms, RuleState
from app.catalogue.tables import now
from app.settings import Settings

log = structlog.get_logger(__name__)

LOOKS_PER_HOLD: Final = 10
MOST_PAUSE_SECONDS: Final = 20.0
LEAST_PAUSE_SECONDS: Final = 0.1
_STOP_SECONDS: Final = 3.0
"""Longest wait at the end for a delivery under way; what it leaves is sent after the next start."""


def pause_seconds(settings: Settings) -> float:
    """Between two looks: often enough for a rule that has to hold for minutes."""
    return max(LEAST_PAUSE_SECONDS, min(MOST_PAUSE_SECONDS, settings.alarm_minutes * 60 / LOOKS_PER_HOLD))


@dataclass(frozen=True, slots=True)
class WatchedRule:
    """How a rule stands: its limit, None where it is off, and where it was at the last look, None before the first."""

    rule: Rule
    limit: Limit | None
    state: RuleState | None

    @property
    def phase(self) -> Phase:
        return Phase.OK if self.limit is None or self.state is None else Phase(self.state.phase)


class Alarming:
    """Looks and sends from its start on; several processes on one database may do so."""

    def __init__(
        self, alarms: Alarms, watcher: Watcher, sender: Sender, limits: dict[Rule, Limit], pause: float
    ) -> None:
        self._alarms = alarms
        self._watcher = watcher
        self._sender = sender
        self._limits = limits
        self._pause = pause
        self._stopping, self._told = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Looks and sends from now on."""
        for name, work in (("alarms", self._watch), ("notices", self._send)):
            self._threads.append(threading.Thread(target=work, name=name, daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        """What is under way ends, or is taken up after the next start."""
        self._stopping.set()
        self._told.set()
        for thread in self._threads:
            thread.join(_STOP_SECONDS)

    # --- how it stands ------------------------------------------------------------------------------------------------

    @property
    def ways(self) -> Sequence[str]:
        """Those on which notices go out."""
        return self._sender.names

    def standing(self) -> list[WatchedRule]:
        """How every rule stands."""
        states = self._alarms.states()
        return [WatchedRule(rule, self._limits.get(rule), states.get(rule)) for rule in Rule]

    def history(self, limit: int, offset: int = 0) -> list[Alarm]:
        """Alarms with their notices, newest first."""
        return self._alarms.all(limit, offset)

    def test(self) -> list[Tried]:
        """Sends a test on every way, now."""
        return self._sender.test()

    # --- the threads --------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stopping.is_set():
            if self._tried("alarms_not_looked_at", lambda: self._watcher.look(now())):
                self._told.set()
            self._stopping.wait(self._pause)

    def _send(self) -> None:
        """Also what other processes have left, which nobody tells this one of."""
        while not self._stopping.is_set():
            self._tried("notices_not_looked_at", lambda: bool(self._sender.send_due()))
            self._told.wait(self._pause)
            self._told.clear()

    @staticmethod
    def _tried(event: str, work: Callable[[], bool]) -> bool:
        """A database that is away costs a look; whatever else goes wrong must not end the watch."""
        try:
            return work()
        except SQLAlchemyError as error:
            log.warning(event, detail=type(error).__name__)
        except Exception:  # the loop of this thread: the next look may work
            log.exception(event)
        return False
