"""Lanes: queues of documents by size, and one of rebuilds, in each of which a worker does one step at a time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.ingest.durable import Stopping

LANES = (("documents-small", 1_000_000), ("documents-medium", 8_000_000), ("documents-large", None))
"""Queues by a file's bytes, each with a worker of its own: a small file never waits for a large one."""
REBUILDS = "rebuilds"

TAKEN_OVER = {lane: f"{lane}-taken-over" for lane in (*(name for name, _ in LANES), REBUILDS)}
"""Where jobs of each lane go whose worker has died, so that they do not wait until others have ended their own."""
TAKEN_OVER_AT_ONCE = 4
"""Of each lane, beside a worker's own: the jobs of as many that die at the same time. It costs threads that wait, since
the lane does one step at a time as before, and what is between two steps of a job is in the database."""

_LOOK_SECONDS = 0.5


def lane_of(size: int) -> str:
    """The lane of a file of so many bytes."""
    return next(name for name, most in LANES if most is None or size <= most)


class Lanes:
    """One at a time in each lane, in the order of their coming; so the steps of several jobs take turns."""

    def __init__(self, is_stopping: Callable[[], bool]) -> None:
        self._is_stopping = is_stopping
        self._changed = threading.Condition()
        self._lines: dict[str, deque[object]] = {}

    @contextmanager
    def place(self, lane: str, waits: Callable[[], None], goes_on: Callable[[float], None]) -> Iterator[None]:
        """Holds the lane. Where it is taken, `waits` is called first, and `goes_on` with the seconds that it took.

        Raises `Stopping` where the server stops meanwhile.
        """
        ticket = object()
        with self._changed:
            line = self._lines.setdefault(lane, deque())
            line.append(ticket)
            at_once = line[0] is ticket
        try:
            if not at_once:
                began = time.monotonic()
                waits()
                self._wait(line, ticket)
                goes_on(time.monotonic() - began)
            yield
        finally:
            with self._changed:
                line.remove(ticket)
                self._changed.notify_all()

    def _wait(self, line: deque[object], ticket: object) -> None:
        with self._changed:
            while not self._changed.wait_for(lambda: line[0] is ticket, _LOOK_SECONDS):
                if self._is_stopping():
                    raise Stopping
