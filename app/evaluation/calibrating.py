"""Calibration of a knowledge base by one of its evaluations."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog

from app.authors import BASE, author_name
from app.catalogue.calibrations import Calibration, NewCalibration
from app.catalogue.records import KnowledgeBase
from app.errors import CalibrationImpossible
from app.evaluation.runs import Runs
from app.services import Services
from app.types import Fingerprint
from eval.calibration import Calibrated, Warned, calibrate
from eval.records import Run
from eval.refusal import Target

log = structlog.get_logger(__name__)

_one_at_a_time = threading.Lock()
"""Each takes a core for seconds."""


@dataclass(frozen=True, slots=True)
class CalibrationOrder:
    """By which evaluation to calibrate, for which target."""

    knowledge_base_id: str
    evaluation_id: str
    target: Target
    seed: int


def calibrated(services: Services, runs: Runs, order: CalibrationOrder) -> Calibration:
    """Chooses the values and stores them in place of those there are; they hold from the next question on.

    Raises `KnowledgeBaseNotFound`, `EvaluationNotFound`, `CalibrationImpossible`.
    """
    base = services.bases.get(order.knowledge_base_id)
    run = _usable(runs, base, order.evaluation_id)
    with _one_at_a_time:
        made = calibrate(run, services.questions.uncalibrated(base), order.target, order.seed)
    if base.settings.threshold is not None:
        made = replace(made, warnings=(*made.warnings, Warned("own_threshold", {"threshold": base.settings.threshold})))
    stored = services.calibrations.put(
        NewCalibration(
            knowledge_base_id=base.id,
            evaluation_id=order.evaluation_id,
            fingerprint=base.fingerprint,
            model=None if run.model is None else author_name(run.model, adapter_of(run)),
            tuning=made.tuning,
            target=asdict(order.target),
            figures=_figures(made),
        )
    )
    log.info("calibrated", knowledge_base_id=base.id, evaluation_id=order.evaluation_id, **asdict(made.tuning))
    return stored


def warnings_of(calibration: Calibration) -> list[Warned]:
    """What the reader of a stored calibration must know."""
    return [Warned(**warning) for warning in calibration.figures.get("warnings", [])]


def _usable(runs: Runs, base: KnowledgeBase, evaluation_id: str) -> Run:
    evaluation = runs.get(evaluation_id)
    if evaluation.knowledge_base_id != base.id:
        raise CalibrationImpossible(ref=evaluation_id, reason="it was put to another knowledge base")
    if not evaluation.ended:
        raise CalibrationImpossible(ref=evaluation_id, reason="it has not ended yet")
    run = runs.run(evaluation_id)
    if not any(record.found and record.question.answerable and record.error is None for record in run.records):
        raise CalibrationImpossible(ref=evaluation_id, reason="it has no answerable question that was searched for")
    if Fingerprint(**run.fingerprint) != base.fingerprint:  # type: ignore[arg-type]
        raise CalibrationImpossible(ref=evaluation_id, reason="it was put to another index; run it again")
    return run


def adapter_of(run: Run) -> str | None:
    """The adapter that was asked, None for the model alone."""
    return None if run.settings.adapter == BASE else run.settings.adapter


def _figures(made: Calibrated) -> dict[str, Any]:
    kept = asdict(made)
    return {name: value for name, value in kept.items() if name not in ("tuning", "target")}
