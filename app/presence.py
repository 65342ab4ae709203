"""This process among others on one database: it says that it lives, and notices who does not any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue.processes import Process, Processes
from app.errors import Unavailable

log = structlog.get_logger(__name__)

_BEATS = 6
"""In the time after which a process that is silent is taken for dead."""


class Presence:
    """Beats `_BEATS` times in `lost_seconds`, and takes for dead whose row it saw unchanged for so long.

    Only what this process has seen itself counts, by its own clock: clocks of several machines need not agree, and
    after the database was away, or kept its own beat waiting, when all were silent, it begins to count anew.
    `look_after` is called after each beat with the ids of all that live, and whether one has died since; `lost` where
    this process itself works and was taken for dead, since then another does its work. `beaten` is called when all of
    that is done.
    """

    def __init__(
        self,
        processes: Processes,
        process: Process,
        lost_seconds: float,
        look_after: Callable[[set[str], bool], None],
        lost: Callable[[], None],
        beaten: Callable[[], None] = lambda: None,
    ) -> None:
        self._processes = processes
        self._process = process
        self._lost_seconds = lost_seconds
        self._look_after = look_after
        self._lost = lost
        self._beaten = beaten
        self._seen: dict[str, tuple[tuple[str, int], float]] = {}
        self._looked = time.monotonic()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def id(self) -> str:
        return self._process.id

    def join(self) -> bool:
        """It is alive from now on; whether it is the only one."""
        return self._processes.join(self._process)

    def start(self) -> None:
        """Beats from now on."""
        self._thread = threading.Thread(target=self._keep, name="presence", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends in good order: others take up at once what this one has left."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(self._lost_seconds)
        try:
            self._processes.leave(self._process)
        except SQLAlchemyError as error:
            log.warning("process_not_left", detail=repr(error))

    def _keep(self) -> None:
        while not self._stopping.wait(self._lost_seconds / _BEATS):
            try:
                if not self._processes.beat(self._process):
                    log.error("process_taken_for_dead", process_id=self._process.id)
                    if self._process.works:
                        self._lost()
                        return
                    self._processes.join(self._process)
                died = self._bury(self._processes.beats())
                self._look_after(self._processes.living(), died)
                self._beaten()
            except (SQLAlchemyError, Unavailable) as error:
                log.warning("process_not_heard", detail=repr(error))
                self._seen.clear()
            except Exception:  # the loop of this thread: the next beat looks again
                log.exception("presence_failed")

    def _bury(self, beats: dict[str, tuple[str, int]]) -> bool:
        """Whether one of the others has died."""
        moment, died = time.monotonic(), False
        if moment - self._looked > self._lost_seconds / 2:
            self._seen.clear()
        self._looked = moment
        self._seen = {one: seen for one, seen in self._seen.items() if beats.get(one) == seen[0]}
        for one, beat in beats.items():
            _, since = self._seen.setdefault(one, (beat, moment))
            if one != self._process.id and moment - since > self._lost_seconds and self._processes.bury(one, beat):
                log.warning("process_died", process_id=one)
                died = True
        return died
