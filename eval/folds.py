"""Folds: the questions of a run divided so that each is measured with what was chosen without it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eval.figures import Figure
from eval.records import Record
from eval.statistics import mean, mean_interval

FOLDS = 5


def folds(strata: Sequence[object], count: int, seed: int) -> list[list[int]]:
    """The places of `strata` in `count` folds, each stratum spread evenly over them."""
    rng = random.Random(seed)
    members: dict[object, list[int]] = defaultdict(list)
    for place, stratum in enumerate(strata):
        members[stratum].append(place)
    parts: list[list[int]] = [[] for _ in range(count)]
    turn = 0
    for stratum in sorted(members, key=str):
        own = members[stratum]
        rng.shuffle(own)
        for place in own:
            parts[turn % count].append(place)
            turn += 1
    return [sorted(part) for part in parts if part]


def strata_of(records: Sequence[Record]) -> list[tuple[bool, str]]:
    return [(record.question.answerable, record.question.lang[:2]) for record in records]


def mean_figure(values: NDArray[np.float64], seed: int) -> Figure:
    """The mean of a value of each question, with its interval."""
    plain = [float(value) for value in values]
    low, high = mean_interval(plain, seed) or (None, None)
    return Figure(mean(plain), low, high, len(plain))
