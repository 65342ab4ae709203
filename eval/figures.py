"""The figures of a run and of the comparison of two, as plain values; made by `eval.summary` and `eval.compare`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eval.records import Record, Run

Verdict = Literal["right", "wrong", "refused", "refused_rightly", "invented", "failed", "unlabelled", "searched"]
"""right, wrong: answered, answerable; refused: a false refusal; invented: answered though there is no answer;
failed: no answer because of an error; unlabelled: answered, but the set gives no accepted answer;
searched: no model was asked."""

Metric = str
"""A metric's name, such as "answer_accuracy"; all are listed, with what they mean, in `eval.summary.METRICS`."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric's value over `n` questions with its 95% interval; all None where there is nothing to measure."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Scored:
    """A record and what it is worth.

    `rank` is the 1-based rank of the first right page among the distinct pages found (None: not found), `why` the key
    of the reason for a verdict that is not good ("page_not_found", "page_too_low", "below_threshold", "misread",
    "model_refused", "not_grounded", "error", ...), named in both languages by `eval.wording`.
    """

    record: Record
    verdict: Verdict
    why: str | None = None
    exact: bool | None = None
    token_f1: float | None = None
    rank: int | None = None
    metrics: tuple[tuple[Metric, float], ...] = ()
    """Every metric that this question counts for, as its own value (mostly 0 or 1); the run's value is their mean."""

    def value(self, metric: Metric) -> float | None:
        return dict(self.metrics).get(metric)


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of the questions that share a value: `by` is "language", "type" or "document"."""

    by: Literal["language", "type", "document"]
    value: str
    n: int
    figures: dict[Metric, Figure]


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """One point of the risk-coverage curve: answering only the surest questions, a share `coverage` of the answerable
    and unanswerable ones, a share `risk` of those answers is not right."""

    coverage: float
    risk: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Summary:
    """All that is said of a run."""

    run: Run
    scored: tuple[Scored, ...]
    figures: dict[Metric, Figure]
    groups: tuple[Group, ...]
    verdicts: dict[Verdict, int]
    reasons: dict[str, int]
    risk_coverage: tuple[RiskPoint, ...]
    latencies: dict[str, dict[str, float]]
    """By stage ("sources", "first_token", "total"): "p50", "p90", "p95", "p99", "mean" in seconds."""
    judge_agreement: Figure | None = None
    judge_kappa: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A question that both runs hold, with a verdict that differs."""

    question_id: str
    question: str
    before: Scored
    after: Scored
    better: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric in both runs over the questions that both hold; `p` is of a paired two-sided test."""

    metric: Metric
    before: Figure
    after: Figure
    difference: float | None
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side, question by question."""

    before: Run
    after: Run
    shared: int
    only_before: int
    only_after: int
    differences: tuple[Difference, ...]
    changes: tuple[Change, ...]
