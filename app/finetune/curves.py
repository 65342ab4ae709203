"""What a training has come to, step by step, read from its events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from app.finetune.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class StepPoint:
    """One step; `tokens_per_second` counts the tokens that are no padding, `memory_mb` what the process holds then."""

    step: int
    epoch: float
    loss: float | None
    learning_rate: float
    grad_norm: float | None
    tokens_per_second: float
    seconds: float
    memory_mb: int


@dataclass(frozen=True, slots=True)
class EvaluationPoint:
    """The held-out examples after a step; step 0 is the base model."""

    step: int
    loss: float
    perplexity: float | None


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person should look at: `loss_exploding`, `not_a_number` or `overfitting`."""

    step: int
    code: str


@dataclass(slots=True)
class Curves:
    """All that is known of a training; `begun` and `ended` are those events, of the last start, or None."""

    steps: list[StepPoint] = field(default_factory=list)
    evaluations: list[EvaluationPoint] = field(default_factory=list)
    checkpoints: list[int] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    begun: dict[str, Any] | None = None
    ended: dict[str, Any] | None = None

    def _forget(self, after: int) -> None:
        """A resume goes on behind the step `after`: what came later is done again."""
        self.steps = [point for point in self.steps if point.step <= after]
        self.evaluations = [point for point in self.evaluations if point.step <= after]
        self.checkpoints = [step for step in self.checkpoints if step <= after]
        self.alarms = [alarm for alarm in self.alarms if alarm.step <= after]

    def _take(self, event: dict[str, Any]) -> None:
        match event.get("event"):
            case "begun":
                self._forget(int(event.get("resumed_from") or 0) if event.get("resumed_from") is not None else -1)
                self.begun, self.ended = event, None
            case "step":
                self.steps.append(_point(StepPoint, event))
            case "evaluated":
                point = _point(EvaluationPoint, event)
                self.evaluations = [*(old for old in self.evaluations if old.step != point.step), point]
            case "checkpoint":
                self.checkpoints.append(int(event["step"]))
            case "alarm":
                self.alarms.append(_point(Alarm, event))
            case "ended":
                self.ended = event


_Point = TypeVar("_Point", StepPoint, EvaluationPoint, Alarm)


def _point(kind: type[_Point], event: dict[str, Any]) -> _Point:
    return kind(**{name: event[name] for name in kind.__dataclass_fields__})


def read_curves(folder: Path) -> Curves:
    """The curves of a run folder, empty where it has none yet; steps that a resume did again count once.

    Lines that cannot be read, such as one that is being written, are passed over.
    """
    curves = Curves()
    for event in read_events(RunFolder(folder).events_file):
        try:
            curves._take(event)  # noqa: SLF001 - of the same module
        except (KeyError, TypeError, ValueError):
            continue
    return curves


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a file as they stand there."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event
