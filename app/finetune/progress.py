"""How far a training is, in the few figures that people see of it in a list."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import Any

from app.finetune.curves import Curves, StepPoint

_PACE_STEPS = 20


@dataclass(frozen=True, slots=True)
class Progress:
    """`figures` are the newest values, those before the training began, the best, the newest checkpoint, the alarms."""

    step: int = 0
    steps: int | None = None
    figures: dict[str, Any] = field(default_factory=dict)


def progress_of(curves: Curves) -> Progress:
    """What the curves come to; empty before the process has begun."""
    begun = curves.begun
    if begun is None:
        return Progress()
    step = curves.steps[-1].step if curves.steps else int(begun.get("resumed_from") or 0)
    figures: dict[str, Any] = {
        name: begun[name] for name in ("device", "trainable", "examples", "heldout") if name in begun
    }
    figures |= _of_steps(curves.steps) | _of_evaluations(curves)
    figures["checkpoint"] = max(curves.checkpoints, default=0)
    figures["alarms"] = [{"code": alarm.code, "step": alarm.step} for alarm in curves.alarms]
    if curves.ended is not None:
        ended = {name: curves.ended.get(name) for name in ("best_step", "best_loss", "seconds", "peak_memory_mb")}
        figures |= {name: value for name, value in ended.items() if value is not None}
    return Progress(step, int(begun["steps"]), figures)


def seconds_left(step: int, steps: int | None, figures: dict[str, Any]) -> float | None:
    """How long the rest of the steps takes at the present pace; None until one is done."""
    pace = figures.get("seconds_per_step")
    return None if pace is None or steps is None else max(0.0, float(pace) * (steps - step))


def _of_steps(steps: list[StepPoint]) -> dict[str, Any]:
    if not steps:
        return {}
    last = steps[-1]
    return {
        "epoch": last.epoch,
        "loss": last.loss,
        "learning_rate": last.learning_rate,
        "grad_norm": last.grad_norm,
        "tokens_per_second": last.tokens_per_second,
        "memory_mb": last.memory_mb,
        "seconds_per_step": round(statistics.median(point.seconds for point in steps[-_PACE_STEPS:]), 3),
    }


def _of_evaluations(curves: Curves) -> dict[str, Any]:
    """Losses on the held-out examples; the best is of a step that was trained, as that is what is kept."""
    if not curves.evaluations:
        return {}
    first, last = curves.evaluations[0], curves.evaluations[-1]
    found: dict[str, Any] = {"heldout_loss": last.loss, "heldout_perplexity": last.perplexity}
    if first.step == 0:
        found |= {"loss_before": first.loss, "perplexity_before": first.perplexity}
    trained = [point for point in curves.evaluations if point.step > 0]
    if trained:
        best = min(trained, key=lambda point: (point.loss, point.step))
        perplexity = best.perplexity if best.perplexity is not None else math.exp(min(best.loss, 50.0))
        found |= {"best_step": best.step, "best_loss": best.loss, "best_perplexity": perplexity}
    return found
