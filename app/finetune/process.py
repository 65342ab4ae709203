"""The process that trains: started for a run folder, followed, stopped politely, and never two in one folder."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

from app.settings import child_environment_without_secrets

log = structlog.get_logger(__name__)

TRAINING_CHILD = (sys.executable, "-P", "-m", "app.finetune.training_child")
DONE, FAILED, INTERRUPTED = 0, 3, 75
"""Exit codes of the child: with the first two it has written a result, after the third it can go on."""

_POLL_SECONDS = 0.25
_LOCK = "run.lock"
_LOG_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """`stop_seconds` is how long a child that was told to stop may take for its checkpoint; `look_seconds` how often
    its events are looked at."""

    stop_seconds: float
    look_seconds: float = 1.0


class TrainingProcess:
    """Runs the child of one run folder, blocking; call `run` on a thread that outlives it, as the child ends with it.

    The child holds a lock on the folder that this process has taken for it. Where this server dies, the child is told
    so by the system, writes a checkpoint and ends; the next server waits for that lock before it starts another.
    """

    def __init__(self, command: tuple[str, ...], limits: ProcessLimits) -> None:
        self._command = command
        self._limits = limits

    def run(
        self, folder: Path, looks: Callable[[], None], stops: Callable[[], bool], hurries: Callable[[], bool]
    ) -> int:
        """The child's exit code, negative where a signal ended it.

        `looks` is called every `look_seconds` and at the end; when `stops`, the child is told to stop, and killed when
        its time is over or `hurries`. Whatever it raises, the child has ended. Raises `OSError` where it cannot start.
        """
        with (folder / _LOCK).open("a+") as lock:
            if not self._take(lock, stops):
                return INTERRUPTED
            process = self._spawn(folder, lock)
            try:
                self._tend(process, looks, stops, hurries)
            finally:
                _kill(process)
        looks()
        return process.returncode

    def _take(self, lock: IO[str], stops: Callable[[], bool]) -> bool:
        """Waits until no child of an earlier server has the folder, and ends it where it does not end by itself."""
        deadline = time.monotonic() + self._limits.stop_seconds
        while not _locked(lock):
            if stops():
                return False
            if time.monotonic() > deadline:
                _kill_holder(lock)
            time.sleep(_POLL_SECONDS)
        return True

    def _spawn(self, folder: Path, lock: IO[str]) -> subprocess.Popen[bytes]:
        environment = child_environment_without_secrets(
            PYTHONPATH=os.pathsep.join(str(Path(path).absolute()) for path in sys.path),
            HF_HUB_OFFLINE="1",
            TRANSFORMERS_OFFLINE="1",
            HF_HUB_DISABLE_TELEMETRY="1",
            TOKENIZERS_PARALLELISM="false",
            PYTHONUTF8="1",
        )
        with _open_log(folder) as output:
            process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [*self._command, str(folder.absolute())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )
        lock.truncate(0)
        lock.write(str(process.pid))
        lock.flush()
        log.info("training_process_started", pid=process.pid, folder=folder.name)
        return process

    def _tend(
        self,
        process: subprocess.Popen[bytes],
        looks: Callable[[], None],
        stops: Callable[[], bool],
        hurries: Callable[[], bool],
    ) -> None:
        deadline: float | None = None
        looked = 0.0
        while process.poll() is None:
            if time.monotonic() - looked >= self._limits.look_seconds:
                looks()
                looked = time.monotonic()
            if deadline is None and stops():
                deadline = time.monotonic() + self._limits.stop_seconds
                process.terminate()
            if deadline is not None and (time.monotonic() > deadline or hurries()):
                return
            with suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _kill_holder(lock: IO[str]) -> None:
    """The holder is in the group of the process whose id stands in the file: while it lives, no other gets that id."""
    lock.seek(0)
    text = lock.read().strip()
    if text.isdigit():
        log.warning("training_process_killed", pid=int(text))
        with suppress(ProcessLookupError):
            os.killpg(int(text), signal.SIGKILL)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the whole group of a child: what it has started must not outlive it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _open_log(folder: Path) -> IO[bytes]:
    """The log to append to; one that grew large is put aside as `log.1.txt`."""
    path = folder / "log.txt"
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(folder / "log.1.txt")
    return path.open("ab")
