"""Who goes first: while users wait for answers, an evaluation puts no further question."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio


class Courtesy:
    """Counts the users' questions under way; belongs to one event loop and is called on it alone."""

    def __init__(self, longest_seconds: float) -> None:
        self._longest_seconds = longest_seconds
        self._users = 0
        self._quiet = anyio.Event()
        self._quiet.set()

    @contextmanager
    def user(self) -> Iterator[None]:
        """A user's question is under way within the block."""
        if self._users == 0:
            self._quiet = anyio.Event()
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if self._users == 0:
                self._quiet.set()

    async def quiet(self) -> None:
        """Returns when no user's question is under way, and after the longest time in any case."""
        with anyio.move_on_after(self._longest_seconds):
            while self._users:
                await self._quiet.wait()
