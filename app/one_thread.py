"""A thread that does what is asked of it in order, for threads that wait for it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

_Result = TypeVar("_Result")


class OneThread:
    """Works as long as this object lives.

    A daemon, unlike those of an executor: it still works for threads that the interpreter waits for when it ends, and
    work that never ends does not keep the process.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=_do_jobs, args=(self._jobs,), name=name, daemon=True)
        self._thread.start()
        weakref.finalize(self, self._jobs.put, None).atexit = False

    def is_current(self) -> bool:
        """Whether this is asked in that thread."""
        return threading.current_thread() is self._thread

    def run(self, work: Callable[[], _Result], seconds: float | None = None) -> _Result:
        """What `work` gives or raises; `TimeoutError` after so many seconds, and the work goes on by itself."""
        outcome: Future[_Result] = Future()

        def job() -> None:
            try:
                outcome.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised again in the asker's thread
                outcome.set_exception(error)

        self._jobs.put(job)
        return outcome.result(seconds)


def _do_jobs(jobs: SimpleQueue[Callable[[], None] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        del job  # it may be the last that holds the owner of this thread
