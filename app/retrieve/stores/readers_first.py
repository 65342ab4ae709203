"""Who goes first to a store whose lock is not fair: those who read."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 0.05
"""Longest that a writer stands aside at a time, so that readers without end do not stop it."""
_BETWEEN_SECONDS = 0.005
"""Between two reads of one search."""
_ASKED_SECONDS = 1.0


class ReadersFirst:
    """Readers do not wait for each other; a writer stands aside for them between two pieces of its work.

    Without it a writer that lets go of a lock and takes it again at once goes first, however long others have waited.
    """

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience = patience_seconds
        self._changed = threading.Condition()
        self._readers = 0
        self._last = float("-inf")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """The block reads."""
        with self._changed:
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._last = time.monotonic()
                self._changed.notify_all()

    @property
    def were_here(self) -> bool:
        """Whether somebody reads or has just read: then a writer's pieces had better be small."""
        return self._readers > 0 or time.monotonic() - self._last < _ASKED_SECONDS

    def stand_aside(self) -> None:
        """Waits until nobody reads, nor is about to read on, for as long as a writer has patience."""
        end = time.monotonic() + self._patience
        with self._changed:
            while (left := end - time.monotonic()) > 0:
                if self._readers:
                    self._changed.wait(left)
                elif (since := time.monotonic() - self._last) < _BETWEEN_SECONDS:
                    self._changed.wait(min(left, _BETWEEN_SECONDS - since))
                else:
                    return
