"""Whose turn it is to compute in this process: questions at once, passages when no question is in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from app.one_thread import OneThread

PATIENCE_SECONDS = 1.0
"""Longest that one turn of passages stands aside in all, so that questions without end do not stop an ingest."""

_Result = TypeVar("_Result")


class Turns:
    """Runs work on questions in one thread and work on passages in another, each in the order of asking.

    However many threads ask, no more than these two keep teams of OpenMP threads and buffers. Passages stand aside
    while a question is in, before their turn and wherever their work calls `stand_aside`, for `patience_seconds` a
    turn. What the work raises is raised to its asker. Work must not ask for a turn of its own kind.
    """

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience = patience_seconds
        self._left = 0.0
        self._changed = threading.Condition()
        self._questions = 0
        self._asking = OneThread("questions")
        self._reading = OneThread("passages")

    def question(self, work: Callable[[], _Result]) -> _Result:
        with self._changed:
            self._questions += 1
        try:
            return self._asking.run(work)
        finally:
            with self._changed:
                self._questions -= 1
                self._changed.notify_all()

    def passages(self, work: Callable[[], _Result]) -> _Result:
        def turn() -> _Result:
            self._left = self._patience
            self.stand_aside()
            return work()

        return self._reading.run(turn)

    def stand_aside(self) -> None:
        """Waits, in the passages' thread, while a question is in; returns at once anywhere else."""
        if self._questions == 0 or not self._reading.is_current():
            return
        started = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._questions == 0, self._left)
        self._left = max(0.0, self._left - (time.monotonic() - started))
