"""The adapter_config.json of a PEFT folder: read strictly, and written anew with nothing in it but what matters."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from app.errors import AdapterInvalid
from app.models.base_shape import ATTENTION, MLP
from app.types import PromptKind

OWN: Final = "manualqa"
"""The key that holds what PEFT has no place for: how the adapter is to be asked. PEFT and vLLM pass over it."""

_FREE: Final = frozenset({"base_model_name_or_path", "revision", "peft_version", "inference_mode", "qalora_group_size"})
"""Keys whose values change nothing in what is computed."""
_FIXED: Final[Mapping[str, tuple[object, ...]]] = {
    "peft_type": ("LORA",),
    "task_type": ("CAUSAL_LM", None),
    "bias": ("none",),
    "megatron_core": ("megatron.core", None),
    "init_lora_weights": (True, False, "gaussian", None),
}
"""Keys with the values they may have; every other key that is not read below must be empty."""
_READ: Final = frozenset({"r", "lora_alpha", "lora_dropout", "target_modules", OWN})
_MOST_ALPHA = 10_000
_MOST_CONTEXT = 100_000
_MOST_NAME = 300


@dataclass(frozen=True, slots=True)
class PeftConfig:
    """What an adapter says of itself. `base` and `base_revision` are what it was trained on, empty where it is silent;
    `prompt` and `context_tokens` are None where another program wrote it."""

    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...]
    base: str = ""
    base_revision: str = ""
    prompt: PromptKind | None = None
    context_tokens: int | None = None

    def as_json(self) -> bytes:
        """The file as it is kept, served and exported: the same values give the same bytes."""
        own = {"base_revision": self.base_revision, "context_tokens": self.context_tokens, "prompt": self.prompt}
        kept = {
            "base_model_name_or_path": self.base,
            "bias": "none",
            "fan_in_fan_out": False,
            "inference_mode": True,
            "lora_alpha": int(self.alpha) if self.alpha.is_integer() else self.alpha,
            "lora_dropout": self.dropout,
            OWN: own,
            "modules_to_save": None,
            "peft_type": "LORA",
            "r": self.rank,
            "target_modules": list(self.targets),
            "task_type": "CAUSAL_LM",
            "use_dora": False,
            "use_rslora": False,
        }
        return (json.dumps(kept, indent=2, ensure_ascii=False) + "\n").encode()


def read_config(content: bytes, most_rank: int) -> PeftConfig:
    """Reads it; raises `AdapterInvalid` for whatever a plain LoRA adapter does not have."""
    try:
        config = strict_json(content)
    except ValueError as error:
        raise AdapterInvalid(repr(error), reason="adapter_config.json is not strict JSON") from error
    if not isinstance(config, dict):
        raise AdapterInvalid(reason="adapter_config.json is not an object")
    _require_plain(config)
    own = config.get(OWN) or {}
    if not isinstance(own, dict) or own.keys() - {"base_revision", "context_tokens", "prompt"}:
        raise AdapterInvalid(reason=f"adapter_config.json has a value for {OWN} that is not ours")
    return PeftConfig(
        rank=_rank(config.get("r"), most_rank),
        alpha=_number(config.get("lora_alpha"), "lora_alpha", _MOST_ALPHA),
        dropout=_number(config.get("lora_dropout", 0.0), "lora_dropout", 1),
        targets=_targets(config.get("target_modules")),
        base=_name(config.get("base_model_name_or_path"), "base_model_name_or_path"),
        base_revision=_name(own.get("base_revision"), OWN),
        prompt=_prompt(own.get("prompt")),
        context_tokens=_context(own.get("context_tokens")),
    )


def strict_json(content: bytes) -> object:
    """The value; raises `ValueError` where it is not JSON, or means different things to different readers."""

    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key twice")
        return found

    def no_constant(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no number of JSON")

    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=once, parse_constant=no_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _require_plain(config: Mapping[str, Any]) -> None:
    """Raises for code to be run, further modules, other kinds of adapters, and whatever else is not known."""
    for key, value in config.items():
        if key in _FREE or key in _READ:
            continue
        if key in _FIXED:
            if not any(value is allowed or (value == allowed and type(value) is str) for allowed in _FIXED[key]):
                raise AdapterInvalid(reason=f"{key} of adapter_config.json has a value that is not supported")
        elif value not in (None, {}, [], "") and value is not False:
            raise AdapterInvalid(reason=f"adapter_config.json sets {_shown(key)}, which is not supported")
    if config.get("peft_type") != "LORA":
        raise AdapterInvalid(reason="it is not a LoRA adapter")


def _rank(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise AdapterInvalid(reason="its rank is no positive whole number")
    if value > most:
        raise AdapterInvalid(reason=f"its rank is {value}; at most {most} are allowed (MQA_MAX_LORA_RANK)")
    return value


def _number(value: object, key: str, most: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise AdapterInvalid(reason=f"{key} of adapter_config.json is no number")
    if not math.isfinite(value) or not 0 <= value <= most:
        raise AdapterInvalid(reason=f"{key} of adapter_config.json is out of range")
    return float(value)


def _targets(value: object) -> tuple[str, ...]:
    known = (*ATTENTION, *MLP)
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise AdapterInvalid(reason="target_modules of adapter_config.json is no list of names")
    strange = next((name for name in value if name not in known), None)
    if strange is not None:
        raise AdapterInvalid(reason=f"it adapts {_shown(strange)}; only the projections of a layer can be adapted")
    if len(set(value)) != len(value):
        raise AdapterInvalid(reason="target_modules of adapter_config.json is no list of names")
    return tuple(name for name in known if name in value)


def _name(value: object, key: str) -> str:
    if value is not None and (not isinstance(value, str) or len(value) > _MOST_NAME):
        raise AdapterInvalid(reason=f"{key} of adapter_config.json has a value that is not supported")
    return value or ""


def _prompt(value: object) -> PromptKind | None:
    if value is not None and not (isinstance(value, str) and value in set(PromptKind)):
        raise AdapterInvalid(reason=f"adapter_config.json has a value for {OWN} that is not ours")
    return None if value is None else PromptKind(str(value))


def _context(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _MOST_CONTEXT:
        raise AdapterInvalid(reason=f"adapter_config.json has a value for {OWN} that is not ours")
    return value


def _shown(text: str) -> str:
    """A name from the file as it may stand in a sentence."""
    return "".join(c if c.isprintable() and c != ";" else "?" for c in text)[:60] or "?"
