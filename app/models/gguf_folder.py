"""Turns a GGUF file of the qwen2 architecture into a Hugging Face folder: bf16 safetensors, tokenizer, chat template.

The rounding of the quantized weights stays. The one file that reads GGUF.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gguf import GGUFReader
    from gguf.gguf_reader import ReaderTensor

ARCHITECTURE = "qwen2"
_GLOBAL = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_IN_LAYER = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_EMBEDDING, _OUTPUT = "token_embd.weight", "output.weight"
_SAMPLED_ROWS = 64
_SAME = 0.98
"""Least cosine of an embedding row and its output row for both to be one weight in two roundings."""

_ROWS_AT_ONCE = 4096


class NotQwen2Error(ValueError):
    """The file is no GGUF of the qwen2 architecture."""


@dataclass(frozen=True, slots=True)
class _Weight:
    """A tensor under its Hugging Face name and shape."""

    name: str
    shape: tuple[int, ...]
    tensor: ReaderTensor

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))


def convert(source: Path, folder: Path, begin: Callable[[int], None], advance: Callable[[int], None]) -> None:
    """Write the model of `source` into the empty `folder`; `begin` is told the bytes to write, `advance` those written.

    Raises `NotQwen2Error`, and OSError where the disk does.
    """
    from gguf import GGUFReader  # noqa: PLC0415 - of an optional extra

    try:
        reader = GGUFReader(source)
        architecture = _value(reader, "general.architecture")
        if architecture != ARCHITECTURE:
            raise NotQwen2Error(str(architecture))
        weights = list(_weights(reader))
        config = _config(reader, weights)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise NotQwen2Error(str(error)) from error
    begin(sum(weight.size * 2 for weight in weights))
    _write_safetensors(folder / "model.safetensors", weights, advance)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "generation_config.json").write_text(json.dumps(_generation(reader), indent=2) + "\n", encoding="utf-8")
    _write_tokenizer(source, folder, reader)


def _value(reader: GGUFReader, key: str) -> Any:  # noqa: ANN401 - of whatever type the file says
    return reader.fields[key].contents()


def _weights(reader: GGUFReader) -> Iterator[_Weight]:
    """Every tensor once: of a weight that the file holds twice, as embedding and as output, the finer copy."""
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    tied = _are_tied(tensors)
    if tied and _OUTPUT in tensors:
        finer = max(tensors[_EMBEDDING], tensors.pop(_OUTPUT), key=lambda tensor: int(tensor.n_bytes))
        tensors[_EMBEDDING] = finer
    for name, tensor in tensors.items():
        yield _Weight(_name(name), tuple(int(size) for size in reversed(tensor.shape)), tensor)


def _are_tied(tensors: Mapping[str, ReaderTensor]) -> bool:
    """Whether the output is the embedding: left out of the file, or there in another rounding."""
    if _OUTPUT not in tensors:
        return True
    one, two = tensors[_EMBEDDING], tensors[_OUTPUT]
    if list(one.shape) != list(two.shape):
        return False
    rows = np.linspace(0, int(one.shape[1]) - 1, _SAMPLED_ROWS).astype(int)
    a, b = (_plain(tensor, rows).astype(np.float64) for tensor in (one, two))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    used = lengths > 0
    return bool(np.median((a * b).sum(axis=1)[used] / lengths[used]) > _SAME)


def _plain(tensor: ReaderTensor, rows: slice | NDArray[np.int_]) -> NDArray[np.float32]:
    """Rows of a tensor as numbers."""
    from gguf import dequantize  # noqa: PLC0415 - of an optional extra

    return np.asarray(dequantize(tensor.data[rows], tensor.tensor_type), np.float32)


def _name(name: str) -> str:
    if name in _GLOBAL:
        return _GLOBAL[name]
    _, layer, part, kind = name.split(".")
    return f"model.layers.{layer}.{_IN_LAYER[part]}.{kind}"


def _write_safetensors(path: Path, weights: list[_Weight], advance: Callable[[int], None]) -> None:
    """The safetensors format: length of the header (u64), the header in JSON padded to 8 bytes, the tensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for weight in weights:
        header[weight.name] = {"dtype": "BF16", "shape": weight.shape, "data_offsets": [end, end + weight.size * 2]}
        end += weight.size * 2
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        done = 0
        for weight in weights:
            for values in _pieces(weight):
                out.write(_bf16(values).tobytes())
                done += values.size * 2
                advance(done)


def _pieces(weight: _Weight) -> Iterator[NDArray[np.float32]]:
    rows = weight.tensor.data.shape[0]
    for start in range(0, rows, _ROWS_AT_ONCE):
        yield _plain(weight.tensor, slice(start, start + _ROWS_AT_ONCE))


def _bf16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The upper half of each number, rounded to the nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def _config(reader: GGUFReader, weights: list[_Weight]) -> dict[str, Any]:
    def own(name: str) -> Any:  # noqa: ANN401 - of whatever type the file says
        return _value(reader, f"{ARCHITECTURE}.{name}")

    shapes = {weight.name: weight.shape for weight in weights}
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": ARCHITECTURE,
        "attention_dropout": 0.0,
        "bos_token_id": _value(reader, "tokenizer.ggml.bos_token_id"),
        "eos_token_id": _value(reader, "tokenizer.ggml.eos_token_id"),
        "hidden_act": "silu",
        "hidden_size": own("embedding_length"),
        "initializer_range": 0.02,
        "intermediate_size": own("feed_forward_length"),
        "max_position_embeddings": own("context_length"),
        "max_window_layers": own("block_count"),
        "num_attention_heads": own("attention.head_count"),
        "num_hidden_layers": own("block_count"),
        "num_key_value_heads": own("attention.head_count_kv"),
        "rms_norm_eps": round(own("attention.layer_norm_rms_epsilon"), 12),
        "rope_theta": own("rope.freq_base"),
        "sliding_window": None,
        "tie_word_embeddings": _GLOBAL[_OUTPUT] not in shapes,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": shapes[_GLOBAL[_EMBEDDING]][0],
    }


def _generation(reader: GGUFReader) -> dict[str, Any]:
    """An answer ends with the end of a turn or of the text."""
    end, text_end = (_value(reader, f"tokenizer.ggml.{name}_token_id") for name in ("eos", "padding"))
    return {
        "bos_token_id": _value(reader, "tokenizer.ggml.bos_token_id"),
        "eos_token_id": list(dict.fromkeys((end, text_end))),
        "pad_token_id": text_end,
    }


def _write_tokenizer(source: Path, folder: Path, reader: GGUFReader) -> None:
    from transformers import AutoTokenizer  # noqa: PLC0415 - of an optional extra, and heavy

    tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
    tokens = _value(reader, "tokenizer.ggml.tokens")
    tokenizer.eos_token = tokens[_value(reader, "tokenizer.ggml.eos_token_id")]
    tokenizer.pad_token = tokens[_value(reader, "tokenizer.ggml.padding_token_id")]
    tokenizer.chat_template = _value(reader, "tokenizer.chat_template")
    tokenizer.save_pretrained(folder)
