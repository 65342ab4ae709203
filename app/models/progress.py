"""Telling a person how a pull goes on: share done, megabytes, speed, time left."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichBars

from app.phrases import translated
from app.types import Language


class Progress(Protocol):
    """Is told of each step of a pull.

    Law: no call blocks or raises; `advance` takes the bytes of the present step done so far, from any thread, and they
    may go back (a broken part is fetched again) but never pass the total given to `begin`.
    """

    def begin(self, label: str, total_bytes: int) -> None: ...

    def advance(self, done_bytes: int) -> None: ...

    def note(self, text: str) -> None: ...


class SilentProgress:
    """Tells nobody."""

    def begin(self, label: str, total_bytes: int) -> None: ...

    def advance(self, done_bytes: int) -> None: ...

    def note(self, text: str) -> None: ...


class BarProgress:
    """One bar a step on a terminal; used as a context manager."""

    def __init__(self, console: Console | None = None, language: Language = "en") -> None:
        self._language: Language = language
        self._bars = RichBars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            expand=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, label: str, total_bytes: int) -> None:
        self._task = self._bars.add_task(translated(label, self._language), total=total_bytes)

    def advance(self, done_bytes: int) -> None:
        if self._task is not None:
            self._bars.update(self._task, completed=done_bytes)

    def note(self, text: str) -> None:
        self._bars.console.print(translated(text, self._language), markup=False, highlight=False)


class LineProgress:
    """A line every few seconds, for logs and pipes."""

    def __init__(self, write: Callable[[str], None], every_seconds: float = 10.0, language: Language = "en") -> None:
        self._write = write
        self._language: Language = language
        self._every = every_seconds
        self._label, self._total = "", 0
        self._start, self._start_bytes = time.monotonic(), 0
        self._last_line, self._is_done = self._start, False

    def begin(self, label: str, total_bytes: int) -> None:
        self._label, self._total = label, total_bytes
        self._start, self._start_bytes = time.monotonic(), -1
        self._last_line, self._is_done = self._start, False

    def advance(self, done_bytes: int) -> None:
        now = time.monotonic()
        if self._start_bytes < 0:
            self._start, self._start_bytes = now, done_bytes
        is_last = done_bytes >= self._total
        if self._is_done or (now - self._last_line < self._every and not is_last):
            return
        self._last_line, self._is_done = now, is_last
        speed = max(done_bytes - self._start_bytes, 0) / max(now - self._start, 1e-3)
        left = f"{(self._total - done_bytes) / speed:.0f} s left" if speed > 0 else "time left unknown"
        share = 100 * done_bytes / max(self._total, 1)
        self.note(
            f"{self._label}: {share:.0f}%, {done_bytes / 1e6:.0f} of {self._total / 1e6:.0f} MB, "
            f"{speed / 1e6:.1f} MB/s, {left}"
        )

    def note(self, text: str) -> None:
        self._write(translated(text, self._language))
