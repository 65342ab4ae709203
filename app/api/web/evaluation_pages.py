"""Pages of evaluations: start one, watch it, read its figures, compare two."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from app.api.deps import LanguageDep, ServicesDep
from app.api.evaluations import RunsDep
from app.api.problems import reason
from app.api.web.rendering import render
from app.api.web.routing import KeyDep, PageRoute
from app.catalogue.evaluations import Evaluation
from app.evaluation.runs import Runs
from app.types import Language
from eval.figures import Change, Difference, Figure, Scored

router = APIRouter(prefix="/evaluations", route_class=PageRoute, include_in_schema=False)

MOST_LISTED = 200
MOST_CHANGES = 200
ANSWERS = (
    "answer_accuracy",
    "refusal_recall",
    "false_refusal_rate",
    "invented_rate",
    "citation_precision",
    "hit@5",
    "seconds_p50",
    "seconds_p95",
)
SEARCH = ("hit@1", "hit@3", "hit@5", "hit@10", "mrr@10", "ndcg@10")


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure for people."""

    name: str
    means: str
    value: str
    range: str
    n: int


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A metric in two runs for people; `way` says which is better: "better", "worse" or ""."""

    name: str
    means: str
    before: str
    after: str
    change: str
    p: str
    way: str


@dataclass(frozen=True, slots=True)
class Side:
    """What one of two runs made of a question."""

    verdict: str
    why: str
    answer: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A question whose verdict differs, before and after."""

    question: str
    better: bool
    sides: tuple[Side, Side]


@router.get("")
def list_evaluations(
    request: Request, services: ServicesDep, runs: RunsDep, key: KeyDep, language: LanguageDep
) -> Response:
    """Evaluations, newest first; editors start new ones, and two can be compared."""
    found = runs.all(None, MOST_LISTED, 0)
    return render(
        request,
        "evaluations.html",
        key=key,
        evaluations=found,
        reasons={evaluation.id: _why(evaluation, language) for evaluation in found},
        comparable=[evaluation for evaluation in found if evaluation.done],
        bases=[base for base in services.bases.all() if base.ready],
        most_mb=services.settings.evaluation_body_mb,
    )


@router.get("/compare")
def compare_evaluations(
    request: Request, runs: RunsDep, key: KeyDep, language: LanguageDep, before: str = "", after: str = ""
) -> Response:
    """What got better and worse between two, over the questions that both hold."""
    comparison = runs.comparison(before, after)
    return render(
        request,
        "comparison.html",
        key=key,
        before=runs.get(before),
        after=runs.get(after),
        shared=comparison.shared,
        rows=[_difference(one, language) for one in comparison.differences],
        changes=[_change(one, language) for one in comparison.changes[:MOST_CHANGES]],
        left_out=max(0, len(comparison.changes) - MOST_CHANGES),
    )


def _difference(one: Difference, language: Language) -> DifferenceRow:
    from eval.report.formats import change_of, probability, value_of  # noqa: PLC0415 - its libraries take long to import
    from eval.wording import metric_name  # noqa: PLC0415

    return DifferenceRow(
        name=metric_name(one.metric, language),
        means=_means(one.metric, language),
        before=value_of(one.metric, one.before.value, language),
        after=value_of(one.metric, one.after.value, language),
        change=change_of(one.metric, one.difference, language),
        p=probability(one.p),
        way=_way(one.metric, one.low, one.high),
    )


def _change(change: Change, language: Language) -> ChangeRow:
    from eval.wording import reason_name, verdict_name  # noqa: PLC0415 - beside the other libraries of a report

    def side(scored: Scored) -> Side:
        answer = scored.record.error_message or scored.record.answer
        return Side(verdict_name(scored.verdict, language), reason_name(scored.why, language), answer)

    return ChangeRow(change.question, change.better, (side(change.before), side(change.after)))


@router.get("/{evaluation_id}")
def show_evaluation(
    evaluation_id: str, request: Request, runs: RunsDep, key: KeyDep, language: LanguageDep
) -> Response:
    """One evaluation: how far it is, its figures so far, and the way to its report."""
    found = runs.get(evaluation_id)
    tiles, verdicts = _figures(runs, found, language)
    others = [
        other for other in runs.all(found.knowledge_base_id, MOST_LISTED, 0) if other.id != found.id and other.done
    ]
    return render(
        request,
        "evaluation.html",
        key=key,
        evaluation=found,
        why=_why(found, language),
        tiles=tiles,
        verdicts=verdicts,
        others=others,
    )


def _figures(runs: Runs, found: Evaluation, language: Language) -> tuple[list[Tile], list[tuple[str, str, int]]]:
    """Tiles of the figures that matter most, and (key, name, count) of each verdict."""
    if not found.done:
        return [], []
    summary = runs.summary(found.id) if found.ended else runs.recent_summary(found)
    if summary is None:
        return [], []
    from eval.report.formats import range_of, value_of  # noqa: PLC0415 - its libraries take long to import
    from eval.wording import metric_name, verdict_name  # noqa: PLC0415

    def tile(metric: str, figure: Figure) -> Tile:
        return Tile(
            metric_name(metric, language),
            _means(metric, language),
            value_of(metric, figure.value, language),
            range_of(metric, figure, language),
            figure.n,
        )

    wanted = SEARCH if summary.run.settings.mode == "retrieval" else ANSWERS
    tiles = [tile(metric, summary.figures[metric]) for metric in wanted if metric in summary.figures]
    verdicts: list[tuple[str, str, int]] = [
        (verdict, verdict_name(verdict, language), count) for verdict, count in summary.verdicts.items() if count
    ]
    return tiles, verdicts


def _means(metric: str, language: Language) -> str:
    from eval.metrics import METRICS  # noqa: PLC0415 - beside the other libraries of a report

    return METRICS[metric].means(language) if metric in METRICS else ""


def _way(metric: str, low: float | None, high: float | None) -> str:
    """Whether a difference whose interval leaves out 0 is one for the better."""
    from eval.metrics import METRICS  # noqa: PLC0415 - beside the other libraries of a report

    if low is None or high is None or low <= 0 <= high or metric not in METRICS:
        return ""
    return "better" if (low > 0) == (METRICS[metric].better == "higher") else "worse"


def _why(evaluation: Evaluation, language: Language) -> str | None:
    failure = reason(evaluation.error_code, evaluation.error_params, language)
    return None if failure is None else failure.message
