"""The shapes of trainings in requests and responses."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from app.api.schemas import Body, Name, QuestionText, Reason, Shape
from app.finetune.choices import DataChoices, TrainingChoices
from app.finetune.training_config import TrainingConfig
from app.types import JobState, Language, TrainingStage


class TrainingChoicesIn(TrainingChoices):
    """As `TrainingChoices`, and nothing is converted."""

    model_config = ConfigDict(strict=True)


class DataChoicesIn(DataChoices):
    """As `DataChoices`, and nothing is converted."""

    model_config = ConfigDict(strict=True)


class TrainingIn(Body):
    """Pairs of question and answer, and the knowledge base whose passages they are put beside."""

    knowledge_base_id: str = Field(max_length=60, examples=["kb-3f1c9a0d5e7b2468"])
    name: Name | None = Field(None, description="Of the training and its adapter; by default the name of the pairs.")
    pairs_name: str = Field(min_length=1, max_length=100, examples=["service_answers"])
    pairs: QuestionText = Field(
        description="The columns of a question set, and `quote` where it is known, as JSON lines or as CSV.",
        examples=['{"id": "q1", "question": "What does E-04 mean?", "answers": ["The tank is empty."]}'],
    )
    format: Literal["jsonl", "csv"] = "jsonl"
    base: str | None = Field(
        None,
        min_length=1,
        max_length=300,
        description="Another packing of the served model's weights to train on, as a known name or a hub id.",
    )
    data: DataChoicesIn = Field(default_factory=DataChoicesIn)
    training: TrainingChoicesIn = Field(default_factory=TrainingChoicesIn)


class StepOut(Shape):
    """One step; `tokens_per_second` counts tokens that are no padding."""

    step: int
    epoch: float
    loss: float | None
    learning_rate: float
    grad_norm: float | None
    tokens_per_second: float
    seconds: float
    memory_mb: int


class HeldoutOut(Shape):
    """Loss and perplexity on the held-out examples after a step; step 0 is the model without an adapter."""

    step: int
    loss: float
    perplexity: float | None


class AlarmOut(Shape):
    step: int
    code: Literal["loss_exploding", "not_a_number", "overfitting"]


class CurvesOut(Shape):
    """Points in the order of their steps. In an event those that are new: what was told of steps beyond `after` before
    does not hold any more, as a training that goes on after a kill does some of them again."""

    after: int = Field(-1, description="-1 where all points are here.")
    steps: list[StepOut]
    evaluations: list[HeldoutOut]
    checkpoints: list[int]
    alarms: list[AlarmOut]


class TrainingOut(Shape):
    """One training and how far it is."""

    id: str = Field(examples=["ft-5b8e0c2f7a914d36"])
    name: str
    knowledge_base_id: str | None = Field(description="Null where that was deleted meanwhile.")
    base: str
    state: JobState
    stage: TrainingStage
    step: int
    steps: int | None = Field(description="Null until its process has begun.")
    seconds_left: float | None = Field(description="At the present pace; null where it is not training.")
    attempts: int = Field(description="Starts since it last came on; after `MQA_FINETUNE_ATTEMPTS` it is given up.")
    config: dict[str, Any] = Field(description="The choices made, and all of the configuration once it is prepared.")
    examples: dict[str, Any] = Field(description="Counts and hashes of what it learns from.")
    figures: dict[str, Any] = Field(description="The newest values, those before it began, the best, the alarms.")
    adapter_id: str | None = Field(description="Of the adapter that came of it.")
    error: Reason | None = Field(None, description="Why it failed, where it did.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    curves: CurvesOut | None = Field(None, description="In events: the points that are new; otherwise null.")


class TrainingList(Shape):
    jobs: list[TrainingOut]


class EstimateOut(Shape):
    """What a training would cost. `exact` says that the examples were made and counted."""

    steps: int
    seconds: float
    memory_mb: int
    disk_mb: int
    pairs: int
    drafts_left_out: int = Field(description="Pairs that a model drafted and nobody has reviewed.")
    exact: bool
    config: TrainingConfig
    refusal: Reason | None = Field(None, description="Why it would not begin; null where it fits.")


class MessageOut(Shape):
    role: Literal["system", "user", "assistant"]
    content: str


class ExampleOut(Shape):
    """A prompt as the service writes it; the loss covers `completion` and nothing else."""

    id: str
    kind: Literal["answered", "unanswerable", "withheld"]
    language: Language
    document: str | None
    question: str
    messages: list[MessageOut]
    completion: str


class ExampleList(Shape):
    examples: list[ExampleOut]


class LengthsOut(Shape):
    """Tokens: the median, the length that 95% do not pass, the longest."""

    median: int
    most: int
    longest: int


class SideOut(Shape):
    """The examples that are learned from, or those that are held out to measure with."""

    examples: int
    kinds: dict[str, int] = Field(description="How many answer, and how many refuse for which reason.")
    languages: dict[str, int]
    documents: int
    tokens: LengthsOut
    learned_tokens: LengthsOut = Field(description="Of the completions alone.")


class PreviewOut(Shape):
    """An example as the model is given it: the loss covers `learned` and nothing else."""

    id: str
    kind: Literal["answered", "unanswerable", "withheld"]
    read: str
    learned: str


class DatasetOut(Shape):
    """What became of the pairs, and one example of each kind as the model would be given it."""

    pairs: int
    drafts_left_out: int
    left_out: dict[str, int] = Field(description="Pairs of which no example could be made, by the reason.")
    repeated: int = Field(description="Pairs that ask what another one asks.")
    leaking: int = Field(description="Pairs to learn from that ask what is held out; they are left out.")
    too_long: int = Field(description="Examples beyond `max_tokens`, which are left out.")
    brought: int = Field(description="Examples whose proof search had not shown; it was put among the passages.")
    split_by: Literal["document", "question"]
    shared_documents: list[str] = Field(description="Manuals with examples on both sides.")
    train: SideOut
    heldout: SideOut
    previews: list[PreviewOut]
    estimate: EstimateOut
