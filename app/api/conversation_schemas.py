"""The shapes of conversations, turns and feedback in requests and responses."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.api.schemas import (
    AdapterChoice,
    AnswerLanguage,
    AnswerOut,
    Body,
    QuestionText,
    Reason,
    SearchOut,
    Shape,
    Threshold,
)
from app.catalogue.conversations import Feedback, Verdict
from app.types import TurnState

MAX_COMMENT = 2000


class ConversationIn(Body):
    """A conversation begins empty."""


class ConversationSummary(Shape):
    id: str = Field(examples=["con-3f1c9a0d5e7b2468"])
    knowledge_base_id: str
    title: str = Field(description="The first question; empty before it.")
    created_at: datetime
    updated_at: datetime = Field(description="When it was last asked something.")


class ConversationOut(ConversationSummary):
    turns: int


class ConversationList(Shape):
    conversations: list[ConversationOut]


class FeedbackIn(Body):
    verdict: Verdict
    comment: QuestionText | None = Field(None, max_length=MAX_COMMENT)

    def feedback(self) -> Feedback:
        """As it is kept: a comment of nothing is none."""
        return Feedback(self.verdict, (self.comment or "").strip() or None)


class FeedbackOut(Shape):
    verdict: Verdict
    comment: str | None


class TurnOut(Shape):
    """One question and what came of it."""

    id: str = Field(examples=["turn-9d4e1b7a6c035f28"])
    question: str
    standalone: str | None = Field(description="What was searched for and answered in its place.")
    asked_at: datetime
    state: TurnState
    answer: AnswerOut | None
    sources: SearchOut | None
    written: str | None = Field(description="What the model had written, unchecked, where there is no answer.")
    error: Reason | None
    feedback: FeedbackOut | None


class ConversationWithTurns(ConversationSummary):
    turns: list[TurnOut]


class TurnIn(Body):
    question: QuestionText = Field(examples=["And how do I clear it?"])
    language: AnswerLanguage = None
    limit: int | None = Field(None, ge=1, le=50)
    threshold: Threshold = None
    adapter: AdapterChoice = None


class BeganOut(Shape):
    id: str


class RewrittenOut(Shape):
    question: str
