"""Trainings as clients see them."""

from __future__ import annotations

from app.api.finetune_schemas import (
    CurvesOut,
    DatasetOut,
    EstimateOut,
    ExampleOut,
    PreviewOut,
    SideOut,
    TrainingOut,
)
from app.api.problems import reason
from app.api.schemas import Reason
from app.catalogue.finetunes import Training
from app.errors import ManualqaError
from app.finetune.curves import Curves
from app.finetune.examples import Example
from app.finetune.preparation import Estimated, Looked
from app.finetune.progress import seconds_left
from app.types import JobState, Language, TrainingStage


def training_out(found: Training, language: Language, curves: CurvesOut | None = None) -> TrainingOut:
    """A training, with the points of its curves in an event."""
    trains = found.state == JobState.RUNNING and found.stage == TrainingStage.TRAINING
    return TrainingOut(
        id=found.id,
        name=found.name,
        knowledge_base_id=found.knowledge_base_id,
        base=found.base,
        state=found.state,
        stage=found.stage,
        step=found.step,
        steps=found.steps,
        seconds_left=seconds_left(found.step, found.steps, found.figures) if trains else None,
        attempts=found.attempts,
        config=found.config,
        examples=found.examples,
        figures=found.figures,
        adapter_id=found.adapter_id,
        error=reason(found.error_code, found.error_params, language),
        created_at=found.created_at,
        started_at=found.started_at,
        finished_at=found.finished_at,
        curves=curves,
    )


def curves_out(curves: Curves, after: int = -1) -> CurvesOut:
    """The points behind a step."""
    return CurvesOut.model_validate(
        {
            "after": after,
            "steps": [point for point in curves.steps if point.step > after],
            "evaluations": [point for point in curves.evaluations if point.step > after],
            "checkpoints": [step for step in curves.checkpoints if step > after],
            "alarms": [alarm for alarm in curves.alarms if alarm.step > after],
        }
    )


def news_of(before: Curves, now: Curves) -> CurvesOut:
    """What has to be told to whoever has heard `before`: all behind the last step up to which both are equal.

    An evaluation comes after its step, so the last step is told again.
    """
    agreed = -1
    for old, new in zip(before.steps, now.steps, strict=False):
        if old != new:
            break
        agreed = new.step - 1
    return curves_out(now, agreed)


def estimate_out(estimated: Estimated, language: Language) -> EstimateOut:
    """What a training would cost."""
    cost = estimated.cost
    return EstimateOut(
        steps=cost.steps,
        seconds=cost.seconds,
        memory_mb=cost.memory_mb,
        disk_mb=cost.disk_mb,
        pairs=estimated.pairs,
        drafts_left_out=estimated.drafts,
        exact=estimated.exact,
        config=estimated.config,
        refusal=_reason(estimated.refusal, language),
    )


def dataset_out(looked: Looked, language: Language) -> DatasetOut:
    """The report on the examples."""
    made, report = looked.prepared.report, looked.checked.report
    return DatasetOut(
        pairs=made.pairs,
        drafts_left_out=looked.estimated.drafts,
        left_out=made.left_out,
        repeated=made.repeated + report.repeated,
        leaking=report.leaking,
        too_long=report.too_long,
        brought=made.brought,
        split_by=made.split_by,
        shared_documents=list(report.shared_documents),
        train=SideOut.model_validate(report.train),
        heldout=SideOut.model_validate(report.heldout),
        previews=[PreviewOut.model_validate(preview) for preview in report.previews],
        estimate=estimate_out(looked.estimated, language),
    )


def example_out(example: Example) -> ExampleOut:
    """An example in full."""
    return ExampleOut.model_validate(example.model_dump(mode="json"))


def _reason(error: ManualqaError | None, language: Language) -> Reason | None:
    return None if error is None else Reason(code=error.code(), message=error.message(language))
