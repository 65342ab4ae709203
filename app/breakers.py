"""Breakers: a part that has failed several times in a row is left alone for a while, and what asks it told at once.

The libraries for this keep their times by the wall clock, so that one that is set back holds a breaker open, and let
everybody in once the pause is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from app.errors import ManualqaError

log = structlog.get_logger(__name__)


class Breaker:
    """Counts the failures of one part; `failures` in a row open it, and a success closes it.

    While it is open, calls end at once with its last failure, but for a trial: the first call after `seconds`.
    If that fails, the pause begins anew. A trial that has no end after `seconds` more keeps no other from being made.
    May be used by several threads. `clock` gives seconds and never goes back.
    """

    def __init__(self, part: str, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.part = part
        self._most = failures
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._fault: ManualqaError | None = None
        self._next_trial = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the part counts as away."""
        return self._fault is not None

    @property
    def fault(self) -> ManualqaError | None:
        """What calls end with at this moment; None where one would be let through."""
        with self._lock:
            return self._held_back()

    def require_there(self) -> None:
        """Raises what a call would end with now."""
        fault = self.fault
        if fault is not None:
            raise _again(fault)

    def enter(self) -> None:
        """Lets a call through, after which `succeeded`, `failed` or `left` has to follow; raises what the part did."""
        with self._lock:
            fault = self._held_back()
            if fault is not None:
                raise _again(fault)
            if self._fault is not None:
                self._next_trial = self._clock() + self._seconds

    def succeeded(self) -> None:
        """The part has done what it was asked for."""
        with self._lock:
            closed, self._failures, self._fault = self._fault is not None, 0, None
        if closed:
            log.info("breaker_closed", part=self.part)

    def failed(self, error: ManualqaError) -> None:
        """The part has not done it."""
        with self._lock:
            self._failures += 1
            if self._failures < self._most:
                return
            opened, self._fault = self._fault is None, error
            self._next_trial = self._clock() + self._seconds
        if opened:
            log.warning("breaker_opened", part=self.part, code=error.code(), detail=error.detail)

    def left(self) -> None:
        """The call ended for a reason that says nothing of the part; if it was the trial, the next one is."""
        with self._lock:
            self._next_trial = min(self._next_trial, self._clock())

    @contextmanager
    def guarding(self, kind: type[ManualqaError]) -> Iterator[None]:
        """The block is a call, and an error of this kind a failure of the part."""
        self.enter()
        try:
            yield
        except kind as error:
            self.failed(error)
            raise
        except BaseException:
            self.left()
            raise
        self.succeeded()

    def _held_back(self) -> ManualqaError | None:
        return self._fault if self._fault is not None and self._clock() < self._next_trial else None


@dataclass(frozen=True, slots=True)
class Watched:
    """A part on a server; an error of `kind` may mean that it is away, which `ask` tells, a call it always serves."""

    breaker: Breaker
    kind: type[ManualqaError]
    ask: Callable[[], object]

    def require_there(self) -> None:
        """Raises what the part was away with last; asks it, where its breaker is open and a trial is due."""
        if self.breaker.is_open:
            self._try()

    def is_away(self, error: ManualqaError) -> bool:
        """Whether this error came of the part's being away, and not of what it was asked for."""
        if not isinstance(error, self.kind):
            return False
        try:
            self._try()
        except self.kind:
            return True
        return False

    def _try(self) -> None:
        with self.breaker.guarding(self.kind):
            self.ask()


class PartAwayError(Exception):
    """What is done needs a part that is away: it is to wait for that, which is nobody's fault."""


def _again(fault: ManualqaError) -> ManualqaError:
    return type(fault)(fault.detail, **fault.params)
