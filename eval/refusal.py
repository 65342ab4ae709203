"""Who would be refused at which threshold and limits of doubt, and which of them fit a target best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.types import Tuning
from eval.ranking import page_key
from eval.records import Record

MOST_THRESHOLDS = 40
MOST_LIMITS = 40
"""Values that are tried of each kind, spread over those that make a difference."""

Flags = NDArray[np.bool_]
_STEPS = 10_000
"""Thresholds and limits are given to four places."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is not to be exceeded: the share of answerable questions refused ("false_refusals") or of unanswerable
    questions answered ("invented")."""

    kind: Literal["false_refusals", "invented"] = "false_refusals"
    most: float = 0.05


@dataclass(frozen=True, slots=True)
class Shares:
    """False refusals among the answerable questions, refusals among the unanswerable ones."""

    false_refusals: float
    refusal_recall: float

    def meets(self, target: Target) -> bool:
        """Whether the target is not exceeded."""
        return self._cost(target) <= target.most + 1e-12

    def gain(self, target: Target) -> float:
        """What is wanted most where the target is met."""
        return self.refusal_recall if target.kind == "false_refusals" else -self.false_refusals

    def _cost(self, target: Target) -> float:
        return self.false_refusals if target.kind == "false_refusals" else 1 - self.refusal_recall


@dataclass(frozen=True, slots=True)
class Cases:
    """The questions of a run as refusal sees them, one place each.

    `best` is the greatest cosine found and `needed` that of the nearest right page (the greatest where none was found
    or there is none): below the threshold, the question is refused. `refused` are refused whatever the limits are.
    `doubt` is 0 where none was told; `strange` and `quoted` as in `app.types.Answer`.
    """

    answerable: Flags
    best: NDArray[np.float64]
    needed: NDArray[np.float64]
    refused: Flags
    doubt: NDArray[np.float64]
    strange: Flags
    quoted: Flags

    @classmethod
    def of(cls, records: Sequence[Record], *, with_doubt: bool) -> Cases:
        """The cases of records without errors; without `with_doubt` the answers are left aside."""
        return cls(
            answerable=np.array([record.question.answerable for record in records], dtype=bool),
            best=np.array([_best(record) for record in records], dtype=np.float64),
            needed=np.array([_needed(record) for record in records], dtype=np.float64),
            refused=np.array([with_doubt and record.refused for record in records], dtype=bool),
            doubt=np.array([(with_doubt and record.doubt) or 0.0 for record in records], dtype=np.float64),
            strange=np.array([bool(record.strange) for record in records], dtype=bool),
            quoted=np.array([_quoted(record) for record in records], dtype=bool),
        )

    def __len__(self) -> int:
        return len(self.answerable)

    def at(self, places: Sequence[int]) -> Cases:
        """Those at these places."""
        chosen = np.array(places, dtype=np.intp)
        return Cases(
            self.answerable[chosen],
            self.best[chosen],
            self.needed[chosen],
            self.refused[chosen],
            self.doubt[chosen],
            self.strange[chosen],
            self.quoted[chosen],
        )

    def refused_with(self, tuning: Tuning) -> Flags:
        """Who is refused with these values; the rule of `app.generate.answer`."""
        limit, strange_limit = _limits(tuning)
        doubtful = (self.doubt > strange_limit) & (self.strange | ((self.doubt > limit) & self.quoted))
        below: Flags = self.needed < (-1.0 if tuning.threshold is None else tuning.threshold)
        return self.refused | below | doubtful

    def shares(self, refused: Flags) -> Shares:
        """What such refusals come to; there must be answerable and unanswerable questions."""
        return Shares(float(refused[self.answerable].mean()), float(refused[~self.answerable].mean()))


def choose(
    cases: Cases, present: Tuning, target: Target, *, move_threshold: bool, move_doubt: bool
) -> tuple[Tuning, bool]:
    """The values that gain most within the target, and whether there are any; where there are none, the present ones.

    Of equally good ones those that cost least on the other side, then those that change least. Where answers are
    weighed, a threshold below the one they were made with changes nothing: what it would let pass was never asked.
    """
    thresholds = _thresholds(cases, present, target) if move_threshold else [_set(present.threshold)]
    limits = _doubt_limits(cases, present) if move_doubt else None
    best: tuple[tuple[float, ...], Tuning] | None = None
    for threshold in thresholds:
        for tuning, shares in _limited(cases, replace(present, threshold=threshold), limits):
            if shares.meets(target):
                order = (-shares.gain(target), *_tidiness(tuning, present, shares, target))
                if best is None or order < best[0]:
                    best = (order, tuning)
    return (present, False) if best is None else (best[1], True)


def _tidiness(tuning: Tuning, present: Tuning, shares: Shares, target: Target) -> tuple[float, float, float]:
    other = shares.false_refusals if target.kind == "false_refusals" else -shares.refusal_recall
    pairs = [
        (_set(tuning.threshold), _set(present.threshold)),
        *zip(_limits(tuning), _limits(present), strict=True),
    ]
    return other, float(sum(new != old for new, old in pairs)), sum(abs(new - old) for new, old in pairs)


def _limited(cases: Cases, tuning: Tuning, limits: Sequence[float] | None) -> list[tuple[Tuning, Shares]]:
    """What each pair of limits of doubt comes to at one threshold.

    A strange question is weighed by one limit alone and any other by the other alone, so their counts add up.
    """
    if limits is None:
        return [(tuning, cases.shares(cases.refused_with(tuning)))]
    settled = cases.refused | (cases.needed < _set(tuning.threshold))
    kinds = (cases.answerable, ~cases.answerable)
    counts = []
    for kind in kinds:
        open_ones = kind & ~settled
        strange = [int((open_ones & cases.strange & (cases.doubt > limit)).sum()) for limit in limits]
        plain = [int((open_ones & ~cases.strange & cases.quoted & (cases.doubt > limit)).sum()) for limit in limits]
        counts.append((int((kind & settled).sum()), strange, plain, int(kind.sum())))
    found = []
    for i, strange_limit in enumerate(limits):
        for j, limit in enumerate(limits):
            if limit >= strange_limit:
                false, recall = ((base + s[i] + p[j]) / n for base, s, p, n in counts)
                pair = replace(tuning, most_doubt=limit, most_doubt_strange=strange_limit)
                found.append((pair, Shares(false, recall)))
    return found


def _thresholds(cases: Cases, present: Tuning, target: Target) -> list[float]:
    """The present one and those that lose one, two, three ... answerable questions more."""
    now = _set(present.threshold)
    needed = np.sort(cases.needed[cases.answerable])
    most = len(needed) if target.kind == "invented" else int(target.most * len(needed) + 1e-9) + 1
    steps = np.floor(np.unique(needed[:most]) * _STEPS) / _STEPS
    return [now, *(float(step) for step in _thinned(steps, MOST_THRESHOLDS))]


def _doubt_limits(cases: Cases, present: Tuning) -> list[float]:
    """The present limits, none at all (1) and all (0), and doubts that were told."""
    told = np.unique(np.ceil(cases.doubt[(cases.doubt > 0) & ~cases.refused] * _STEPS) / _STEPS)
    return sorted({*_limits(present), 0.0, 1.0, *(float(limit) for limit in _thinned(told, MOST_LIMITS))})


def _thinned(values: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).round().astype(np.intp)]


def _limits(tuning: Tuning) -> tuple[float, float]:
    limit = 1.0 if tuning.most_doubt is None else tuning.most_doubt
    return limit, limit if tuning.most_doubt_strange is None else tuning.most_doubt_strange


def _set(threshold: float | None) -> float:
    return -1.0 if threshold is None else threshold


def _best(record: Record) -> float:
    return max((passage.cosine for passage in record.found), default=-1.0)


def _needed(record: Record) -> float:
    right = {page_key(page) for page in record.question.pages()} if record.question.answerable else set()
    near = [passage.cosine for passage in record.found if any(page_key(page) in right for page in passage.pages())]
    return max(near, default=_best(record))


def _quoted(record: Record) -> bool:
    """Where a run does not say it: a model that doubts more than it does not has quoted nothing."""
    return (record.doubt or 0.0) <= 0.5 if record.quoted is None else record.quoted
