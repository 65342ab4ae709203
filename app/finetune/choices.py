"""What may be chosen of a training; what is left open takes what fits the data."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from app.finetune.preparing import PrepareChoices
from app.finetune.splitting import SplitBy
from app.finetune.training_config import Targets
from app.types import PromptKind


class TrainingChoices(BaseModel):
    """Fields of `TrainingConfig`, where they say what each means; None leaves the choice to the server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int | None = Field(None, ge=1, le=256)
    alpha: int | None = Field(None, ge=1, le=1024)
    dropout: FiniteFloat | None = Field(None, ge=0, lt=1)
    targets: Targets | None = None
    learning_rate: FiniteFloat | None = Field(None, gt=0, le=1)
    epochs: FiniteFloat | None = Field(None, gt=0, le=100)
    batch_size: int | None = Field(None, ge=1, le=256)
    accumulate: int | None = Field(None, ge=1, le=256)
    warmup_share: FiniteFloat | None = Field(None, ge=0, le=0.5)
    max_grad_norm: FiniteFloat | None = Field(None, gt=0, le=1000)
    max_tokens: int | None = Field(None, ge=32, le=32_768)
    gradient_checkpointing: bool | None = None
    patience: int | None = Field(None, ge=0, le=100)
    evaluate_every: int | None = Field(None, ge=1, le=100_000)
    seed: int | None = Field(None, ge=0, lt=2**32)
    four_bit: bool | None = None
    prompt: PromptKind | None = None
    context_tokens: int | None = Field(None, ge=100, le=16_384)

    def chosen(self) -> dict[str, Any]:
        """The fields that were chosen, by name."""
        return self.model_dump(exclude_none=True)


class DataChoices(BaseModel):
    """How pairs become examples, as in `PrepareChoices`; with `drafts`, also pairs that nobody has reviewed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    drafts: bool = False
    withheld_share: FiniteFloat | None = Field(None, ge=0, le=0.9)
    heldout_share: FiniteFloat | None = Field(None, ge=0, le=0.9)
    split_by: SplitBy | None = None

    def prepare(self, training: TrainingChoices) -> PrepareChoices:
        """These, with what an example and a training have in common."""
        shared = {name: value for name, value in training.chosen().items() if name in PrepareChoices.model_fields}
        own = self.model_dump(exclude_none=True, exclude={"drafts"})
        return PrepareChoices.model_validate({**shared, **own})
