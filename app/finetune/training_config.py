"""How one adapter is trained: every choice, resolved; and the choices that fit a size of data."""

from __future__ import annotations

from math import ceil
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from app.models.base_shape import ATTENTION, MLP
from app.types import PromptKind

Targets = Literal["attention", "attention+mlp"]

_STEPS_WANTED = 120
"""Updates in which an adapter of rank 16 has learned a form of answers; more examples need no more of them."""

_FEWEST_EPOCHS, _MOST_EPOCHS = 2, 4
_LARGE_SET = 400
"""Examples from which on a step takes in twice as many."""

_EVALUATIONS = 6
"""Looks at the held-out examples in a whole run; a held-out example costs half of what a learned one does."""


class TrainingConfig(BaseModel):
    """One training, with nothing left open. `base` is a model's name in the store, `seed` draws order and dropout.

    `batch_size` examples go through the model at once, `accumulate` of these make one step. `evaluate_every` is in
    steps; after `patience` evaluations in a row without a better held-out loss the training ends (0: never).
    An example of more than `max_tokens` is left out, never cut. `prompt` and `context_tokens` are what the adapter is
    trained with and has to be served with. `four_bit` holds the base in 4 bits, on CUDA only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str = Field(min_length=1, max_length=300)
    rank: int = Field(default=16, ge=1, le=256)
    alpha: int = Field(default=32, ge=1, le=1024)
    dropout: FiniteFloat = Field(default=0.05, ge=0, lt=1)
    targets: Targets = "attention"
    learning_rate: FiniteFloat = Field(default=2e-4, gt=0, le=1)
    epochs: FiniteFloat = Field(default=3, gt=0, le=100)
    batch_size: int = Field(default=1, ge=1, le=256)
    accumulate: int = Field(default=4, ge=1, le=256)
    warmup_share: FiniteFloat = Field(default=0.05, ge=0, le=0.5)
    max_grad_norm: FiniteFloat = Field(default=1.0, gt=0, le=1000)
    max_tokens: int = Field(default=1024, ge=32, le=32_768)
    gradient_checkpointing: bool = False
    patience: int = Field(default=3, ge=0, le=100)
    evaluate_every: int = Field(default=15, ge=1, le=100_000)
    seed: int = Field(default=20261123, ge=0, lt=2**32)
    four_bit: bool = False
    prompt: PromptKind = PromptKind.SHORT
    context_tokens: int = Field(default=300, ge=100, le=16_384)

    @model_validator(mode="after")
    def _room_for_passages(self) -> Self:
        if self.context_tokens >= self.max_tokens:
            raise ValueError("max_tokens must be more than context_tokens")
        return self

    @property
    def modules(self) -> tuple[str, ...]:
        """The projections that get an adapter."""
        return ATTENTION if self.targets == "attention" else ATTENTION + MLP

    def steps(self, examples: int) -> int:
        """Steps of a whole training on so many examples."""
        return max(1, ceil(self.epochs * self.steps_an_epoch(examples)))

    def steps_an_epoch(self, examples: int) -> int:
        """Steps in which each example is seen once; the last one may be smaller."""
        return max(1, ceil(ceil(examples / self.batch_size) / self.accumulate))


def defaults_for(base: str, examples: int, heldout: int, **chosen: Any) -> TrainingConfig:  # noqa: ANN401 - the fields' own
    """The configuration for so much data, with the fields in `chosen` as they are given.

    Few examples are seen more often, so that there are steps enough to learn a form; many are seen twice. One example
    at a time: on a processor larger batches are no faster, need more memory, and are padded. Raises pydantic's
    ValidationError.
    """
    values: dict[str, Any] = dict(chosen)
    values.setdefault("accumulate", 4 if examples < _LARGE_SET else 8)
    first = TrainingConfig(base=base, **values)
    if "epochs" not in chosen:
        wanted = round(_STEPS_WANTED / first.steps_an_epoch(examples))
        values["epochs"] = min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, wanted))
    if "evaluate_every" not in chosen:
        steps = TrainingConfig(base=base, **values).steps(examples)
        values["evaluate_every"] = max(1, ceil(steps / _EVALUATIONS))
    if "patience" not in chosen and heldout == 0:
        values["patience"] = 0
    return TrainingConfig(base=base, **values)
