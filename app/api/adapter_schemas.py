"""The shapes of adapters, their proofs and promotions in requests and responses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from app.api.evaluation_schemas import EvaluationOut, Format, RunSettingsIn
from app.api.schemas import Body, QuestionText, Shape
from app.catalogue.promotions import PromotionKind
from app.types import AdapterState, PromptKind

MAX_REASON = 1000


class AdapterOut(Shape):
    """An adapter as it stands."""

    id: str = Field(examples=["ad-3f1c9a0d5e7b2468"])
    name: str
    base: str = Field(description="The model that it is for.")
    base_revision: str
    rank: int
    bytes: int
    sha256: str = Field(description="Over both files, names and sizes included.")
    prompt: PromptKind = Field(description="What it reads before the passages, as in its training.")
    context_tokens: int | None = Field(description="Passages' share of its prompt; null takes MQA_CONTEXT_TOKENS.")
    state: AdapterState
    wanted: bool = Field(description="Whether the model server is to have it.")
    hosted: bool = Field(description="Whether it can be asked now.")
    job_id: str | None = Field(description="The training that made it; null where it was imported.")
    data_hash: str | None
    figures: dict[str, Any]
    created_at: datetime
    used_at: datetime | None = Field(description="When it last answered, to half a minute.")


class AdapterList(Shape):
    adapters: list[AdapterOut]


class ProofIn(Body):
    """A knowledge base, and a question set; without one the questions that the adapter's training held out."""

    knowledge_base_id: str = Field(max_length=60, examples=["kb-3f1c9a0d5e7b2468"])
    questions: QuestionText | None = Field(None, description="The question set itself, as for an evaluation.")
    question_set_name: str = Field("held-out", min_length=1, max_length=120)
    format: Format = "jsonl"
    settings: RunSettingsIn = Field(default_factory=RunSettingsIn)


class ProofStarted(Shape):
    """The two evaluations of a proof; they run one after the other."""

    base: EvaluationOut
    adapter: EvaluationOut


class PairIn(Body):
    """The ids of two finished evaluations: of the base model and of the adapter."""

    base: str = Field(max_length=60, examples=["eval-5b8e0c2f7a914d36"])
    adapter: str = Field(max_length=60)


class PromotionIn(Body):
    """An adapter that is to answer the questions of a knowledge base."""

    adapter_id: str = Field(max_length=40, examples=["ad-3f1c9a0d5e7b2468"])
    share: int = Field(100, ge=1, le=100, description="Percentage of the questions; the rest stays as it is.")
    proof: PairIn | None = Field(None, description="By default the adapter's last proof for this knowledge base.")
    force: bool = Field(False, description="Also without a proof or with a bad one; recorded, and needs a reason.")
    reason: QuestionText = Field("", max_length=MAX_REASON)


class RollbackIn(Body):
    reason: QuestionText = Field("", max_length=MAX_REASON)


class ArmOut(Shape):
    """What came of the questions that one of the two sides of a promotion got, in conversations."""

    adapter_id: str | None = Field(description="Null for the base model.")
    answers: int
    up: int
    down: int


class PromotionOut(Shape):
    id: str = Field(examples=["pro-3f1c9a0d5e7b2468"])
    number: int
    kind: PromotionKind
    adapter_id: str | None = Field(description="Null for the base model.")
    previous_id: str | None = Field(description="What gets the rest of the questions; null for the base model.")
    share: int
    forced: bool
    reason: str
    proof: dict[str, Any]
    by: str = Field(description="Id of the key that did it.")
    created_at: datetime
    arms: list[ArmOut]


class StandingOut(Shape):
    """What answers the questions of a knowledge base now, and what did before."""

    knowledge_base_id: str
    adapter_id: str | None = Field(description="Null for the base model.")
    share: int
    hosted: bool = Field(description="False where the base model stands in for an adapter that is away.")
    present: PromotionOut | None = Field(description="Null where nothing has ever been promoted.")
    history: list[PromotionOut] = Field(description="Newest first, the present one among them.")
