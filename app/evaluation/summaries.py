"""Summaries of evaluations, kept for a while, since each takes a core for up to some seconds."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from app.catalogue.evaluations import Evaluation
from eval.figures import Summary
from eval.records import Run

_KEPT = 4
"""A summary holds all records of its run: some 10 kB a question."""
_LEAST_AGE_SECONDS = 3.0
_MOST_SHARE = 0.05
"""While an evaluation is watched, no more than this share of a core goes into its figures."""


@dataclass(frozen=True, slots=True)
class _Made:
    summary: Summary
    revision: int
    at: float
    cost: float

    def is_recent(self) -> bool:
        age = time.monotonic() - self.at
        return age < max(_LEAST_AGE_SECONDS, self.cost / _MOST_SHARE)


class Summaries:
    """`run_of` gives the run of an evaluation by its id. Safe to share between threads; makes one at a time."""

    def __init__(self, run_of: Callable[[str], Run]) -> None:
        self._run_of = run_of
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._making = threading.Lock()

    def of(self, evaluation: Evaluation) -> Summary:
        """The summary of its records as they are."""
        return self._find(evaluation, recent=False)

    def recent(self, evaluation: Evaluation) -> Summary:
        """The summary of its records as they are or were some seconds ago."""
        return self._find(evaluation, recent=not evaluation.ended)

    def _find(self, evaluation: Evaluation, *, recent: bool) -> Summary:
        from eval.summary import summarise  # noqa: PLC0415 - its libraries take long to import

        with self._making:
            made = self._made.get(evaluation.id)
            if made is None or not (made.revision == evaluation.revision or (recent and made.is_recent())):
                started = time.monotonic()
                summary = summarise(self._run_of(evaluation.id))
                ended = time.monotonic()
                made = self._made[evaluation.id] = _Made(summary, evaluation.revision, ended, ended - started)
            self._made.move_to_end(evaluation.id)
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
            return made.summary
