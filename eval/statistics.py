"""Intervals and tests of figures: how far a value, or a difference of two, can be trusted.

Everything is deterministic for a seed. Shares of 0/1 values need no resampling: the bootstrap of their mean is a
binomial distribution. Percentiles take the order statistics that bracket them (Conover 1999, section 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

SEED = 20261123
CONFIDENCE = 0.95
RESAMPLES = 2000
FEWEST_FOR_BCA, MOST_FOR_BCA = 10, 2000
"""Outside, the percentile interval is taken: a few values tell BCa nothing of their skew, and its jackknife takes the
square of their number."""

_BATCH_VALUES = 2_000_000
_TIE = 1e-12

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The difference after - before, its 95% interval, and the two-sided p of "no difference"; None: not testable."""

    difference: float | None
    low: float | None
    high: float | None
    p: float | None


def mean(values: Sequence[float | bool]) -> float:
    """Arithmetic mean; not a number for no values."""
    return sum(values) / len(values) if values else float("nan")


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank); not a number for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def wilson(share: float, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Confidence interval of a share (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * ((share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def mean_interval(values: Sequence[float], seed: int = SEED) -> tuple[float, float] | None:
    """95% interval of a mean: the bootstrap's, bias-corrected and accelerated (BCa, Efron 1987).

    0/1 values give the exact percentile interval of the bootstrap, and Wilson's where all are equal, as the bootstrap
    has no width there. None for no values and for a single one that is neither 0 nor 1.
    """
    n = len(values)
    if n == 0:
        return None
    if set(values) <= {0.0, 1.0}:
        return _share_interval(round(sum(values)), n)
    if n == 1:
        return None
    array = np.asarray(values, dtype=np.float64)
    if np.ptp(array) < _TIE:
        return float(array[0]), float(array[0])
    return _bootstrap(array, seed)


def percentile_interval(values: Sequence[float], share: float) -> tuple[float, float] | None:
    """95% interval of a percentile, from the order statistics around it; None for fewer than two values."""
    from scipy.stats import binom  # noqa: PLC0415 - most of a second, which commands that compute nothing need not wait

    n = len(values)
    if n < 2:
        return None
    ordered = sorted(values)
    tail = (1 - CONFIDENCE) / 2
    low = int(binom.ppf(tail, n, share))
    high = int(binom.ppf(1 - tail, n, share))
    return ordered[max(0, min(n - 1, low - 1))], ordered[min(n - 1, high)]


def mcnemar(before: Sequence[float], after: Sequence[float]) -> float:
    """Exact two-sided McNemar test on paired 0/1 values: whether as many went up as went down."""
    from scipy.stats import binomtest  # noqa: PLC0415

    up = sum(b < a for b, a in zip(before, after, strict=True))
    down = sum(b > a for b, a in zip(before, after, strict=True))
    return float(binomtest(up, up + down, 0.5).pvalue) if up + down else 1.0


def paired_means(before: Sequence[float | None], after: Sequence[float | None], seed: int = SEED) -> PairedTest:
    """Two means over the same questions, of which some count in one run only (None).

    The interval is the percentile bootstrap over questions. p is McNemar's where every question has a 0 or 1 on both
    sides, otherwise of the permutation test that exchanges the two runs' values of a question at random.
    """
    first, second = _with_weights(before), _with_weights(after)
    difference = _difference(first, second)
    if difference is None:
        return PairedTest(None, None, None, None)
    n = len(before)
    if n < 2:
        return PairedTest(difference, None, None, None)
    rng = np.random.default_rng(seed)
    resampled = np.concatenate([_resampled(rng, first, second, size) for size in _batches(n)])
    low, high = np.nanquantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    plain = [value for value in (*before, *after) if value is not None]
    if len(plain) == 2 * n and set(plain) <= {0.0, 1.0}:
        p = mcnemar([value or 0.0 for value in before], [value or 0.0 for value in after])
    else:
        exchanged = np.concatenate([_exchanged(rng, first, second, size) for size in _batches(n)])
        p = _two_sided(exchanged, difference)
    return PairedTest(difference, float(low), float(high), p)


def paired_percentiles(before: Sequence[float], after: Sequence[float], share: float, seed: int = SEED) -> PairedTest:
    """The same of a percentile of paired values."""
    if not before:
        return PairedTest(None, None, None, None)
    difference = percentile(after, share) - percentile(before, share)
    n = len(before)
    if n < 2:
        return PairedTest(difference, None, None, None)
    rng = np.random.default_rng(seed)
    pairs = np.array([before, after], dtype=np.float64)
    rank = min(n - 1, int(share * n))
    resampled, exchanged = [], []
    for size in _batches(n):
        drawn = pairs[:, rng.integers(0, n, (size, n))]
        resampled.append(_ranked(drawn[1], rank) - _ranked(drawn[0], rank))
        swap = rng.random((size, n)) < 0.5
        exchanged.append(
            _ranked(np.where(swap, pairs[0], pairs[1]), rank) - _ranked(np.where(swap, pairs[1], pairs[0]), rank)
        )
    low, high = np.quantile(np.concatenate(resampled), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return PairedTest(difference, float(low), float(high), _two_sided(np.concatenate(exchanged), difference))


def kappa(first: Sequence[bool], second: Sequence[bool]) -> float | None:
    """Cohen's kappa (1960) of two judges; None where it is not defined: no case, or both always say the same."""
    n = len(first)
    if n == 0:
        return None
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    one, two = sum(first) / n, sum(second) / n
    by_chance = one * two + (1 - one) * (1 - two)
    return None if by_chance > 1 - _TIE else (agreed - by_chance) / (1 - by_chance)


def _share_interval(ones: int, n: int) -> tuple[float, float]:
    from scipy.stats import binom  # noqa: PLC0415

    if ones in (0, n):
        return wilson(ones / n, n)
    low, high = binom.ppf([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], n, ones / n) / n
    return float(low), float(high)


def _bootstrap(array: Values, seed: int) -> tuple[float, float]:
    from scipy.stats import bootstrap  # noqa: PLC0415

    result = bootstrap(
        (array,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, _BATCH_VALUES // len(array)),
        vectorized=True,
        confidence_level=CONFIDENCE,
        method="BCa" if FEWEST_FOR_BCA <= len(array) <= MOST_FOR_BCA else "percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(result.low), float(result.high)


def _batches(n: int) -> list[int]:
    """RESAMPLES in parts that keep the arrays small."""
    size = max(1, min(RESAMPLES, _BATCH_VALUES // n))
    return [min(size, RESAMPLES - start) for start in range(0, RESAMPLES, size)]


def _with_weights(values: Sequence[float | None]) -> tuple[Values, Values]:
    """The values with 0 for None, and 1 for each that counts."""
    return (
        np.array([value or 0.0 for value in values], dtype=np.float64),
        np.array([value is not None for value in values], dtype=np.float64),
    )


def _difference(first: tuple[Values, Values], second: tuple[Values, Values]) -> float | None:
    if not (first[1].any() and second[1].any()):
        return None
    return float(second[0].sum() / second[1].sum() - first[0].sum() / first[1].sum())


def _resampled(
    rng: np.random.Generator, first: tuple[Values, Values], second: tuple[Values, Values], size: int
) -> Values:
    n = len(first[0])
    times = rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)
    return _ratio(times @ second[0], times @ second[1]) - _ratio(times @ first[0], times @ first[1])


def _exchanged(
    rng: np.random.Generator, first: tuple[Values, Values], second: tuple[Values, Values], size: int
) -> Values:
    swap = (rng.random((size, len(first[0]))) < 0.5).astype(np.float64)
    moved = [swap @ (b - a) for a, b in zip(first, second, strict=True)]
    new_first = _ratio(first[0].sum() + moved[0], first[1].sum() + moved[1])
    new_second = _ratio(second[0].sum() - moved[0], second[1].sum() - moved[1])
    return new_second - new_first


def _ratio(total: Values, count: Values) -> Values:
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > _TIE)


def _ranked(rows: Values, rank: int) -> Values:
    return np.partition(rows, rank, axis=1)[:, rank]


def _two_sided(exchanged: Values, difference: float) -> float:
    """Share of exchanges at least as far from 0, the one seen counted in (Phipson and Smyth 2010)."""
    told = exchanged[~np.isnan(exchanged)]
    return float((np.sum(np.abs(told) >= abs(difference) - _TIE) + 1) / (len(told) + 1))
