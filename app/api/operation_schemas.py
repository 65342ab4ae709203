"""The shapes of operations: figures of a period, and the calls behind them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.api.schemas import Shape
from app.catalogue.operations import Period
from app.types import CallOutcome, Channel, Label


class TimesOut(Shape):
    """Percentiles in seconds."""

    p50: float
    p95: float
    p99: float


class FiguresOut(Shape):
    """What became of some calls; rates are shares of 1, null where there is nothing to take a share of."""

    calls: int
    outcomes: dict[CallOutcome, int]
    refusals: dict[str, int] = Field(description="Refused calls by reason.")
    errors: dict[str, int] = Field(description="Failed calls by the code of their error.")
    error_rate: float | None = Field(description="Failed calls by those whose asker did not leave.")
    extract_rate: float | None = Field(description="Calls that got an extract, since the model was away.")
    refusal_rate: float | None
    prompt_tokens: int
    completion_tokens: int
    sentences: int = Field(description="Sentences that the model wrote.")
    withheld: int = Field(description="Those of them that no passage carried.")
    ungrounded_rate: float | None = Field(description="`withheld` by `sentences`: hallucination as the check sees it.")
    labelled: int = Field(description="Answers that a reviewer has labelled.")
    wrong: int = Field(description="Those of them that are wrong or unsupported.")
    wrong_rate: float | None = Field(description="`wrong` by `labelled`: hallucination as people see it.")
    rated: int
    down: int
    down_rate: float | None
    times: dict[str, TimesOut | None] = Field(description="To `sources`, to the `first_token`, and in `total`.")


class BucketOut(Shape):
    """The figures from `start` to the start of the next."""

    start: datetime
    figures: FiguresOut


class GroupOut(Shape):
    """The figures of one; `id` is null for calls without a model, or without an adapter."""

    id: str | None
    name: str | None
    figures: FiguresOut


class OperationsOut(Shape):
    """A period with its figures, those of the period before, over time and taken apart."""

    period: Period
    since: datetime
    until: datetime
    bucket_seconds: int
    total: FiguresOut
    before: FiguresOut
    buckets: list[BucketOut]
    knowledge_bases: list[GroupOut]
    models: list[GroupOut]
    adapters: list[GroupOut]


class CallOut(Shape):
    """One call; `question` is null where questions are not kept."""

    id: str
    knowledge_base_id: str
    key_id: str
    channel: Channel
    asked_at: datetime
    question: str | None
    outcome: CallOutcome
    reason: str | None = Field(description="Why it was refused, or the code of an error.")
    model: str | None
    adapter_id: str | None
    sources_seconds: float | None
    first_token_seconds: float | None
    total_seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None
    sentences: int
    withheld: int
    verdict: str | None
    label: Label | None


class CallList(Shape):
    calls: list[CallOut]
