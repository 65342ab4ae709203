"""Everything about an adapter's folder that is looked at before any model server hears of it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from app.errors import AdapterChanged, AdapterInvalid
from app.finetune.adapter_config import PeftConfig, read_config
from app.finetune.adapter_files import CONFIG, MOST_CONFIG_BYTES, WEIGHTS, hash_of, opened
from app.finetune.tensors import Tensor, is_finite, read_tensors
from app.models.base_shape import ATTENTION, BaseShape

ARCHITECTURES = frozenset({"qwen2"})
"""What adapters are trained for and hosted with."""
_PACKING = re.compile(r"[-._](gguf|hf|bf16|fp16|f16|awq|gptq([-_]int[48])?|int[48]|i?q[2-8](_[0-9a-z]+)*)$")


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest adapter that is taken."""

    rank: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Base:
    """The model that an adapter is for, as the server knows it."""

    name: str
    revision: str
    shape: BaseShape


@dataclass(frozen=True, slots=True)
class Checked:
    """An adapter's folder that was found whole and harmless; `sha256` and `bytes` are over both files."""

    config: PeftConfig
    sha256: str
    bytes: int

    @property
    def rank(self) -> int:
        return self.config.rank

    @property
    def targets(self) -> tuple[str, ...]:
        return self.config.targets


def check_adapter(folder: Path, shape: BaseShape, limits: Limits) -> Checked:
    """Raises `AdapterInvalid` with the reason where the folder is not a plain LoRA adapter for such a base model.

    Looked at are its two files alone; nothing of them is executed, whatever they hold. The folder must not
    change meanwhile: check a copy that nobody else writes to.
    """
    if shape.architecture not in ARCHITECTURES:
        raise AdapterInvalid(reason=f"models of the kind {shape.architecture} cannot be adapted")
    with opened(folder, CONFIG, MOST_CONFIG_BYTES) as file:
        config = read_config(file.read(), limits.rank)
        size = os.fstat(file.fileno()).st_size
    with opened(folder, WEIGHTS, limits.bytes) as file:
        size += os.fstat(file.fileno()).st_size
        tensors, begin = read_tensors(file)
        _require_fit(tensors, wanted_tensors(shape, config))
        for name, tensor in tensors.items():
            if not is_finite(file, begin, tensor):
                raise AdapterInvalid(name, reason="it has a weight that is not a finite number")
    return Checked(config, hash_of(folder, limits.bytes), size)


def wanted_tensors(shape: BaseShape, config: PeftConfig) -> dict[str, tuple[int, int]]:
    """The shape of every tensor that an adapter of this rank with these targets has, by its name."""
    wanted, projections = {}, shape.projections()
    for layer in range(shape.layers):
        for target in config.targets:
            part = "self_attn" if target in ATTENTION else "mlp"
            name = f"base_model.model.model.layers.{layer}.{part}.{target}"
            inputs, outputs = projections[target]
            wanted[f"{name}.lora_A.weight"] = (config.rank, inputs)
            wanted[f"{name}.lora_B.weight"] = (outputs, config.rank)
    return wanted


def _require_fit(tensors: dict[str, Tensor], wanted: dict[str, tuple[int, int]]) -> None:
    if extra := sorted(tensors.keys() - wanted.keys()):
        raise AdapterInvalid(extra[0][:200], reason=f"{len(extra)} tensors of it do not belong to its base model")
    if missing := sorted(wanted.keys() - tensors.keys()):
        raise AdapterInvalid(missing[0], reason=f"{len(missing)} tensors are missing that its base model needs")
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name]:
            raise AdapterInvalid(f"{name} is {tensor.shape}", reason="its tensors have other sizes than its base model")


def require_same_base(named: str, base: Base) -> None:
    """Raises `AdapterInvalid` where the adapter names no base model, or another one than the served.

    Of a path or a hub id the last part counts, without case and without how the weights are packed, since a path means
    nothing on another machine. Models of one size have one shape, so that the tensors alone do not tell.
    """
    if not named:
        raise AdapterInvalid(reason="it does not say which base model it is for; name it")
    if plain_name(named) != plain_name(base.name):
        served = shown_name(base.name)
        raise AdapterInvalid(named[:200], reason=f"it is for another base model than the served {served}")


def shown_name(path_or_name: str) -> str:
    """A base model's name as it may leave this machine: of a path only the last part."""
    return Path(path_or_name).name if path_or_name.startswith(("/", "~", ".")) else path_or_name


def plain_name(name: str) -> str:
    """What two names of the same weights have in common."""
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].lower()
    last = last.split(":", 1)[0].removesuffix(".gguf")
    while (shorter := _PACKING.sub("", last)) != last:
        last = shorter
    return last


def verify(folder: Path, adapter_id: str, sha256: str, most_bytes: int) -> None:
    """Raises `AdapterChanged` where the files are not those of the hash any more; called before every hosting."""
    try:
        found = hash_of(folder, most_bytes)
    except AdapterInvalid as error:
        raise AdapterChanged(error.detail, ref=adapter_id, reason=error.params["reason"]) from error
    if found != sha256:
        raise AdapterChanged(f"{found} in place of {sha256}", ref=adapter_id, reason="their hash is another")
