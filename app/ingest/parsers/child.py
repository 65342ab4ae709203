"""Running a program in a process of its own and reading its JSON lines, within limits of time and size."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_STDERR_BYTES = 4000
_READ_BYTES = 1 << 16


class ChildTimeout(Exception):
    """The child was stopped: it took longer than it may in all (`setting` MQA_PARSE_SECONDS) or for one line."""

    def __init__(self, seconds: float, setting: str) -> None:
        super().__init__(f"{seconds:.0f} s")
        self.seconds = seconds
        self.setting = setting


class ChildDied(Exception):
    """The child ended without a sign of having finished: `signal` is what killed it, `stderr` its last words."""

    def __init__(self, returncode: int, stderr: str) -> None:
        super().__init__(f"exit {returncode}: {stderr}")
        self.signal = -returncode if returncode < 0 else None


class ChildBabbled(Exception):
    """The child wrote a line that is too long or is not a JSON object."""


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """`seconds` for the whole run, `line_seconds` between two lines, `line_bytes` for one line."""

    seconds: float
    line_seconds: float
    line_bytes: int


def start_child(module: str, task: dict[str, object], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Starts `python -m module TASK`, which `end_child` ends.

    It gets no environment but the import path, no open file but its pipes, and its own process group. With the limits
    of `child_limits` it dies together with the thread that started it.
    """
    command = [sys.executable, "-P", "-B", "-X", "utf8", "-m", module, json.dumps({**task, "parent": os.getpid()})]
    return subprocess.Popen(  # noqa: S603  (our own program, no shell)
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path)},
        cwd="/",
        start_new_session=True,
    )


def run_child(module: str, task: dict[str, object], limits: ChildLimits) -> Generator[dict[str, Any], None, None]:
    """Starts `python -m module TASK` and yields the objects it writes; the child is gone when the generator
    ends or is closed.

    It gets no input, and all of its process group is killed at the end. Raises `ChildTimeout`, `ChildDied` (exit status
    not 0) or `ChildBabbled`.
    """
    process = start_child(module, task)
    try:
        yield from _Reader(process, limits).objects()
    finally:
        end_child(process)


class _Reader:
    """Reads both pipes of a child without ever waiting past a deadline."""

    def __init__(self, process: subprocess.Popen[bytes], limits: ChildLimits) -> None:
        self._process = process
        self._limits = limits
        self._deadline = time.monotonic() + limits.seconds
        self._stderr = b""

    def objects(self) -> Iterator[dict[str, Any]]:
        pending = b""
        for piece in self._pieces():
            *lines, pending = (pending + piece).split(b"\n")
            if len(pending) > self._limits.line_bytes:
                raise ChildBabbled(f"a line of more than {self._limits.line_bytes} bytes")
            for line in lines:
                yield decoded(line)
        try:
            returncode = self._process.wait(timeout=max(0.1, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._timeout() from None
        if returncode or pending:
            raise ChildDied(returncode, self._stderr.decode(errors="replace"))

    def _pieces(self) -> Iterator[bytes]:
        """What the child writes, as it comes, until it closes both pipes."""
        stdout, stderr = self._process.stdout, self._process.stderr
        if stdout is None or stderr is None:  # both were asked for
            raise ChildDied(0, "no pipes")
        with selectors.DefaultSelector() as selector:
            for pipe in (stdout, stderr):
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ)
            line_deadline = time.monotonic() + self._limits.line_seconds
            while selector.get_map():
                for piece in self._ready(selector, stderr, min(self._deadline, line_deadline)):
                    line_deadline = time.monotonic() + self._limits.line_seconds
                    yield piece

    def _ready(self, selector: selectors.BaseSelector, stderr: IO[bytes], deadline: float) -> Iterator[bytes]:
        events = selector.select(timeout=max(0.0, deadline - time.monotonic()))
        if not events:
            raise self._timeout()
        for key, _ in events:
            piece = os.read(key.fd, _READ_BYTES)
            if not piece:
                selector.unregister(key.fileobj)
            elif key.fileobj is stderr:
                self._stderr = (self._stderr + piece)[-_STDERR_BYTES:]
            else:
                yield piece

    def _timeout(self) -> ChildTimeout:
        if time.monotonic() >= self._deadline:
            return ChildTimeout(self._limits.seconds, "MQA_PARSE_SECONDS")
        return ChildTimeout(self._limits.line_seconds, "MQA_PARSE_PAGE_SECONDS")


def decoded(line: bytes) -> dict[str, Any]:
    """The object in a line; raises `ChildBabbled`."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ChildBabbled(str(error)) from error
    if not isinstance(value, dict):
        raise ChildBabbled("not an object")
    return value


def end_child(process: subprocess.Popen[bytes]) -> None:
    """Kills the whole group and collects the child; a child that already ended leaves nothing to kill."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
