"""The keyword weight of fusion: what each would have given, and whether another than the present one is worth it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.figures import Figure
from eval.folds import FOLDS, folds, mean_figure, strata_of
from eval.ranking import reciprocal_rank
from eval.records import Record
from eval.refusion import WEIGHTS, supported_ranks
from eval.statistics import paired_means

HIT_DEPTH = 5


@dataclass(frozen=True, slots=True)
class WeightTried:
    """What a keyword weight would have given on all questions (so it flatters whoever picks the best)."""

    weight: float
    mrr: float
    hit: float


@dataclass(frozen=True, slots=True)
class WeightFinding:
    """The keyword weight: what each would have given, and what the choice is worth on held-out questions.

    `mrr` is MRR@10 and `hit` hit@5 by page, each (with the present weight, held out); `gain` is the held-out gain of
    their mean with its 95% interval. `chosen` is None where that does not exclude 0: then the present one stays.
    """

    present: float
    chosen: float | None
    tried: tuple[WeightTried, ...]
    mrr: tuple[Figure, Figure]
    hit: tuple[Figure, Figure]
    gain: Figure


def weigh(answerable: Sequence[Record], now: float, seed: int) -> WeightFinding | None:
    """None where too few questions name their pages to divide them."""
    records = [record for record in answerable if record.question.pages()]
    if len(records) < 2:
        return None
    weights = sorted({*WEIGHTS, now})
    ranks = [supported_ranks(record, weights) for record in records]
    mrr = np.array([[reciprocal_rank([rank]) for rank in row] for row in ranks])
    hit = np.array([[float(rank is not None and rank <= HIT_DEPTH) for rank in row] for row in ranks])
    worth = (mrr + hit) / 2
    place = weights.index(now)
    picked = np.full(len(records), place)
    everyone = range(len(records))
    for fold in folds(strata_of(records), min(FOLDS, len(records)), seed):
        rest = sorted(set(everyone) - set(fold))
        picked[fold] = _best_weight(worth[rest], weights, place)
    rows = np.arange(len(records))
    before, after = worth[:, place], worth[rows, picked]
    test = paired_means(before.tolist(), after.tolist(), seed)
    helps = test.low is not None and test.low > 0
    chosen = weights[_best_weight(worth, weights, place)] if helps else now
    means = zip(weights, mrr.mean(axis=0), hit.mean(axis=0), strict=True)
    return WeightFinding(
        present=now,
        chosen=None if chosen == now else chosen,
        tried=tuple(WeightTried(weight, float(m), float(h)) for weight, m, h in means),
        mrr=(mean_figure(mrr[:, place], seed), mean_figure(mrr[rows, picked], seed)),
        hit=(mean_figure(hit[:, place], seed), mean_figure(hit[rows, picked], seed)),
        gain=Figure(test.difference, test.low, test.high, len(records)),
    )


def _best_weight(worth: NDArray[np.float64], weights: Sequence[float], present: int) -> int:
    """The place of the best weight; of equal ones that nearest to the present one."""
    means = worth.mean(axis=0)
    near = [abs(weight - weights[present]) for weight in weights]
    return min(range(len(weights)), key=lambda place: (-round(float(means[place]), 9), near[place]))
