"""The verdict of each kind of record, why it went wrong, and what it counts for in every metric."""

from __future__ import annotations

from typing import Any

import pytest

from eval.records import Judgement, Record, RunSettings
from eval.scoring import score
from tests.unit.evaluation.factories import (
    a_citation,
    a_passage,
    a_question,
    a_record,
    a_refusal,
    an_unanswerable,
    pages,
    sentences,
)

FAILED: dict[str, Any] = {"answer": "", "error": "model_unavailable"}
RETRIEVAL = RunSettings(mode="retrieval")


@pytest.mark.parametrize(
    ("record", "verdict", "why"),
    [
        (a_record(), "right", None),
        (a_record(answer="Hold it for 6 seconds."), "wrong", "wrong_number"),
        (a_record(answer="Hold it for long."), "wrong", "misread"),
        (a_record(answer="Long.", found=pages(1, 2, 3)), "wrong", "page_not_found"),
        (a_record(answer="Long.", found=pages(1, 7), shown=1), "wrong", "page_too_low"),
        (a_record(answer="Long.", found=pages(1, 7), shown=2), "wrong", "misread"),
        (a_record(answer="Long.", found=(a_passage(passed=False),)), "wrong", "below_threshold"),
        (a_record(answer="Press OK.", mode="extractive"), "wrong", "extractive"),
        (a_record(a_question(fake_answer=("the handle",)), answer="The handle."), "wrong", "states_fake_answer"),
        (a_record(a_question(answer_parts=("5 s", "red light")), answer="For 5 seconds."), "wrong", "incomplete"),
        (a_record(a_question(answer_parts=("5 s", "red light")), answer="5 s, red light"), "right", None),
        (a_refusal(), "refused", "model_refused"),
        (a_refusal(doubt=0.3), "refused", "doubted"),
        (a_refusal(doubt=0.97), "refused", "model_refused"),
        (a_refusal(reason="not_grounded"), "refused", "not_grounded"),
        (a_refusal(reason="not_grounded", found=pages(1)), "refused", "page_not_found"),
        (a_refusal(reason="below_threshold", found=(a_passage(passed=False),)), "refused", "below_threshold"),
        (a_refusal(reason="no_documents", found=()), "refused", "no_documents"),
        (a_refusal(a_question(relevant_pages=()), reason="below_threshold"), "refused", "below_threshold"),
        (a_record(**FAILED), "failed", "error"),
        (a_record(a_question(answers=())), "unlabelled", None),
        (a_refusal(a_question(answers=())), "refused", "model_refused"),
        (a_refusal(an_unanswerable()), "refused_rightly", None),
        (a_record(an_unanswerable()), "invented", "answered_anyway"),
        (a_record(an_unanswerable(withheld_answer=("5 s",))), "invented", "own_knowledge"),
        (a_record(an_unanswerable(fake_answer=("5 s",))), "invented", "states_fake_answer"),
        (a_record(an_unanswerable(), **FAILED), "failed", "error"),
    ],
)
def test_verdict_and_reason(record: Record, verdict: str, why: str | None) -> None:
    scored = score(record)
    assert (scored.verdict, scored.why) == (verdict, why)


def test_a_right_answer_counts_for_these() -> None:
    record = a_record(
        found=pages(1, 7),
        citations=(a_citation(), a_citation(("pump.pdf", 1), true=False), a_citation(("PUMP.pdf", 7), true=None)),
        sentences=sentences(True, True, False, True),
        prompt_tokens=900,
        completion_tokens=30,
    )
    scored = score(record)
    assert dict(scored.metrics) == pytest.approx(
        {
            "hit@1": 0,
            "hit@3": 1,
            "hit@5": 1,
            "hit@10": 1,
            "mrr@10": 0.5,
            "ndcg@10": 0.6309297535714575,
            "answer_accuracy": 1,
            "exact_match": 0,
            # hold it for 5 s / 5 s: 2 in common of 5 and 2
            "token_f1": 4 / 7,
            "false_refusal_rate": 0,
            "citation_precision": 0.5,
            "citation_page_precision": 2 / 3,
            "groundedness": 0.75,
            "failed_rate": 0,
            "prompt_tokens": 900,
            "completion_tokens": 30,
        }
    )
    assert (scored.rank, scored.exact, scored.token_f1) == (2, False, pytest.approx(4 / 7))


@pytest.mark.parametrize(
    ("record", "metrics"),
    [
        (a_refusal(an_unanswerable()), {"refusal_recall": 1, "refusal_precision": 1, "invented_rate": 0}),
        (a_record(an_unanswerable()), {"refusal_recall": 0, "invented_rate": 1}),
        (a_record(an_unanswerable(), **FAILED), {"refusal_recall": 0, "invented_rate": 0, "failed_rate": 1}),
        (a_refusal(), {"answer_accuracy": 0, "token_f1": 0, "false_refusal_rate": 1, "refusal_precision": 0}),
        (a_record(**FAILED, found=()), {"answer_accuracy": 0, "false_refusal_rate": 0, "hit@5": 0, "failed_rate": 1}),
        (a_refusal(a_question(answers=())), {"false_refusal_rate": 1, "refusal_precision": 0}),
    ],
)
def test_what_a_refusal_and_an_error_count_for(record: Record, metrics: dict[str, float]) -> None:
    values = dict(score(record).metrics)
    assert {name: values.get(name) for name in metrics} == metrics
    kinds = {"answer_accuracy", "refusal_recall", "refusal_precision", "invented_rate", "false_refusal_rate"}
    assert kinds & set(values) <= set(metrics) | {"answer_accuracy"}


def test_an_unanswerable_question_counts_for_no_ranking_and_an_unlabelled_one_for_no_accuracy() -> None:
    assert not {"hit@5", "answer_accuracy"} & set(dict(score(a_record(an_unanswerable())).metrics))
    unlabelled = dict(score(a_record(a_question(answers=()))).metrics)
    assert "hit@5" in unlabelled
    assert "answer_accuracy" not in unlabelled


def test_all_pages_where_all_are_needed() -> None:
    question = a_question(relevant_pages=(("pump.pdf", 7), ("pump.pdf", 9)), needs_all=True)
    half = score(a_record(question, answer="Long.", found=pages(7)))
    assert (half.why, half.rank, half.value("hit@5")) == ("page_not_found", None, 0)
    whole = score(a_record(question, answer="Long.", found=pages(9, 1, 7)))
    assert (whole.why, whole.rank, whole.value("hit@5")) == ("misread", 3, 1)


def test_a_passage_over_two_pages_counts_as_both() -> None:
    assert score(a_record(found=(a_passage(("pump.pdf", 6), end=7),))).rank == 2


def test_a_run_without_answers_is_only_searched() -> None:
    found = score(a_record(answer="", mode=None), RETRIEVAL)
    assert (found.verdict, found.why) == ("searched", None)
    assert "answer_accuracy" not in dict(found.metrics)
    lost = score(a_record(answer="", mode=None, found=pages(1)), RETRIEVAL)
    assert (lost.verdict, lost.why) == ("searched", "page_not_found")
    assert score(a_record(an_unanswerable(), answer="", mode=None), RETRIEVAL).why is None
    assert score(a_record(answer="", error="index_unavailable", found=()), RETRIEVAL).verdict == "failed"


def test_the_judge() -> None:
    judged = RunSettings(judge=True)
    assert score(a_record(judgement=Judgement(right=True)), judged).value("judge_accuracy") == 1
    assert score(a_record(judgement=Judgement(right=False)), judged).value("judge_accuracy") == 0
    assert score(a_refusal(), judged).value("judge_accuracy") == 0
    assert score(a_refusal()).value("judge_accuracy") is None
    assert score(a_record(), judged).value("judge_accuracy") is None
