"""Stand-in until Part 1's comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import TrainingDoesNotFit
from app.finetune.training_config import TrainingConfig
from app.models.training_base import BaseShape


@dataclass(frozen=True, slots=True)
class Estimate:
    steps: int
    seconds: float
    memory_mb: int
    disk_mb: int


def estimate(config: TrainingConfig, lengths: Sequence[int], base_shape: BaseShape) -> Estimate:
    steps = config.steps(len(lengths))
    return Estimate(steps, steps * 10.0, 3 * base_shape.parameters // 1_000_000, 200)


def require_fit(estimate: Estimate) -> None:
    if estimate.memory_mb > 10_000_000:
        raise TrainingDoesNotFit(reason="too large")
