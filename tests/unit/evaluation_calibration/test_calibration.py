"""Calibration of whole runs: known optima are found, noise is not, and held-out figures do not flatter."""

from __future__ import annotations

import random

import numpy as np
import pytest

from eval.calibration import Calibrated, Warned, calibrate, risk_coverage
from eval.calibration_wording import WORDING, warning_text
from eval.folds import folds
from eval.records import Record
from eval.refusal import Target
from tests.unit.evaluation_calibration.factories import PRESENT, a_passage, a_record, a_run, fused


def codes(made: Calibrated) -> set[str]:
    return {warned.code for warned in made.warnings}


def separated(count: int, *, seed: int = 1, doubts: bool = False) -> list[Record]:
    """Right pages around 0.8 and unanswerable questions around 0.6; doubts around 0.35 and 0.8."""
    rng = random.Random(seed)
    records = []
    for number in range(count):
        answerable = number % 3 != 0
        doubt = min(0.99, max(0.01, rng.gauss(0.35 if answerable else 0.8, 0.06))) if doubts else None
        cosine = rng.gauss(0.8 if answerable else 0.6, 0.05)
        records.append(
            a_record(number, answerable=answerable, cosine=cosine, doubt=doubt, lang="zh" if number % 2 else "en")
        )
    return records


def test_a_threshold_between_two_heaps_is_found_and_holds_on_held_out_questions() -> None:
    made = calibrate(a_run(separated(240)), PRESENT, Target("false_refusals", 0.05))
    assert made.tuning.threshold is not None
    assert 0.65 < made.tuning.threshold < 0.75
    assert made.refusal is not None
    recall_before, recall_held_out = made.refusal.refusal_recall
    assert recall_before.value is not None
    assert recall_held_out.value is not None
    assert recall_before.value < 0.1
    assert recall_held_out.value > 0.9
    assert made.refusal.false_refusals[1].n == 160
    assert (made.answerable, made.unanswerable, made.folds) == (160, 80, 5)
    assert codes(made) == {"no_doubts"}
    assert made.tuning.most_doubt is None


def test_limits_of_doubt_are_found_where_answers_were_kept() -> None:
    records = [record.model_copy(update={"found": (a_passage("c1", 0.8),)}) for record in separated(150, doubts=True)]
    made = calibrate(a_run(records, answers=True), PRESENT, Target("false_refusals", 0.02))
    assert made.tuning.threshold is None, "all cosines are equal"
    assert made.tuning.most_doubt is not None
    assert 0.45 < made.tuning.most_doubt < 0.7
    assert made.refusal is not None
    assert (made.refusal.refusal_recall[1].value or 0) > 0.9
    assert set(made.curves) == {"cosine", "doubt"}


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_random_labels_change_nothing_and_say_so(seed: int) -> None:
    rng = random.Random(seed)
    records = [
        a_record(n, answerable=rng.random() < 0.6, cosine=rng.uniform(0.7, 0.9), doubt=rng.random()) for n in range(200)
    ]
    made = calibrate(a_run(records, answers=True), PRESENT, Target())
    assert (made.tuning.threshold, made.tuning.most_doubt, made.tuning.most_doubt_strange) == (None, None, None)
    assert {"cosine_no_separation", "doubt_no_separation"} <= codes(made)
    assert made.refusal is not None
    for figure in made.refusal.separation.values():
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low < 0.5 + 0.08
        assert figure.high > 0.5 - 0.08


def test_a_weight_that_helps_is_taken() -> None:
    """Vectors alone are right about everything here: the words mislead in most of the questions."""
    records = []
    for number in range(60):
        passages = [
            a_passage("right", 0.80, 1, bm25=1.0),
            a_passage("wrong", 0.79, 2, bm25=9.0),
            a_passage("z", 0.6, 3),
        ]
        records.append(a_record(number, found=fused(passages, 0.5)))
    made = calibrate(a_run(records), PRESENT, Target())
    assert made.weight is not None
    assert made.tuning.keyword_weight == made.weight.chosen == 0.0
    assert made.weight.gain.low is not None
    assert made.weight.gain.low > 0
    assert (made.weight.mrr[0].value, made.weight.mrr[1].value) == (pytest.approx(0.5), pytest.approx(1.0))


def test_weights_that_tie_keep_the_present_one() -> None:
    made = calibrate(a_run([a_record(n) for n in range(40)]), PRESENT, Target())
    assert made.weight is not None
    assert made.weight.chosen is None
    assert made.tuning.keyword_weight is None


@pytest.mark.parametrize("seed", range(5))
def test_noise_does_not_move_the_weight(seed: int) -> None:
    rng = random.Random(seed)
    records = []
    for number in range(60):
        passages = [
            a_passage(f"c{page}", rng.uniform(0.7, 0.9), page, bm25=rng.uniform(1, 20)) for page in range(1, 13)
        ]
        records.append(a_record(number, found=fused(passages, 0.5)))
    made = calibrate(a_run(records), PRESENT, Target())
    assert made.weight is not None
    flattering = max(tried.mrr for tried in made.weight.tried)
    assert made.weight.mrr[1].value is not None
    assert made.weight.mrr[1].value <= flattering
    assert made.tuning.keyword_weight is None


def test_too_few_questions_are_said_to_be_too_few() -> None:
    made = calibrate(a_run(separated(12)), PRESENT, Target())
    assert {"few_answerable", "few_unanswerable"} <= codes(made)


def test_without_unanswerable_questions_refusal_is_left_alone() -> None:
    made = calibrate(a_run([a_record(n) for n in range(30)]), PRESENT, Target())
    assert made.refusal is None
    assert made.tuning.threshold is None
    assert "few_unanswerable" in codes(made)


def test_a_target_out_of_reach_changes_nothing() -> None:
    records = [
        record.model_copy(update={"refused": record.question.answerable and record.index % 2 == 0})
        for record in separated(90, doubts=True)
    ]
    made = calibrate(a_run(records, answers=True), PRESENT, Target("false_refusals", 0.05))
    assert made.refusal is not None
    assert not made.refusal.reachable
    assert "target_not_reachable" in codes(made)
    assert (made.tuning.threshold, made.tuning.most_doubt) == (None, None)


def test_errors_are_left_out_and_told() -> None:
    records = separated(60)
    broken = [record.model_copy(update={"error": "model_unavailable"}) for record in records[:20]]
    made = calibrate(a_run([*broken, *records[20:]]), PRESENT, Target())
    assert made.answerable + made.unanswerable == 40
    assert "many_errors" in codes(made)


def test_the_same_run_and_seed_give_the_same() -> None:
    run = a_run(separated(90, doubts=True), answers=True)
    assert calibrate(run, PRESENT, Target()) == calibrate(run, PRESENT, Target())


def test_folds_hold_every_place_once_and_each_stratum_evenly() -> None:
    strata = ["a"] * 10 + ["b"] * 7 + ["c"] * 3
    parts = folds(strata, 5, seed=1)
    assert sorted(place for part in parts for place in part) == list(range(20))
    assert [sum(strata[place] == "a" for place in part) for part in parts] == [2] * 5
    assert all(1 <= sum(strata[place] == "b" for place in part) <= 2 for part in parts)


def test_the_risk_coverage_curve_by_hand() -> None:
    """Sure and right, two equally sure of which one is wrong, unsure and wrong; one of five questions is refused."""
    curve = risk_coverage(np.array([0.2, 0.9, 0.5, 0.5]), np.array([False, True, True, False]), asked=5)
    assert [(point.coverage, point.confidence) for point in curve] == [(0.2, 0.9), (0.6, 0.5), (0.8, 0.2)]
    assert [point.risk for point in curve] == pytest.approx([0.0, 1 / 3, 0.5])


def test_every_warning_is_worded_in_both_languages() -> None:
    values = {"n": 3, "of": 9, "least": 20, "auc": 0.5, "low": 0.4, "high": 0.6, "most": 0.05, "threshold": 0.8}
    for code in WORDING:
        for kind in ("false_refusals", "invented"):
            warned = Warned(code, {**values, "kind": kind})
            english, chinese = warning_text(warned, "en"), warning_text(warned, "zh")
            assert "{" not in english + chinese
            assert english.isascii()
            assert not chinese.isascii()
