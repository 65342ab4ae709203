"""Who is refused with which values, and which values are chosen for a target."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.types import Tuning
from eval.records import Record
from eval.refusal import Cases, Target, choose
from tests.unit.evaluation_calibration.factories import PRESENT, a_passage, a_record


def cases(*records: Record, with_doubt: bool = True) -> Cases:
    return Cases.of(records, with_doubt=with_doubt)


@pytest.mark.parametrize(
    ("doubt", "strange", "quoted", "refused"),
    [
        (0.05, True, True, False),
        (0.10, True, True, False),
        (0.11, True, True, True),
        (0.11, False, True, False),
        (0.28, False, True, False),
        (0.29, False, True, True),
        (0.90, False, False, False),
        (0.90, True, False, True),
        (0.90, False, None, False),
        (0.40, False, None, True),
    ],
)
def test_doubt_refuses_as_the_service_does(doubt: float, strange: bool, quoted: bool | None, refused: bool) -> None:
    one = cases(a_record(1, doubt=doubt, strange=strange, quoted=quoted))
    assert list(one.refused_with(PRESENT)) == [refused]


def test_a_question_is_lost_where_its_right_page_does_not_pass() -> None:
    found = (a_passage("other", 0.9, page=7), a_passage("right", 0.6, page=1))
    one, none = cases(a_record(1, found=found)), cases(a_record(2, answerable=False, found=found))
    assert list(one.refused_with(replace(PRESENT, threshold=0.61))) == [True]
    assert list(one.refused_with(replace(PRESENT, threshold=0.60))) == [False]
    assert list(none.refused_with(replace(PRESENT, threshold=0.61))) == [False]
    assert list(none.refused_with(replace(PRESENT, threshold=0.91))) == [True]


def test_without_doubts_answers_are_left_aside() -> None:
    record = a_record(1, doubt=0.9, refused=True)
    assert list(cases(record, with_doubt=False).refused_with(PRESENT)) == [False]
    assert list(cases(record).refused_with(PRESENT)) == [True]


def threshold_cases() -> Cases:
    """Twenty right pages at 0.60, 0.61 ... 0.79; ten unanswerable questions at 0.55, five at 0.625."""
    answerable = [a_record(n, cosine=0.60 + n / 100) for n in range(20)]
    far = [a_record(20 + n, answerable=False, cosine=0.55) for n in range(10)]
    near = [a_record(30 + n, answerable=False, cosine=0.625) for n in range(5)]
    return cases(*answerable, *far, *near)


@pytest.mark.parametrize(
    ("most", "threshold", "recall"), [(0.0, 0.60, 10 / 15), (0.10, 0.60, 10 / 15), (0.15, 0.63, 1.0)]
)
def test_the_threshold_gains_most_within_the_target_and_costs_no_more(
    most: float, threshold: float, recall: float
) -> None:
    """At 0.10 two answerable questions may be lost, which would gain nothing: none is."""
    chosen, reachable = choose(
        threshold_cases(), PRESENT, Target("false_refusals", most), move_threshold=True, move_doubt=False
    )
    assert reachable
    assert chosen.threshold == pytest.approx(threshold)
    shares = threshold_cases().shares(threshold_cases().refused_with(chosen))
    assert shares.refusal_recall == pytest.approx(recall)
    assert shares.false_refusals <= most


def test_the_other_target_bounds_what_is_invented() -> None:
    chosen, reachable = choose(
        threshold_cases(), PRESENT, Target("invented", 0.0), move_threshold=True, move_doubt=False
    )
    assert reachable
    assert chosen.threshold == pytest.approx(0.63)


def doubt_cases() -> Cases:
    """Answerable up to 0.4 (strange up to 0.1); unanswerable from 0.5 (strange from 0.2)."""
    plain = [a_record(n, doubt=0.02 * n) for n in range(1, 21)]
    strange = [a_record(20 + n, doubt=0.01 * n, strange=True) for n in range(1, 11)]
    none = [a_record(40 + n, answerable=False, doubt=0.45 + 0.05 * n) for n in range(1, 6)]
    odd = [a_record(50 + n, answerable=False, doubt=0.1 + 0.1 * n, strange=True) for n in range(1, 4)]
    return cases(*plain, *strange, *none, *odd)


def test_both_limits_of_doubt_are_found() -> None:
    made = doubt_cases()
    chosen, reachable = choose(made, PRESENT, Target("false_refusals", 0.0), move_threshold=False, move_doubt=True)
    assert reachable
    shares = made.shares(made.refused_with(chosen))
    assert (shares.false_refusals, shares.refusal_recall) == (0.0, 1.0)
    assert chosen.most_doubt is not None
    assert 0.4 <= chosen.most_doubt < 0.5
    assert chosen.most_doubt_strange == PRESENT.most_doubt_strange, "a limit that is right stays"
    assert chosen.threshold == PRESENT.threshold


def test_counting_by_kind_agrees_with_counting_one_by_one() -> None:
    """The chosen pair is as good as any that is tried by brute force."""
    made, target = doubt_cases(), Target("false_refusals", 0.10)
    chosen, _ = choose(made, PRESENT, target, move_threshold=False, move_doubt=True)
    best = 0.0
    for strange_limit in range(0, 101, 2):
        for limit in range(strange_limit, 101, 2):
            tuning = replace(PRESENT, most_doubt=limit / 100, most_doubt_strange=strange_limit / 100)
            shares = made.shares(made.refused_with(tuning))
            if shares.meets(target):
                best = max(best, shares.refusal_recall)
    assert made.shares(made.refused_with(chosen)).refusal_recall == pytest.approx(best)


def test_where_nothing_meets_the_target_the_present_values_stay() -> None:
    records = [a_record(n, refused=n < 5, doubt=0.9) for n in range(10)]
    made = cases(*records, a_record(10, answerable=False, doubt=0.5), a_record(11, answerable=False, doubt=0.6))
    chosen, reachable = choose(made, PRESENT, Target(), move_threshold=True, move_doubt=True)
    assert (chosen, reachable) == (PRESENT, False)


def test_tunings_fill_each_other_in() -> None:
    assert Tuning(threshold=0.0).over(PRESENT) == replace(PRESENT, threshold=0.0)
