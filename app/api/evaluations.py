"""Routes of evaluations: start, watch, read, report, compare, stop, go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from app.api.deps import LanguageDep, editor, reader
from app.api.evaluation_schemas import (
    ChangeOut,
    ComparisonOut,
    DifferenceOut,
    EvaluationIn,
    EvaluationList,
    EvaluationOut,
    FigureOut,
    SideOut,
)
from app.api.events import EVENTS, Look, watched
from app.api.jobs import Id, Limit, Offset
from app.api.limits import described, received_as
from app.api.problems import reason
from app.api.schemas import FingerprintOut
from app.catalogue.evaluations import Evaluation
from app.evaluation.runs import Order, Runs
from app.types import Language
from eval.figures import Comparison, Figure, Scored, Summary
from eval.records import Run, RunSettings

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"])

FileFormat = Literal["html", "json", "csv"]
ReportLanguage = Annotated[Language | None, Query(description="By default that of the request.")]


def get_runs(request: Request) -> Runs:
    """The evaluations that `create_app` has made."""
    runs: Runs = request.app.state.evaluations
    return runs


RunsDep = Annotated[Runs, Depends(get_runs)]


@router.post("", status_code=202, dependencies=[editor], openapi_extra=described(EvaluationIn))
async def start_evaluation(request: Request, response: Response, runs: RunsDep, language: LanguageDep) -> EvaluationOut:
    """Put a question set to a knowledge base, in the background: evaluations run one at a time, in order.

    The questions are checked as a whole before anything is asked; a bad line is named by its number. The body may be
    larger than others (`MQA_EVALUATION_BODY_MB`).
    """
    limit_mb = request.app.state.services.settings.evaluation_body_mb
    wanted = await received_as(EvaluationIn, request, limit_mb, "MQA_EVALUATION_BODY_MB")
    started = await to_thread.run_sync(_start, runs, wanted)
    response.headers["Location"] = f"/v1/evaluations/{started.id}"
    return evaluation_out(started, language)


def _start(runs: Runs, wanted: EvaluationIn) -> Evaluation:
    order = Order(
        knowledge_base_id=wanted.knowledge_base_id,
        name=wanted.name,
        question_set_name=wanted.question_set_name,
        questions=wanted.questions,
        format=wanted.format,
        settings=RunSettings.model_validate(wanted.settings.model_dump()),
    )
    return runs.start(order)


@router.get("", dependencies=[reader])
def list_evaluations(
    runs: RunsDep, language: LanguageDep, knowledge_base_id: Id = None, limit: Limit = 100, offset: Offset = 0
) -> EvaluationList:
    """Evaluations, newest first, without their figures."""
    found = runs.all(knowledge_base_id, limit, offset)
    return EvaluationList(evaluations=[evaluation_out(evaluation, language) for evaluation in found])


@router.get("/{evaluation_id}", dependencies=[reader])
def show_evaluation(evaluation_id: str, runs: RunsDep, language: LanguageDep) -> EvaluationOut:
    """One evaluation, with the figures of what has been answered so far."""
    found = runs.get(evaluation_id)
    return evaluation_out(found, language, runs.summary(evaluation_id) if found.done else None)


@router.get("/{evaluation_id}/events", dependencies=[reader], response_class=StreamingResponse, responses=EVENTS)
def watch_evaluation(evaluation_id: str, request: Request, runs: RunsDep, language: LanguageDep) -> StreamingResponse:
    """Server-sent events: an `evaluation` now and whenever a question has been answered; ends with it.

    Figures are those of some seconds ago while it runs, and exact with its last event.
    """
    runs.get(evaluation_id)
    last: list[int] = []

    def look() -> Look[BaseModel]:
        found = runs.find(evaluation_id)
        if found is None:
            return Look([], ended=True)
        if last == [found.revision]:
            return Look([], ended=found.ended)
        last[:] = [found.revision]
        return Look([evaluation_out(found, language, runs.recent_summary(found))], ended=found.ended)

    return watched("evaluation", look, request.app.state.services.is_draining)


@router.get("/{evaluation_id}/run", dependencies=[reader], response_model=Run)
def show_run(evaluation_id: str, runs: RunsDep) -> Response:
    """All that has been asked, found, answered and measured, question by question."""
    return Response(runs.run_json(evaluation_id), media_type="application/json")


_files = {
    200: {
        "description": "The report, as a page, as JSON or as a table of the questions.",
        "content": {
            "text/html": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}


@router.get("/{evaluation_id}/report", dependencies=[reader], response_class=Response, responses=_files)  # type: ignore[arg-type]
def show_report(
    evaluation_id: str,
    runs: RunsDep,
    spoken: LanguageDep,
    format: FileFormat = "html",  # noqa: A002 - the API's own word
    language: ReportLanguage = None,
) -> Response:
    """What is right, wrong, refused and invented, and why; of what has been answered so far."""
    from eval import report  # noqa: PLC0415 - its libraries take long to import

    summary, chosen = runs.summary(evaluation_id), language or spoken
    match format:
        case "html":
            return _page(report.html(summary, chosen))
        case "json":
            return _file(report.json_text(summary), "application/json", "evaluation.json")
        case "csv":
            return _file(report.csv_text(summary, chosen), "text/csv; charset=utf-8", "evaluation.csv")


_page_too: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}


@router.get("/{before}/compare/{after}", dependencies=[reader], response_model=ComparisonOut, responses=_page_too)
def compare_evaluations(
    before: str,
    after: str,
    runs: RunsDep,
    spoken: LanguageDep,
    format: Literal["json", "html"] = "json",  # noqa: A002 - the API's own word
    language: ReportLanguage = None,
) -> ComparisonOut | Response:
    """What got better and worse from one evaluation to another, over the questions that both hold."""
    comparison = runs.comparison(before, after)
    if format == "html":
        from eval import report  # noqa: PLC0415 - its libraries take long to import

        return _page(report.comparison_html(comparison, language or spoken))
    return _comparison_out(comparison, runs, spoken)


@router.post("/{evaluation_id}/cancel", dependencies=[editor])
def cancel_evaluation(evaluation_id: str, runs: RunsDep, language: LanguageDep) -> EvaluationOut:
    """Stop it; what has been answered stays, and `resume` goes on."""
    return evaluation_out(runs.cancel(evaluation_id), language)


@router.post("/{evaluation_id}/resume", status_code=202, dependencies=[editor])
def resume_evaluation(evaluation_id: str, runs: RunsDep, language: LanguageDep) -> EvaluationOut:
    """Ask what has not been answered yet, and again what ended in an error; one that is under way goes on."""
    return evaluation_out(runs.resume(evaluation_id), language)


@router.delete("/{evaluation_id}", status_code=204, dependencies=[editor])
def delete_evaluation(evaluation_id: str, runs: RunsDep) -> None:
    """Delete it with all its records; one that is under way stops."""
    runs.remove(evaluation_id)


def _page(content: str) -> Response:
    """A report, which may run its own script and nothing else, without an origin."""
    from eval.report.page import content_security_policy  # noqa: PLC0415 - its libraries take long to import

    policy = content_security_policy(content)
    return Response(content, media_type="text/html", headers={"Content-Security-Policy": policy})


def _file(content: str, media_type: str, name: str) -> Response:
    """An attachment; the name is ours, never a user's."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Security-Policy": "sandbox"}
    return Response(content, media_type=media_type, headers=headers)


def evaluation_out(found: Evaluation, language: Language, summary: Summary | None = None) -> EvaluationOut:
    """An evaluation as clients see it."""
    fingerprint = None if found.asked is None else FingerprintOut.model_validate(found.asked.fingerprint)
    return EvaluationOut(
        id=found.id,
        name=found.name,
        knowledge_base_id=found.knowledge_base_id,
        question_set_name=found.question_set,
        set_hash=found.set_hash,
        state=found.state,
        questions=found.total,
        done=found.done,
        failed=found.failed,
        error=reason(found.error_code, found.error_params, language),
        settings=RunSettings.model_validate(found.settings),
        fingerprint=fingerprint,
        model=None if found.asked is None else found.asked.model,
        versions=found.versions,
        created_at=found.created_at,
        started_at=found.started_at,
        finished_at=found.finished_at,
        figures=None if summary is None else _figures(summary.figures),
        verdicts=None if summary is None else {str(verdict): count for verdict, count in summary.verdicts.items()},
    )


def _figures(figures: Mapping[str, Figure]) -> dict[str, FigureOut]:
    return {metric: FigureOut.model_validate(figure) for metric, figure in figures.items()}


def _comparison_out(comparison: Comparison, runs: Runs, language: Language) -> ComparisonOut:
    return ComparisonOut(
        before=evaluation_out(runs.get(comparison.before.id), language),
        after=evaluation_out(runs.get(comparison.after.id), language),
        shared=comparison.shared,
        only_before=comparison.only_before,
        only_after=comparison.only_after,
        differences=[DifferenceOut.model_validate(asdict(difference)) for difference in comparison.differences],
        changes=[
            ChangeOut(
                question_id=change.question_id,
                question=change.question,
                before=_side(change.before),
                after=_side(change.after),
                better=change.better,
            )
            for change in comparison.changes
        ],
    )


def _side(scored: Scored) -> SideOut:
    answer = scored.record.error_message or scored.record.answer
    return SideOut(verdict=scored.verdict, why=scored.why, answer=answer)
