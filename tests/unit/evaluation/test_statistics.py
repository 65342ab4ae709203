"""Intervals and tests against values known by hand or from the definition."""

from __future__ import annotations

import random
import time
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.statistics import (
    kappa,
    mcnemar,
    mean_interval,
    paired_means,
    paired_percentiles,
    percentile,
    percentile_interval,
    wilson,
)


def test_wilson_interval_of_eight_in_ten() -> None:
    low, high = wilson(0.8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)


def test_percentile_of_a_known_list() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0


def test_shares_without_spread_have_wilsons_width() -> None:
    assert mean_interval([1.0] * 10) == wilson(1.0, 10)
    assert mean_interval([0.0]) == wilson(0.0, 1)


def test_the_interval_of_a_share_is_the_exact_bootstrap() -> None:
    # Of Binomial(10, 0.5): P(X <= 1) = 0.0107, P(X <= 2) = 0.0547, so 2 to 8.
    assert mean_interval([1.0, 0.0] * 5) == (0.2, 0.8)


def test_too_little_for_an_interval() -> None:
    assert mean_interval([]) is None
    assert mean_interval([0.4]) is None
    assert mean_interval([0.4, 0.4]) == (0.4, 0.4)
    assert percentile_interval([1.0], 0.5) is None


def test_the_bootstrap_of_a_mean_is_seeded_and_near_the_normal_interval() -> None:
    rng = random.Random(5)
    values = [rng.gauss(0.5, 0.1) for _ in range(400)]
    low, high = mean_interval(values, 1) or (0, 0)
    assert mean_interval(values, 1) == (low, high)
    assert mean_interval(values, 2) != (low, high)
    assert high - low == pytest.approx(2 * 1.96 * 0.1 / 20, rel=0.15)


def test_the_interval_of_a_median_holds_the_order_statistics_around_it() -> None:
    # Binomial(20, 0.5): 6 and 14 are its 2.5% and 97.5% points.
    low, high = percentile_interval([float(n) for n in range(1, 21)], 0.5) or (0, 0)
    assert (low, high) == (6.0, 15.0)


def test_mcnemar_counts_only_what_changed() -> None:
    before = [1.0] * 50 + [0.0] * 8 + [1.0]
    after = [1.0] * 50 + [1.0] * 8 + [0.0]
    assert mcnemar(before, after) == pytest.approx(2 * (comb(9, 0) + comb(9, 1)) / 2**9)
    assert mcnemar([1.0, 0.0], [1.0, 0.0]) == 1


def test_a_paired_gain_is_seen_and_noise_is_not() -> None:
    rng = random.Random(1)
    before = [rng.random() for _ in range(200)]
    better = paired_means(before, [value + 0.05 + rng.gauss(0, 0.02) for value in before])
    assert better.difference == pytest.approx(0.05, abs=0.005)
    assert (better.low or 0) > 0.04
    assert (better.p or 1) < 0.001
    noise = paired_means(before, [value + rng.choice([-0.02, 0.02]) for value in before])
    assert (noise.p or 0) > 0.05
    assert (noise.low or 1) < 0 < (noise.high or 0)


def test_a_small_permutation_test_is_near_its_exact_value() -> None:
    # Differences 0.1, 0.2, 0.3, 0.4: of the 16 sign patterns 2 are as far out, p = 1/8.
    test = paired_means([0.2, 0.2, 0.2, 0.2], [0.3, 0.4, 0.5, 0.6])
    assert test.p == pytest.approx(1 / 8, abs=0.03)


def test_values_that_count_in_one_run_only() -> None:
    test = paired_means([1.0, None, 0.5, 1.0], [None, 0.0, 0.5, None])
    assert test.difference == pytest.approx(0.25 - 2.5 / 3)
    assert paired_means([None, None], [1.0, 1.0]).difference is None
    assert paired_means([1.0], [0.0]).p is None
    assert paired_means([], []).difference is None


def test_paired_percentiles() -> None:
    rng = random.Random(2)
    before = [rng.uniform(4, 6) for _ in range(200)]
    faster = paired_percentiles(before, [value - 1 for value in before], 0.5)
    assert faster.difference == pytest.approx(-1)
    assert (faster.high or 0) < 0
    assert (faster.p or 1) < 0.01
    assert paired_percentiles(before, before, 0.95).p == 1
    assert paired_percentiles([], [], 0.5).difference is None


def test_kappa_by_hand() -> None:
    # 20 both yes, 5 and 10 apart, 15 both no (Cohen's textbook table): observed 0.7, by chance 0.5.
    first = [True] * 25 + [False] * 25
    second = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    assert kappa(first, second) == pytest.approx(0.4)
    assert kappa([True, True], [True, True]) is None
    assert kappa([], []) is None


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_an_interval_lies_within_the_values(values: list[float]) -> None:
    low, high = mean_interval(values) or (0, 1)
    assert 0 <= low <= high <= 1


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=2, max_size=30))
def test_a_comparison_looks_the_same_from_both_sides(pairs: list[tuple[float, float]]) -> None:
    there = paired_means([b for b, _ in pairs], [a for _, a in pairs])
    back = paired_means([a for _, a in pairs], [b for b, _ in pairs])
    assert there.p == pytest.approx(back.p)
    assert there.difference == pytest.approx(-(back.difference or 0.0))


def test_six_hundred_questions_take_no_time() -> None:
    rng = random.Random(3)
    metrics = [[rng.random() for _ in range(600)] for _ in range(15)]
    mean_interval(metrics[0])
    started = time.process_time()
    for values in metrics:
        mean_interval(values)
    assert time.process_time() - started < 3
