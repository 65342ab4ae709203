"""How long the present context waits for a lock: who asks through the API is told soon, everything else waits on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_HASTY_SECONDS: Final = 5.0
"""Longest wait of a request: somebody sits before it, and its thread is not there for others meanwhile."""
_PATIENT_SECONDS: Final = 30.0

_LATELY_SECONDS: Final = 6.0

_seconds: ContextVar[float] = ContextVar("lock_seconds", default=_PATIENT_SECONDS)


def lock_seconds() -> float:
    """Longest wait of this context for a lock."""
    return _seconds.get()


@contextmanager
def hasty() -> Iterator[None]:
    """The block is a request, which can be made again."""
    token = _seconds.set(_HASTY_SECONDS)
    try:
        yield
    finally:
        _seconds.reset(token)


@contextmanager
def patient() -> Iterator[None]:
    """The block keeps what cannot be asked for again, such as an answer that was given."""
    token = _seconds.set(_PATIENT_SECONDS)
    try:
        yield
    finally:
        _seconds.reset(token)


class Refusals:
    """When a database has last refused a transaction in this process, since another held its write lock too long."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def note(self) -> None:
        """It has now."""
        self._last = time.monotonic()

    @property
    def are_recent(self) -> bool:
        """Whether what comes now is likely to be refused too."""
        return time.monotonic() - self._last < _LATELY_SECONDS


refusals = Refusals()
