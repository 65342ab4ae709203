"""What a training will take, said before it starts: steps, seconds, memory, disk; and refused where it cannot fit.

The seconds come from a matrix product timed on this machine at that moment and from recorded factors; the memory from
recorded factors alone. Recorded with the 0.5B base on two cores (docs/finetuning.md); within a third where checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from app.errors import TrainingDoesNotFit
from app.finetune.batching import grouped_order
from app.finetune.training_config import TrainingConfig
from app.models.base_shape import BaseShape

_FORWARD, _TRAINING, _CHECKPOINTED = 2, 4, 6
"""Operations for each weight and token: forward; with the way back, which passes the base's weights once; with the
forward pass done again."""

_EFFICIENCY = 0.75
"""Share of the timed product's speed that training reaches: measured 100 of 130 GFLOP/s."""

_MLP_TIME = 1.12
_HIDDEN_PARTS, _INTERMEDIATE_PARTS = 54.0, 4.5
_MLP_HIDDEN_PARTS, _MLP_INTERMEDIATE_PARTS = 15.0, 5.0
_CHECKPOINTED_PARTS = 0.45
"""What a token leaves in a layer until the way back, in its hidden and intermediate vectors; what an adapter on the MLP
adds; and what of it all is left with gradient checkpointing. Measured 3.4, 5.2 and 1.5 MB a token in 24 layers."""

_PROGRAM_MB = 700
_MANY_LENGTHS_MB = 1100
"""What kernels and a heap that have seen sequences of many lengths hold beside those of one: a whole training peaked at
5.0 GB whose parts are 3.9 GB, and stayed where it was after half of its steps."""

_START_SECONDS = 25.0
_ADAPTER_BYTES = 16
"""Of each learned weight: itself, its gradient and two moments of the optimizer, in four bytes each."""

_CHECKPOINTS = 2
_FOUR_BIT_BYTES = 0.6
_DISK_MB = 50


@dataclass(frozen=True, slots=True)
class Machine:
    """What a training may use: `flops` a second of a matrix product, bytes of a weight, free memory and disk."""

    flops: float
    bytes_a_weight: int
    memory_mb: int
    disk_mb: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a whole training takes; `trainable` are the weights that it learns."""

    steps: int
    seconds: float
    memory_mb: int
    disk_mb: int
    trainable: int


def estimate(
    config: TrainingConfig, lengths: Sequence[int], shape: BaseShape, machine: Machine, heldout: Sequence[int] = ()
) -> Estimate:
    """The estimate for examples of these lengths in tokens; the longest batch decides on the memory."""
    kept = [length for length in lengths if length <= config.max_tokens] or [config.max_tokens]
    steps = config.steps(len(kept))
    padded, longest = _padded(kept, config)
    evaluations = 1 + ceil(steps / config.evaluate_every) if heldout else 0
    operations = _CHECKPOINTED if config.gradient_checkpointing else _TRAINING
    mlp = config.targets != "attention"
    work = config.epochs * padded * operations * (_MLP_TIME if mlp else 1.0) + evaluations * sum(heldout) * _FORWARD
    trainable = trainable_weights(config, shape)
    varied = _MANY_LENGTHS_MB if len(set(kept)) > 1 else 0
    return Estimate(
        steps=steps,
        seconds=round(_START_SECONDS + work * _layer_weights(shape) / (machine.flops * _EFFICIENCY), 1),
        memory_mb=_memory_mb(config, shape, machine, longest, trainable) + varied,
        disk_mb=_DISK_MB + round((_CHECKPOINTS * 12 + 3 * 4) * trainable / 1e6),
        trainable=trainable,
    )


def require_fit(needed: Estimate, machine: Machine) -> None:
    """Raises `TrainingDoesNotFit` with what is missing."""
    if needed.memory_mb > machine.memory_mb:
        reason = f"it needs about {needed.memory_mb} MB of memory, and {machine.memory_mb} MB are free"
        raise TrainingDoesNotFit(reason=reason)
    if needed.disk_mb > machine.disk_mb:
        reason = f"it needs about {needed.disk_mb} MB of disk, and {machine.disk_mb} MB are free"
        raise TrainingDoesNotFit(reason=reason)


def trainable_weights(config: TrainingConfig, shape: BaseShape) -> int:
    """The weights of the adapter: two thin matrices for each projection."""
    sizes = shape.projections()
    return shape.layers * sum(config.rank * sum(sizes[name]) for name in config.modules)


def _layer_weights(shape: BaseShape) -> int:
    return shape.layers * sum(inputs * outputs for inputs, outputs in shape.projections().values())


def _padded(lengths: Sequence[int], config: TrainingConfig) -> tuple[int, int]:
    """Tokens of an epoch with their padding, and those of the largest batch."""
    order = grouped_order(lengths, config.batch_size * config.accumulate, config.seed, 0)
    batches = [order[start : start + config.batch_size] for start in range(0, len(order), config.batch_size)]
    sizes = [len(batch) * max(lengths[index] for index in batch) for batch in batches]
    return sum(sizes), max(sizes)


def _memory_mb(config: TrainingConfig, shape: BaseShape, machine: Machine, tokens: int, trainable: int) -> int:
    hidden, intermediate = _HIDDEN_PARTS, _INTERMEDIATE_PARTS
    if config.targets != "attention":
        hidden, intermediate = hidden + _MLP_HIDDEN_PARTS, intermediate + _MLP_INTERMEDIATE_PARTS
    width = machine.bytes_a_weight
    a_token = shape.layers * width * (hidden * shape.hidden + intermediate * shape.intermediate)
    if config.gradient_checkpointing:
        a_token *= _CHECKPOINTED_PARTS
    base = shape.parameters * (_FOUR_BIT_BYTES if config.four_bit else width)
    return _PROGRAM_MB + round((base + tokens * a_token + trainable * _ADAPTER_BYTES) / 1e6)
