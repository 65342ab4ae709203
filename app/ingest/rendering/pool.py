"""A few processes that draw pages, kept warm: each holds one file and never another."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from app.errors import PagesBusy
from app.ingest.parsers.child import ChildBabbled, ChildDied, ChildTimeout
from app.ingest.rendering.process import DrawingLimits, DrawingProcess

log = structlog.get_logger(__name__)

_WAIT_SECONDS = 30.0
"""Longest wait for a process; who waits longer is told that all are busy."""

_MOST_ASKED = 500
"""Answers of one process, so that what a library leaks stays small."""

_START_AGAIN_SECONDS = 1.0


class PageFault(Exception):
    """A page cannot be had: `error` as the child says it, or `time` or `died`."""

    def __init__(self, error: str, detail: str) -> None:
        super().__init__(f"{error}: {detail}")
        self.error = error


class DrawingPool:
    """At most `size` processes that hold files, and a spare one, so that a new file need not wait for a start.

    A process dies with the thread that started it: one thread of the pool's own starts them all.
    """

    def __init__(self, size: int, limits: DrawingLimits) -> None:
        self._size = size
        self._limits = limits
        self._changed = threading.Condition()
        self._spare: DrawingProcess | None = None
        self._idle: OrderedDict[Path, DrawingProcess] = OrderedDict()
        self._busy = 0
        self._starter: threading.Thread | None = None
        self._closed = False

    def start(self) -> None:
        """Starts the spare process, so that the first page need not wait for it."""
        with self._changed:
            if self._starter is None and not self._closed:
                self._starter = threading.Thread(target=self._start_spares, name="page-processes", daemon=True)
                self._starter.start()

    def close(self) -> None:
        """Ends all processes; what is being drawn is lost."""
        with self._changed:
            self._closed = True
            left = [*self._idle.values(), *([self._spare] if self._spare else [])]
            self._idle.clear()
            self._spare = None
            self._changed.notify_all()
        for process in left:
            process.end()
        if self._starter is not None:
            self._starter.join()

    def ask(self, path: Path, request: dict[str, object]) -> dict[str, Any]:
        """The reply to a request about a page of the file; raises `PageFault`, `PagesBusy`.

        A process that had answered before may have died of that and not of this request, so a fresh one is asked again.
        """
        self.start()
        while True:
            fresh = True
            try:
                with self._process(path) as (process, fresh):
                    if fresh:
                        _checked(process.open(path))
                    reply = process.ask(request)
                    if reply.get("error") == "memory":
                        _checked(reply)  # what it holds now, nobody knows: it ends
            except ChildTimeout as error:
                raise PageFault("time", str(error)) from error
            except (ChildDied, ChildBabbled) as error:
                log.warning("page_process_died", fresh=fresh, detail=str(error)[-500:])
                if fresh:
                    raise PageFault("died", str(error)) from error
            else:
                return _checked(reply)

    @contextmanager
    def _process(self, path: Path) -> Iterator[tuple[DrawingProcess, bool]]:
        """A process that holds the file, or else a fresh one; where the block fails, it is ended."""
        process, fresh = self._acquire(path)
        kept = False
        try:
            yield process, fresh
            kept = process.asked < _MOST_ASKED
        finally:
            self._release(path, process, kept=kept)

    def _acquire(self, path: Path) -> tuple[DrawingProcess, bool]:
        deadline = time.monotonic() + _WAIT_SECONDS
        with self._changed:
            self._wait(lambda: self._busy < self._size, deadline)
            held = self._idle.pop(path, None)
            process = held or self._spare_one(deadline)
            self._busy += 1
            over = len(self._idle) + self._busy > self._size
            oldest = self._idle.popitem(last=False)[1] if over else None
        if oldest is not None:
            oldest.end()
        return process, held is None

    def _spare_one(self, deadline: float) -> DrawingProcess:
        """Takes the spare process, under the lock; another one is started in its place."""
        self._wait(lambda: self._spare is not None and self._busy < self._size, deadline)
        process = self._spare
        if process is None:  # waited for above
            raise PagesBusy
        self._spare = None
        self._changed.notify_all()
        return process

    def _release(self, path: Path, process: DrawingProcess, *, kept: bool) -> None:
        with self._changed:
            self._busy -= 1
            ended: DrawingProcess | None = process
            if kept and not self._closed:
                ended = self._idle.pop(path, None)
                self._idle[path] = process
            self._changed.notify_all()
        if ended is not None:
            ended.end()

    def _wait(self, ready: Callable[[], bool], deadline: float) -> None:
        """Waits, under the lock; raises `PagesBusy`."""
        in_time = self._changed.wait_for(lambda: self._closed or ready(), max(0.0, deadline - time.monotonic()))
        if self._closed or not in_time:
            raise PagesBusy

    def _start_spares(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._spare is None)
                if self._closed:
                    return
            process = self._started()
            if process is not None:
                self._offer(process)

    def _offer(self, process: DrawingProcess) -> None:
        with self._changed:
            taken = not self._closed
            if taken:
                self._spare = process
                self._changed.notify_all()
        if not taken:
            process.end()

    def _started(self) -> DrawingProcess | None:
        try:
            return DrawingProcess(self._limits)
        except (ChildDied, ChildTimeout, ChildBabbled, OSError) as error:
            log.error("page_process_does_not_start", detail=str(error)[-500:])
            with self._changed:
                self._changed.wait_for(lambda: self._closed, _START_AGAIN_SECONDS)
            return None


def _checked(reply: dict[str, Any]) -> dict[str, Any]:
    if "error" in reply:
        raise PageFault(str(reply["error"]), str(reply.get("detail", "")))
    return reply
