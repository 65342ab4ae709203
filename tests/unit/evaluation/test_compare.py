"""Two runs side by side: what is shared, what changed, and whether it means anything."""

from __future__ import annotations

import pytest

from eval.compare import compare
from eval.figures import Difference
from eval.metrics import METRICS
from eval.records import Record, RunSettings
from tests.unit.evaluation.factories import a_question, a_record, a_refusal, a_run, an_unanswerable, pages


def numbered(number: int, record: Record, **fields: object) -> Record:
    return record.model_copy(update={"question": record.question.model_copy(update={"id": f"q{number}"} | fields)})


def of(differences: tuple[Difference, ...], metric: str) -> Difference:
    return next(difference for difference in differences if difference.metric == metric)


def test_only_questions_with_the_same_id_and_text_are_compared() -> None:
    before = a_run(numbered(1, a_record()), numbered(2, a_record()), numbered(3, a_record()))
    after = a_run(
        numbered(1, a_record()),
        numbered(2, a_record(), question="Another?"),
        numbered(4, a_record()),
        numbered(5, a_record()),
    )
    comparison = compare(before, after)
    assert (comparison.shared, comparison.only_before, comparison.only_after) == (1, 2, 3)
    assert comparison.changes == ()


def test_better_and_worse() -> None:
    wrong, right, none = a_record(answer="6 s"), a_record(), a_record(answer="", error="model_unavailable")
    before = [wrong, right, none, a_refusal(), wrong, right]
    after = [right, wrong, wrong, right, a_refusal(), right]
    comparison = compare(
        a_run(*(numbered(n, record) for n, record in enumerate(before))),
        a_run(*(numbered(n, record) for n, record in enumerate(after))),
    )
    assert [(change.question_id, change.better) for change in comparison.changes] == [
        ("q1", False),
        ("q0", True),
        ("q2", True),
        ("q3", True),
        ("q4", True),
    ]
    accuracy = of(comparison.differences, "answer_accuracy")
    assert (accuracy.before.value, accuracy.after.value) == (pytest.approx(2 / 6), pytest.approx(3 / 6))
    # Two up, one down: 2 * P(Binomial(3, 1/2) <= 1) is 1.
    assert (accuracy.difference, accuracy.p) == (pytest.approx(1 / 6), 1)


def test_a_great_gain_is_significant_and_the_same_run_is_not() -> None:
    before = a_run(*(numbered(n, a_record(answer="6 s" if n < 12 else "5 s", seconds=4.0)) for n in range(30)))
    after = a_run(*(numbered(n, a_record(seconds=3.0 + n / 100)) for n in range(30)))
    accuracy = of(compare(before, after).differences, "answer_accuracy")
    assert accuracy.p == pytest.approx(2 / 2**12)
    assert (accuracy.low or 0) > 0.2
    assert (of(compare(before, after).differences, "seconds_p50").p or 1) < 0.01
    same = compare(before, before)
    assert {difference.difference for difference in same.differences} == {0}
    assert {difference.p for difference in same.differences} == {1}
    assert [difference.metric for difference in same.differences] == [
        name for name in METRICS if name in {difference.metric for difference in same.differences}
    ]


def test_both_runs_are_judged_by_the_later_labels() -> None:
    before = a_run(numbered(1, a_record(answer="6 s")))
    after = a_run(numbered(1, a_record(a_question(answers=("6 s",)), answer="6 s")))
    assert compare(before, after).changes == ()


def test_refusals_that_count_in_one_run_only() -> None:
    before = a_run(numbered(1, a_refusal()), numbered(2, a_refusal(an_unanswerable())), numbered(3, a_record()))
    after = a_run(numbered(1, a_record()), numbered(2, a_refusal(an_unanswerable())), numbered(3, a_record()))
    precision = of(compare(before, after).differences, "refusal_precision")
    assert (precision.before.value, precision.after.value, precision.difference) == (0.5, 1, 0.5)


def test_runs_that_only_searched_differ_by_what_they_found() -> None:
    settings = RunSettings(mode="retrieval")
    lost, found = a_record(answer="", found=pages(1)), a_record(answer="")
    before = a_run(numbered(1, lost), numbered(2, found), settings=settings)
    after = a_run(numbered(1, found), numbered(2, found), settings=settings)
    assert [(change.question_id, change.better) for change in compare(before, after).changes] == [("q1", True)]


def test_nothing_shared() -> None:
    comparison = compare(a_run(numbered(1, a_record())), a_run(numbered(2, a_record())))
    assert (comparison.shared, comparison.differences, comparison.changes) == (0, (), ())
