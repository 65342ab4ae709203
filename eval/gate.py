"""The gate of a pipeline: conditions on a run's metrics, and which of them it fails."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.errors import InvalidInput
from app.phrases import translated
from app.types import Language
from eval.figures import Summary
from eval.metrics import METRICS
from eval.wording import metric_name

_CONDITION = re.compile(r"\s*([\w@.]+)\s*(<=|>=|=)\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(%?)\s*")


@dataclass(frozen=True, slots=True)
class Condition:
    """A bound on a metric: at least (">=") or at most ("<=") `bound`, which itself is allowed."""

    metric: str
    sense: Literal[">=", "<="]
    bound: float

    def name(self, language: Language) -> str:
        return f"{metric_name(self.metric, language)} ({self.metric})"

    def __str__(self) -> str:
        return f"{self.metric}{self.sense}{self.bound:g}"


def parse(texts: Iterable[str]) -> list[Condition]:
    """Conditions written like `answer_accuracy=0.85`, `false_refusal_rate<=0.08` or `hit@5>=97%`.

    "=" means at least, or at most for a metric of which less is better. Raises `InvalidInput` for anything else.
    """
    return [_condition(part) for text in texts for part in re.split(r"[,\s]+(?=[a-z])", text.strip(" ,"))]


def check(summary: Summary, conditions: Sequence[Condition], language: Language = "en") -> list[str]:
    """One line for each condition that does not hold; none: passed.

    A metric that nothing could be measured for fails, and so does a run that has not asked all of its questions.
    """
    lines = []
    asked = len(summary.run.records)
    if conditions and asked < summary.run.questions:
        lines.append(_said(f"only {asked} of {summary.run.questions} questions were asked", language))
    return lines + [line for condition in conditions if (line := _fault(summary, condition, language))]


def _condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise InvalidInput(reason=f"“{text[:100] or ' '}” is no condition; write one like answer_accuracy=0.85")
    metric, sense, number, percent = match.groups()
    if metric not in METRICS:
        raise InvalidInput(reason=f"“{metric[:100]}” is no metric; known are {', '.join(METRICS)}")
    info = METRICS[metric]
    bound = float(number) / (100 if percent else 1)
    if (percent and info.kind != "share") or (info.kind == "share" and bound > 1):
        raise InvalidInput(reason=f"“{text[:100]}” is out of range; shares go from 0 to 1, or 0% to 100%")
    at_least = sense == ">=" or (sense == "=" and info.better == "higher")
    return Condition(metric, ">=" if at_least else "<=", bound)


def _fault(summary: Summary, condition: Condition, language: Language) -> str | None:
    figure = summary.figures.get(condition.metric)
    name = condition.name(language)
    if figure is None or figure.value is None:
        return _said(f"{name} could not be measured; {condition} was demanded", language)
    held = figure.value >= condition.bound if condition.sense == ">=" else figure.value <= condition.bound
    if held:
        return None
    return _said(f"{name} is {figure.value:.4g}; {condition} was demanded", language)


def _said(line: str, language: Language) -> str:
    return translated(line, language)
