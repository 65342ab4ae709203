"""What this machine has for a training at this moment."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from app.errors import ExtraMissing
from app.finetune.estimate import Machine


def this_machine(folder: Path) -> Machine:
    """Its speed, timed in a third of a second, and what is free for a run folder in `folder`.

    Raises `ExtraMissing` where nothing can be trained at all.
    """
    require_extra()
    from app.finetune.device import Device, free_disk_mb  # noqa: PLC0415 - loads torch

    device = Device.found()
    return Machine(device.flops(), device.bytes_a_weight, device.free_memory_mb(), free_disk_mb(folder))


def require_extra() -> None:
    """Raises `ExtraMissing` where the optional part for training is not installed."""

    if any(find_spec(name) is None for name in ("accelerate", "datasets", "gguf", "peft", "transformers", "trl")):
        raise ExtraMissing(feature="The training of adapters", extra="finetune")
