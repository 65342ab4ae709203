"""The shapes of evaluations in requests and responses."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from app.api.schemas import Body, FingerprintOut, Name, QuestionText, Reason, Shape
from app.types import JobState
from eval.records import RunSettings

Format = Literal["jsonl", "csv"]


class RunSettingsIn(RunSettings):
    """As `RunSettings`, but a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class EvaluationIn(Body):
    """A question set and the knowledge base it is put to."""

    knowledge_base_id: str = Field(max_length=60, examples=["kb-3f1c9a0d5e7b2468"])
    name: Name | None = Field(None, description="For people; by default the question set's name.")
    question_set_name: str = Field(min_length=1, max_length=120, examples=["manuals_gold"])
    questions: QuestionText = Field(
        description="The question set itself, as JSON lines or as CSV with a header.",
        examples=['{"id": "q1", "question": "What does E-04 mean?", "answers": ["the tank is empty"]}'],
    )
    format: Format = "jsonl"
    settings: RunSettingsIn = Field(default_factory=RunSettingsIn)


class FigureOut(Shape):
    """A value over `n` questions with its 95% interval; all null where there is nothing to measure."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class EvaluationOut(Shape):
    """One evaluation and how far it is."""

    id: str = Field(examples=["eval-5b8e0c2f7a914d36"])
    name: str
    knowledge_base_id: str
    question_set_name: str
    set_hash: str = Field(description="The sha256 of the question set as it was sent.")
    state: JobState
    questions: int
    done: int = Field(description="Questions with a record, those with an error among them.")
    failed: int = Field(description="Questions whose record is an error; `resume` asks them again.")
    error: Reason | None = Field(None, description="Why it ended early, where it failed.")
    settings: RunSettings
    fingerprint: FingerprintOut | None = Field(None, description="Of the index that is asked; null before the start.")
    model: str | None = None
    versions: dict[str, str]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    figures: dict[str, FigureOut] | None = Field(None, description="By metric; null in lists and while there is none.")
    verdicts: dict[str, int] | None = Field(None, description="How many questions have each verdict.")


class EvaluationList(Shape):
    evaluations: list[EvaluationOut]


class DifferenceOut(Shape):
    """A metric in both runs over the questions that both hold; `p` is of a paired two-sided test."""

    metric: str
    before: FigureOut
    after: FigureOut
    difference: float | None
    low: float | None
    high: float | None
    p: float | None


class SideOut(Shape):
    """What one of the two runs made of a question."""

    verdict: str
    why: str | None
    answer: str


class ChangeOut(Shape):
    """A question that both runs hold and whose verdict differs."""

    question_id: str
    question: str
    before: SideOut
    after: SideOut
    better: bool


class ComparisonOut(Shape):
    """Two runs side by side."""

    before: EvaluationOut
    after: EvaluationOut
    shared: int
    only_before: int
    only_after: int
    differences: list[DifferenceOut]
    changes: list[ChangeOut]
