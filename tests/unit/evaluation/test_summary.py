"""Figures of whole runs against cases worked out by hand."""

from __future__ import annotations

import time
import warnings

import pytest

from eval.metrics import METRICS
from eval.records import Judgement, Record, RunSettings
from eval.statistics import wilson
from eval.summary import summarise
from tests.unit.evaluation.factories import (
    a_citation,
    a_passage,
    a_question,
    a_record,
    a_refusal,
    a_run,
    an_unanswerable,
    pages,
    sentences,
)


def test_the_figures_of_eight_questions() -> None:
    summary = summarise(
        a_run(
            a_record(seconds=1.0),
            a_record(seconds=2.0),
            a_record(seconds=3.0),
            a_record(answer="No idea.", found=pages(1), seconds=4.0),
            a_refusal(seconds=5.0),
            a_record(answer="", error="model_unavailable", seconds=60.0),
            a_refusal(an_unanswerable(), seconds=6.0),
            a_record(an_unanswerable(), seconds=7.0),
        )
    )
    values = {name: figure.value for name, figure in summary.figures.items()}
    assert values == pytest.approx(
        values
        | {
            "answer_accuracy": 3 / 6,
            "false_refusal_rate": 1 / 6,
            "refusal_recall": 1 / 2,
            "refusal_precision": 1 / 2,
            "invented_rate": 1 / 2,
            "failed_rate": 1 / 8,
            "hit@5": 5 / 6,
            "seconds_p50": 4.0,
            "seconds_p95": 7.0,
        }
    )
    assert summary.figures["answer_accuracy"].n == 6
    assert summary.verdicts == {"right": 3, "wrong": 1, "refused": 1, "failed": 1, "refused_rightly": 1, "invented": 1}
    assert summary.reasons == {"page_not_found": 1, "model_refused": 1, "error": 1, "answered_anyway": 1}
    assert list(summary.figures) == [name for name in METRICS if name in summary.figures]


def test_a_share_of_all_has_an_interval_too() -> None:
    figure = summarise(a_run(*[a_record() for _ in range(10)])).figures["answer_accuracy"]
    assert (figure.value, figure.low, figure.high) == (1.0, *wilson(1.0, 10))


def test_groups_by_language_type_and_document() -> None:
    chinese = a_question(lang="zh", type="spec", relevant_pages=(("泵.pdf", 2),))
    summary = summarise(
        a_run(
            a_record(a_question(type="spec")),
            a_record(chinese, answer="按住 5 秒。"),
            a_record(chinese, answer="按住 6 秒。"),
            a_refusal(an_unanswerable(lang="zh")),
        )
    )
    figures = {(group.by, group.value): group for group in summary.groups}
    assert set(figures) == {
        ("language", "en"),
        ("language", "zh"),
        ("type", "spec"),
        ("document", "pump.pdf"),
        ("document", "泵.pdf"),
    }
    assert figures["language", "zh"].n == 3
    assert figures["language", "zh"].figures["answer_accuracy"].value == 0.5
    assert figures["type", "spec"].figures["answer_accuracy"].value == pytest.approx(2 / 3)
    assert figures["document", "pump.pdf"].figures["hit@1"].value == 1


def test_latencies_leave_out_what_failed() -> None:
    records = [a_record(seconds=float(n), seconds_to_sources=0.5) for n in range(1, 101)]
    latencies = summarise(a_run(*records, a_record(error="x", answer="", seconds=999.0))).latencies
    assert latencies["total"] == {"p50": 51.0, "p90": 91.0, "p95": 96.0, "p99": 100.0, "mean": 50.5}
    assert latencies["sources"]["p99"] == 0.5
    assert "first_token" not in latencies


def test_risk_and_coverage_by_doubt() -> None:
    points = summarise(
        a_run(
            a_record(doubt=0.1),
            a_record(an_unanswerable(), doubt=0.2),
            a_record(doubt=0.2),
            a_record(answer="No idea.", doubt=0.6),
            a_refusal(doubt=0.9),
        )
    ).risk_coverage
    assert [(point.coverage, point.risk, point.confidence) for point in points] == [
        (pytest.approx(1 / 5), 0, pytest.approx(0.9)),
        (pytest.approx(3 / 5), pytest.approx(1 / 3), pytest.approx(0.8)),
        (pytest.approx(4 / 5), pytest.approx(1 / 2), pytest.approx(0.4)),
    ]


def test_risk_and_coverage_by_cosine_where_no_model_told_its_doubt() -> None:
    points = summarise(
        a_run(
            a_record(found=(a_passage(cosine=0.7), a_passage(cosine=0.9))),
            a_record(answer="No idea.", found=(a_passage(cosine=0.8),)),
            a_record(a_question(answers=()), found=(a_passage(cosine=0.99),)),
        )
    ).risk_coverage
    assert [(point.coverage, point.risk, point.confidence) for point in points] == [(0.5, 0, 0.9), (1, 0.5, 0.8)]


def test_agreement_with_the_judge() -> None:
    def judged(right: bool, by_judge: bool) -> Record:
        return a_record(answer="5 s" if right else "none", judgement=Judgement(right=by_judge))

    records = [judged(True, True)] * 20 + [judged(True, False)] * 5 + [judged(False, True)] * 10
    summary = summarise(a_run(*records, *[judged(False, False)] * 15, settings=RunSettings(judge=True)))
    assert summary.judge_agreement is not None
    assert summary.judge_agreement.value == pytest.approx(0.7)
    assert summary.judge_kappa == pytest.approx(0.4)
    assert summary.figures["judge_accuracy"].value == pytest.approx(0.6)
    assert summarise(a_run(a_record())).judge_agreement is None


def test_a_run_without_records_has_no_figures() -> None:
    summary = summarise(a_run(questions=5))
    assert (summary.figures, summary.groups, summary.risk_coverage, summary.latencies) == ({}, (), (), {})


def test_a_search_only_run_has_ranking_figures_only() -> None:
    searched = a_record(answer="", mode=None, seconds=0.1)
    summary = summarise(a_run(searched, searched, settings=RunSettings(mode="retrieval")))
    assert "hit@5" in summary.figures
    assert not {"answer_accuracy", "refusal_recall", "false_refusal_rate"} & set(summary.figures)
    assert summary.risk_coverage == ()


def test_the_same_run_gives_the_same_figures_and_six_hundred_questions_are_quick() -> None:
    records = [
        a_record(
            a_question(lang="zh" if n % 2 else "en", type=f"t{n % 5}"),
            answer="5 s" if n % 3 else f"{n} V",
            citations=(a_citation(true=n % 4 > 0), a_citation()),
            sentences=sentences(True, n % 5 > 0),
            found=pages(*range(1 + n % 9, 12)),
            prompt_tokens=500 + n,
            seconds=1 + n / 100,
        )
        for n in range(600)
    ]
    run = a_run(*records)
    summarise(run)
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = summarise(run)
    assert time.process_time() - started < 15
    assert first == summarise(run)
    figure = first.figures["citation_precision"]
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < (figure.value or 0) < figure.high
