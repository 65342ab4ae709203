"""The shapes of calibrations and drafts of questions in requests and responses."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from app.api.schemas import Body, FingerprintOut, Reason, Shape
from app.types import Language
from eval.statistics import SEED


class CalibrationIn(Body):
    """By which evaluation to calibrate, and what must not be exceeded; one target at most."""

    evaluation_id: str = Field(max_length=60, examples=["eval-5b8e0c2f7a914d36"])
    most_false_refusals: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of answerable questions that may be refused; 0.05 where no target is given.",
    )
    most_invented: float | None = Field(
        None, ge=0, le=1, description="Share of unanswerable questions that may be answered, as the target instead."
    )
    seed: int = Field(SEED, ge=0, le=2**32 - 1, description="Of the division into folds.")

    @model_validator(mode="after")
    def one_target(self) -> CalibrationIn:
        if self.most_false_refusals is not None and self.most_invented is not None:
            raise PydanticCustomError("two_targets", "Only one of most_false_refusals and most_invented can be given")
        return self


class TuningOut(Shape):
    """Values of search and refusal; null leaves a value to what holds without calibration."""

    threshold: float | None
    keyword_weight: float | None
    most_doubt: float | None
    most_doubt_strange: float | None


class TargetOut(Shape):
    kind: Literal["false_refusals", "invented"]
    most: float


class CalibrationOut(Shape):
    """The calibration of a knowledge base, and whether it holds for its present index and the present model."""

    knowledge_base_id: str
    evaluation_id: str | None
    target: TargetOut
    values: TuningOut = Field(description="What was chosen.")
    holding: TuningOut = Field(description="What of it holds now.")
    stale: bool
    why: list[Reason] = Field(description="What has changed since, where it is stale.")
    warnings: list[Reason] = Field(description="What to know before relying on it.")
    fingerprint: FingerprintOut = Field(description="Of the index that it was measured with.")
    model: str | None = Field(description="The model that its limits of doubt belong to.")
    figures: dict[str, Any] = Field(description="Held-out figures, what was tried, and risk-coverage curves.")
    created_at: datetime


class DraftsIn(Body):
    """How many questions to draft, and from which passages."""

    count: int = Field(30, ge=1, le=500)
    unanswerable: int | None = Field(
        None, ge=0, le=500, description="How many of them without an answer; by default a quarter."
    )
    seed: int = Field(SEED, ge=0, le=2**32 - 1)
    language: Language | None = Field(None, description="Passages of this language alone.")

    @model_validator(mode="after")
    def not_more_than_all(self) -> DraftsIn:
        if self.unanswerable is not None and self.unanswerable > self.count:
            raise PydanticCustomError("too_many_unanswerable", "unanswerable must not be greater than count")
        return self


class DraftOut(Shape):
    """A draft: the labelled question as it stands in a question set, and where it comes from."""

    question: dict[str, Any]
    document: str
    page: int
    evidence: str = Field(description="The words of the page that state the answer, or that it was made from.")


class DraftedOut(Shape):
    """The end of a stream of drafts."""

    drafts: int
    spoiled: dict[str, int] = Field(description="Drafts that were not kept, by the reason.")
