"""The shape of a base model, from the head of its GGUF file or the config.json of its folder."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final

from app.errors import WeightsCorrupt

ATTENTION: Final = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP: Final = ("gate_proj", "up_proj", "down_proj")

_MAGIC = b"GGUF"
_CONFIG_BYTES = 1_000_000
_MOST_PAIRS = 10_000
_MOST_TEXT = 1_000_000
_MOST_ENTRIES = 4_000_000
_SCALARS: Final = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _ARRAY = 8, 9
_TOKENS = "tokenizer.ggml.tokens"


@dataclass(frozen=True, slots=True)
class BaseShape:
    """What of a model decides the size of an adapter and of its training.

    `architecture` as GGUF and transformers name it, such as "qwen2"; `head_size` is that of one attention head; `tied`
    says that the embeddings serve as the last layer, too; a GGUF file, whose head does not tell, counts as tied.
    """

    architecture: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_value_heads: int
    head_size: int
    vocabulary: int
    tied: bool = True

    @property
    def parameters(self) -> int:
        """Weights of the model, its small vectors left out."""
        attention = self.hidden * self.head_size * (2 * self.heads + 2 * self.key_value_heads)
        layer = attention + 3 * self.hidden * self.intermediate
        return self.layers * layer + self.vocabulary * self.hidden * (1 if self.tied else 2)

    def projections(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of each projection of a layer."""
        queries, keys = self.heads * self.head_size, self.key_value_heads * self.head_size
        return {
            "q_proj": (self.hidden, queries),
            "k_proj": (self.hidden, keys),
            "v_proj": (self.hidden, keys),
            "o_proj": (queries, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }


def shape_of(path: Path) -> BaseShape:
    """The shape of the model in this .gguf file or folder; raises `WeightsCorrupt` where it does not tell."""
    file = path / "config.json" if path.is_dir() else path
    try:
        status = file.stat()
        return _read(file, status.st_mtime_ns, status.st_size)
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise WeightsCorrupt(repr(error), name=path.name, file=file.name) from error


@lru_cache(maxsize=8)
def _read(path: Path, changed: int, size: int) -> BaseShape:  # noqa: ARG001 - they tell another file of the same name
    """Kept, since a GGUF file of a large vocabulary takes a third of a second."""
    with path.open("rb") as file:
        return _of_config(json.loads(file.read(_CONFIG_BYTES))) if path.suffix == ".json" else _of_gguf(file)


def _of_config(config: Mapping[str, Any]) -> BaseShape:
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    return BaseShape(
        architecture=str(config["model_type"]),
        layers=int(config["num_hidden_layers"]),
        hidden=hidden,
        heads=heads,
        key_value_heads=int(config.get("num_key_value_heads") or heads),
        intermediate=int(config["intermediate_size"]),
        vocabulary=int(config["vocab_size"]),
        head_size=int(config.get("head_dim") or hidden // heads),
        tied=bool(config.get("tie_word_embeddings", False)),
    )


def _of_gguf(file: BinaryIO) -> BaseShape:
    """By the key-value pairs at the beginning of the file; the weights behind them are not read."""
    if file.read(4) != _MAGIC:
        raise ValueError("not a GGUF file")
    version, _, pairs = struct.unpack("<IQQ", file.read(20))
    if version not in (2, 3) or pairs > _MOST_PAIRS:
        raise ValueError("a version or a size that is not known")
    found: dict[str, Any] = {}
    for _ in range(pairs):
        key = _text(file).decode()
        found[key] = _value(file, _number(file, "<I"), key)
    architecture = str(found["general.architecture"])
    of: Callable[[str], int] = lambda name: int(found[f"{architecture}.{name}"])  # noqa: E731 - one line, used here
    hidden, heads = of("embedding_length"), of("attention.head_count")
    return BaseShape(
        architecture=architecture,
        layers=of("block_count"),
        hidden=hidden,
        heads=heads,
        key_value_heads=int(found.get(f"{architecture}.attention.head_count_kv", heads)),
        intermediate=of("feed_forward_length"),
        vocabulary=int(found.get(_TOKENS, 0)),
        head_size=int(found.get(f"{architecture}.attention.key_length", hidden // heads)),
    )


def _value(file: BinaryIO, kind: int, key: str) -> object:
    """A value; of an array only its length."""
    if kind == _TEXT:
        return _text(file).decode("utf-8", "replace")
    if kind != _ARRAY:
        return _number(file, _SCALARS[kind])
    inner, count = _number(file, "<I"), _number(file, "<Q")
    if count > _MOST_ENTRIES or inner == _ARRAY:
        raise ValueError(f"the array {key} is too long")
    if inner == _TEXT:
        for _ in range(count):
            _text(file)
    else:
        file.seek(count * struct.calcsize(_SCALARS[inner]), 1)
    return count


def _text(file: BinaryIO) -> bytes:
    length = _number(file, "<Q")
    if length > _MOST_TEXT:
        raise ValueError("a text is too long")
    return file.read(length)


def _number(file: BinaryIO, form: str) -> Any:  # noqa: ANN401 - a number, as the form says
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]
