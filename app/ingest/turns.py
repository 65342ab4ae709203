"""Turns: two pieces of work on one document never run at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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
    for the same lock: what is written after a deletion would be in no catalogue. `among_processes` is a lock of the
    same id that other processes wait for too, where there are any.
    """

    def __init__(self, among_processes: Callable[[str], AbstractContextManager[None]] | None = None) -> None:
        self._among_processes = among_processes or (lambda _: nullcontext())
        self._guard = threading.Lock()
        self._turns: dict[str, _Turn] = {}

    @contextmanager
    def of(self, identity: str) -> Iterator[None]:
        """Waits for the id's turn and holds it."""
        with self._guard:
            turn = self._turns.setdefault(identity, _Turn())
            turn.users += 1
        try:
            with turn.lock, self._among_processes(identity):
                yield
        finally:
            with self._guard:
                turn.users -= 1
                if not turn.users:
                    del self._turns[identity]
