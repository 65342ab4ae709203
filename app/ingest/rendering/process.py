"""One process that draws pages: started, asked and ended from here, with a deadline for each answer."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from app.ingest.parsers.child import ChildBabbled, ChildDied, ChildTimeout, decoded, end_child, start_child

_MODULE = "app.ingest.rendering.child"
_START_SECONDS = 30.0
"""Longest start; 0.1 s on an idle machine."""

_LINE_BYTES = 64_000_000
"""Longest line: an image of the most pixels, or the characters of a page."""

_READ_BYTES = 1 << 18
_STDERR_BYTES = 4000
_CPU_PAGES = 30
"""Pages of the longest time in one life; a process that has used that up dies, and another one goes on."""


@dataclass(frozen=True, slots=True)
class DrawingLimits:
    """What one process may cost: `seconds` for one answer, address space, pixels and characters of a page."""

    seconds: float
    memory_mb: int
    pixels: int
    characters: int = 60_000


class DrawingProcess:
    """A running child, not open yet; raises `ChildDied`, `ChildTimeout`, `ChildBabbled` or `OSError` where it cannot
    start.

    It lives no longer than the thread that makes it. One thread at a time may ask it.
    """

    def __init__(self, limits: DrawingLimits) -> None:
        self._limits = limits
        task: dict[str, object] = {
            "memory_mb": limits.memory_mb,
            "cpu_seconds": int(limits.seconds * _CPU_PAGES) + 1,
        }
        self._process = start_child(_MODULE, task, stdin=subprocess.PIPE)
        self._pending = self._stderr = b""
        self.asked = 0
        try:
            for pipe in (self._pipe("stdout"), self._pipe("stderr")):
                os.set_blocking(pipe.fileno(), False)
            self._reply(_START_SECONDS)
        except BaseException:
            self.end()
            raise

    def open(self, path: Path) -> dict[str, Any]:
        """Names the one file that the process reads."""
        return self._ask({"open": str(path.resolve())})

    def ask(self, request: dict[str, object]) -> dict[str, Any]:
        """The reply to a request; raises `ChildDied`, `ChildTimeout` or `ChildBabbled`, and is to be ended then."""
        self.asked += 1
        return self._ask(request)

    def end(self) -> None:
        """Kills it."""
        end_child(self._process)

    def _ask(self, request: dict[str, object]) -> dict[str, Any]:
        stdin = self._pipe("stdin")
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        except OSError:
            raise self._died() from None
        return self._reply(self._limits.seconds)

    def _reply(self, seconds: float) -> dict[str, Any]:
        """The next line of the child."""
        deadline = time.monotonic() + seconds
        parts = [self._pending]
        size = 0
        with selectors.DefaultSelector() as selector:
            for name in ("stdout", "stderr"):
                selector.register(self._pipe(name), selectors.EVENT_READ, name)
            while b"\n" not in parts[-1]:
                piece = self._piece(selector, deadline, seconds)
                parts.append(piece)
                size += len(piece)
                if size > _LINE_BYTES:
                    raise ChildBabbled(f"a line of more than {_LINE_BYTES} bytes")
        line, self._pending = b"".join(parts).split(b"\n", 1)
        return decoded(line)

    def _piece(self, selector: selectors.BaseSelector, deadline: float, seconds: float) -> bytes:
        """What the child says next on stdout."""
        while True:
            events = selector.select(timeout=max(0.0, deadline - time.monotonic()))
            if not events:
                raise ChildTimeout(seconds, "MQA_PAGE_IMAGE_SECONDS")
            for key, _ in events:
                piece = os.read(key.fd, _READ_BYTES)
                if key.data == "stdout":
                    if not piece:
                        raise self._died()
                    return piece
                if not piece:
                    selector.unregister(key.fileobj)
                self._stderr = (self._stderr + piece)[-_STDERR_BYTES:]

    def _died(self) -> ChildDied:
        end_child(self._process)
        return ChildDied(self._process.returncode, self._stderr.decode(errors="replace"))

    def _pipe(self, name: str) -> IO[bytes]:
        pipe: IO[bytes] | None = getattr(self._process, name)
        if pipe is None:  # all three were asked for
            raise ChildDied(0, "no pipes")
        return pipe
