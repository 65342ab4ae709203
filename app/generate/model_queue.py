"""The queue before the language model: so many calls at once, users' before those of work in the background."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum

import anyio

from app.errors import ModelBusy


class Patience(Enum):
    """How a call of the model waits for its turn."""

    USER = "user"
    """In line, and so long at most."""
    BACKGROUND = "background"
    """Behind the users, for as long as it takes; after the longest wait of a user it goes before them."""
    NONE = "none"
    """Not at all."""


_patience: ContextVar[Patience] = ContextVar("patience", default=Patience.USER)


@contextmanager
def patience(chosen: Patience) -> Iterator[None]:
    """Calls of the model within the block, and in tasks that it starts, wait like this."""
    token = _patience.set(chosen)
    try:
        yield
    finally:
        _patience.reset(token)


@dataclass(slots=True, eq=False)
class _Waiter:
    since: float
    loop: asyncio.AbstractEventLoop
    called: anyio.Event = field(default_factory=anyio.Event)
    has_place: bool = False

    def call(self) -> None:
        """Gives it the place, from any thread."""
        self.has_place = True
        self.loop.call_soon_threadsafe(self.called.set)


class ModelQueue:
    """`most` calls at once, of which work in the background has all but one at most; users wait `seconds` at most.

    Its waiters may be on several event loops.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self._seconds = seconds
        self._most_background = max(1, most - 1)
        self._lock = threading.Lock()
        self._running = self._background = 0
        self._users: deque[_Waiter] = deque()
        self._others: deque[_Waiter] = deque()

    @property
    def running(self) -> int:
        """Calls under way."""
        return self._running

    @property
    def waiting(self) -> int:
        """Calls in line."""
        return len(self._users) + len(self._others)

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """One call is under way within the block; raises `ModelBusy` where its turn does not come in time."""
        kind = _patience.get()
        background = kind is Patience.BACKGROUND
        await self._take(kind)
        try:
            yield
        finally:
            self._give_back(background=background)

    async def _take(self, kind: Patience) -> None:
        background = kind is Patience.BACKGROUND
        line = self._others if background else self._users
        with self._lock:
            if not line and self._has_room(background=background):
                self._count(1, background=background)
                return
            if kind is Patience.NONE:
                raise ModelBusy(detail=f"{self._running} calls are under way")
            waiter = _Waiter(time.monotonic(), asyncio.get_running_loop())
            line.append(waiter)
        try:
            with anyio.move_on_after(None if background else self._seconds):
                await waiter.called.wait()
        except BaseException:
            self._leave(waiter, line)
            if waiter.has_place:
                self._give_back(background=background)
            raise
        self._leave(waiter, line)
        if not waiter.has_place:
            raise ModelBusy(detail=f"no turn within {self._seconds:g} s")

    def _has_room(self, *, background: bool) -> bool:
        return self._running < self.most and not (background and self._background >= self._most_background)

    def _count(self, change: int, *, background: bool) -> None:
        self._running += change
        self._background += change if background else 0

    def _leave(self, waiter: _Waiter, line: deque[_Waiter]) -> None:
        with self._lock:
            if not waiter.has_place:
                line.remove(waiter)

    def _give_back(self, *, background: bool) -> None:
        """Ends a call, whose place goes to who is next."""
        with self._lock:
            self._count(-1, background=background)
            while (line := self._next()) is not None:
                waiter = line.popleft()
                self._count(1, background=line is self._others)
                waiter.call()

    def _next(self) -> deque[_Waiter] | None:
        """The line whose first is next; None where nobody can be."""
        others = self._others if self._others and self._has_room(background=True) else None
        if others and time.monotonic() - others[0].since > self._seconds:
            return others
        users = self._users if self._users and self._has_room(background=False) else None
        return users or others
