"""The process that trains: `python -m app.finetune.training_child RUN_FOLDER`.

Exit status 0: done; 3: failed, and `result.json` says why; 75: it was told to stop (SIGTERM, Ctrl-C) or its parent is
gone, and started again it goes on from its newest whole checkpoint. It never asks a network. On several graphics
cards: `accelerate launch -m app.finetune.training_child RUN_FOLDER`.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from app.errors import ExtraMissing, ManualqaError, TrainingFailed
from app.finetune.run_folder import RunFolder
from app.settings import go_offline, remember_few_shapes, share_cores

DONE, FAILED, STOPPED = 0, 3, 75

_PARENT_CHECK_SECONDS = 1.0
_LOCK_SECONDS = 120.0
"""A child whose parent was killed may still be writing its checkpoint."""

_NICENESS = 5
"""Answers to users go before training where both want the processor: they get three quarters of it then."""

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Train, and say by the exit status how it ended."""
    parser = argparse.ArgumentParser(prog="training_child")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parent", type=int, default=os.getppid())
    parser.add_argument("--niceness", type=int, default=_NICENESS)
    args = parser.parse_args(argv)
    folder = RunFolder(args.folder.resolve())
    stopping = _stop_signals()
    _watch(args.parent, stopping)
    _speak_into(folder.log_file)
    go_offline()
    share_cores()
    remember_few_shapes()
    os.nice(args.niceness)
    first = os.environ.get("RANK", "0") == "0"
    try:
        with _alone(folder, first=first):
            return _train(folder, stopping, first=first)
    except ManualqaError as error:
        return _failed(folder, error, first=first)
    except Exception:  # the child's boundary: the training fails, its parent lives
        log.exception("training crashed")
        return _failed(folder, TrainingFailed(reason="it crashed"), first=first)


def _train(folder: RunFolder, stopping: threading.Event, *, first: bool) -> int:
    if (folder.result() or {}).get("state") == "done":
        return DONE
    folder.config()
    try:
        from app.finetune.training_run import run  # noqa: PLC0415 - needs the extra, and takes seconds
        from app.finetune.training_watcher import Interrupted  # noqa: PLC0415 - needs the extra
    except ImportError as error:
        raise ExtraMissing(str(error), feature="The training of adapters", extra="finetune") from error
    if first:
        folder.sweep()
        folder.result_file.unlink(missing_ok=True)
    try:
        facts = run(folder, stopping.is_set)
    except Interrupted:
        return STOPPED
    if first:
        folder.write_result(facts)
    return DONE


def _failed(folder: RunFolder, error: ManualqaError, *, first: bool) -> int:
    log.error("training failed: %s (%s)", error, error.detail)
    if first:
        folder.write_result({"state": "failed", "code": error.code(), "params": error.stored_params()})
    return FAILED


@contextmanager
def _alone(folder: RunFolder, *, first: bool) -> Iterator[None]:
    """No two trainings in one folder; the processes of one training share it."""
    if not first:
        yield
        return
    try:
        with FileLock(folder.lock_file, timeout=_LOCK_SECONDS):
            yield
    except Timeout as error:
        raise TrainingFailed(str(error), reason="another process is training in its folder") from error


def _stop_signals() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _watch(parent: int, stopping: threading.Event) -> None:
    """Sets `stopping` once the parent is gone.

    Asked of the process table, since the kernel's own signal for it comes when the starting thread ends.
    """
    direct = os.getppid()

    def look() -> None:
        never = threading.Event()
        while os.getppid() == direct and _lives(parent):
            never.wait(_PARENT_CHECK_SECONDS)
        stopping.set()

    threading.Thread(target=look, name="parent", daemon=True).start()


def _lives(process: int) -> bool:
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _speak_into(path: Path) -> None:
    """Everything that this process and its libraries say goes to the log, behind what is there."""
    sys.stdout.flush()
    sys.stderr.flush()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")


if __name__ == "__main__":
    sys.exit(main())
