"""All that is said of a run: its figures with intervals, by group, its risk-coverage curve and its latencies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from eval.figures import Figure, Group, Metric, RiskPoint, Scored, Summary, Verdict
from eval.metrics import METRICS, PERCENTILES, MetricInfo
from eval.records import Record, Run
from eval.scoring import score
from eval.statistics import SEED, kappa, mean, mean_interval, percentile, percentile_interval

__all__ = ["METRICS", "MetricInfo", "figures_of", "risk_coverage", "summarise"]

_GOOD: frozenset[Verdict] = frozenset({"right", "refused_rightly"})
_JUDGED: frozenset[Verdict] = frozenset({"right", "wrong", "refused", "refused_rightly", "invented", "failed"})
_ANSWERED: frozenset[Verdict] = frozenset({"right", "wrong", "invented"})
_STAGES = {"sources": "seconds_to_sources", "first_token": "seconds_to_first_token", "total": "seconds"}
_SHOWN_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def summarise(run: Run, seed: int = SEED) -> Summary:
    """Everything there is to say of `run`, whole or begun; the same run and seed give the same figures."""
    scored = tuple(score(record, run.settings) for record in run.records)
    agreement, agreement_kappa = _agreement(scored, seed)
    return Summary(
        run=run,
        scored=scored,
        figures=figures_of(scored, seed),
        groups=tuple(_groups(scored, seed)),
        verdicts=dict(Counter(one.verdict for one in scored)),
        reasons=dict(Counter(one.why for one in scored if one.why).most_common()),
        risk_coverage=risk_coverage(scored),
        latencies=_latencies([one.record for one in scored]),
        judge_agreement=agreement,
        judge_kappa=agreement_kappa,
    )


def figures_of(scored: Sequence[Scored], seed: int = SEED) -> dict[Metric, Figure]:
    """Each metric that at least one of the questions counts for."""
    by_metric: dict[Metric, list[float]] = defaultdict(list)
    for one in scored:
        for metric, value in one.metrics:
            by_metric[metric].append(value)
    figures = {metric: _mean_figure(values, seed) for metric, values in by_metric.items()}
    seconds = [one.record.seconds for one in scored if one.record.seconds is not None and not one.record.error]
    if seconds:
        for metric, share in PERCENTILES.items():
            low, high = percentile_interval(seconds, share) or (None, None)
            figures[metric] = Figure(percentile(seconds, share), low, high, len(seconds))
    return {metric: figures[metric] for metric in METRICS if metric in figures}


def _mean_figure(values: Sequence[float], seed: int) -> Figure:
    low, high = mean_interval(values, seed) or (None, None)
    return Figure(mean(values), low, high, len(values))


def _groups(scored: Sequence[Scored], seed: int) -> Iterable[Group]:
    kinds: tuple[Literal["language", "type", "document"], ...] = ("language", "type", "document")
    for by in kinds:
        members: dict[str, list[Scored]] = defaultdict(list)
        for one in scored:
            for value in _places(one.record, by):
                members[value].append(one)
        for value, own in sorted(members.items()):
            yield Group(by, value, len(own), figures_of(own, seed))


def _places(record: Record, by: str) -> list[str]:
    """The groups that a question belongs to: one of each kind, but each document that answers it."""
    question = record.question
    if by == "language":
        return [question.lang]
    if by == "type":
        return [question.type] if question.type else []
    return sorted({name for name, _ in question.pages()})


def risk_coverage(scored: Sequence[Scored]) -> tuple[RiskPoint, ...]:
    """From the surest answer to all: how much is answered, and how much of that is not right.

    Sureness is 1 - the model's doubt where most answers have one (an answer without is the least sure), otherwise the
    best cosine found. Answers of equal sureness make one point. Unlabelled questions stay out.
    """
    asked = [one for one in scored if one.verdict in _JUDGED]
    answered = [one for one in asked if one.verdict in _ANSWERED]
    by_doubt = sum(one.record.doubt is not None for one in answered) * 2 > len(answered)
    sure = sorted(((_confidence(one.record, by_doubt), one.verdict in _GOOD) for one in answered), reverse=True)
    points: list[RiskPoint] = []
    wrong = 0
    for place, (confidence, good) in enumerate(sure, start=1):
        wrong += not good
        if place == len(sure) or sure[place][0] != confidence:
            points.append(RiskPoint(place / len(asked), wrong / place, confidence))
    return tuple(points)


def _confidence(record: Record, by_doubt: bool) -> float:
    if by_doubt:
        return 1 - record.doubt if record.doubt is not None else 0.0
    return max((passage.cosine for passage in record.found), default=-1.0)


def _latencies(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Percentiles and mean of each stage, in seconds; stages that no record reached are left out."""
    found: dict[str, dict[str, float]] = {}
    for stage, field in _STAGES.items():
        seconds = [value for record in records if (value := getattr(record, field)) is not None and not record.error]
        if seconds:
            found[stage] = {name: percentile(seconds, share) for name, share in _SHOWN_PERCENTILES.items()}
            found[stage]["mean"] = mean(seconds)
    return found


def _agreement(scored: Sequence[Scored], seed: int) -> tuple[Figure | None, float | None]:
    """How often the judge says what the comparison with the accepted answers says, and kappa."""
    judged = [one for one in scored if one.record.judgement is not None and one.verdict in ("right", "wrong")]
    by_judge = [one.record.judgement is not None and one.record.judgement.right for one in judged]
    by_match = [one.verdict == "right" for one in judged]
    if not judged:
        return None, None
    same = [float(a == b) for a, b in zip(by_judge, by_match, strict=True)]
    return _mean_figure(same, seed), kappa(by_judge, by_match)
