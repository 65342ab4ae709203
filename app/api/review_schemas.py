"""The shapes of reviews and drafts in requests and responses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from app.api.conversation_schemas import MAX_COMMENT, FeedbackOut
from app.api.schemas import AnswerOut, Body, QuestionText, Shape
from app.evaluation.reviewed import MOST_QUESTION
from app.types import CallOutcome, Channel, DraftKind, Label


class LabelIn(Body):
    """`unsupported`: true perhaps, but the pages shown do not prove it."""

    label: Label = Field(strict=False)
    note: QuestionText | None = Field(None, max_length=MAX_COMMENT)


class ReviewOut(Shape):
    """A question with its answer and what was said of it."""

    id: str = Field(examples=["call-3f1c9a0d5e7b2468"])
    knowledge_base_id: str
    question: str
    answer: AnswerOut | None = Field(description="Null where it ended without one.")
    asked_at: datetime
    channel: Channel
    outcome: CallOutcome
    withheld: int = Field(description="Sentences of the model that nothing carried.")
    feedback: FeedbackOut | None = Field(description="The asker's.")
    label: Label | None = Field(description="The reviewer's.")
    note: str | None
    labelled_at: datetime | None


class ReviewList(Shape):
    reviews: list[ReviewOut]
    total: int
    questions_kept: bool = Field(
        description="False where no words of new questions are kept (`MQA_KEEP_QUESTIONS`): none can be reviewed."
    )


_Text = Annotated[QuestionText, StringConstraints(strip_whitespace=True, min_length=1, max_length=MOST_QUESTION)]
_Page = Annotated[int, Field(ge=1, le=1_000_000)]


class ExpectedIn(Body):
    """What is right: one or more answers and where they stand, or `answerable` false."""

    question: _Text
    answers: list[_Text] = Field([], max_length=20, description="Any one is right.")
    answerable: bool = True
    document: Annotated[QuestionText, StringConstraints(strip_whitespace=True, max_length=300)] | None = Field(
        None, description="Name of the document that answers."
    )
    pages: list[_Page] = Field([], max_length=50)
    quote: QuestionText = Field("", max_length=MOST_QUESTION, description="The manual's words that state the answer.")


class DraftIn(Body):
    kind: DraftKind = Field(strict=False)


class DraftOut(Shape):
    """A question with the answer expected of it."""

    id: str = Field(examples=["dra-9d4e1b7a6c035f28"])
    knowledge_base_id: str
    call_id: str
    kind: DraftKind
    question: str
    answers: list[str]
    answerable: bool
    document: str | None
    pages: list[int]
    quote: str
    reviewed: bool = Field(description="Whether a person has corrected it; only then it is exported.")
    created_at: datetime
    updated_at: datetime


class DraftList(Shape):
    drafts: list[DraftOut]
