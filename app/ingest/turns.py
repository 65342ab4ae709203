"""Turns: two pieces of work on one document never run at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

REMOVALS = "removals"
"""The turn of whoever takes away what a catalogue of a moment before still has: purges, which a backup holds up."""


@dataclass(slots=True)
class _Turn:
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0


class Turns:
    """A lock for each id that is in use, and none for the others.

    A step that looks at a document's state under its lock and then writes cannot be crossed by the purge that waits
    for the same lock: what is written after a deletion would be in no catalogue.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._turns: dict[str, _Turn] = {}

    @contextmanager
    def of(self, identity: str) -> Iterator[None]:
        """Waits for the id's turn and holds it."""
        with self._guard:
            turn = self._turns.setdefault(identity, _Turn())
            turn.users += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._guard:
                turn.users -= 1
                if not turn.users:
                    del self._turns[identity]
