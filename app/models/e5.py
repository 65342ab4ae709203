"""Turns the 4-bit file of multilingual-e5-small into an ordinary sentence-transformers folder.

The file ("E5S1", version 1, little-endian throughout) holds the whole model: the shape of the encoder, the unigram
pieces of the tokenizer with their scores, its normalization table by character, and the tensors, matrices in 4 bits.
The 4-bit rounding stays; everything else is the original. The result is written without the libraries that read it,
so that its bytes, and with them the pinned sha256, do not change with their versions.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_MAGIC, _VERSION = b"E5S1", 1
_BLOCK = 32
_UNKNOWN_ID, _END_ID, _PAD_ID = 3, 2, 1
_BLOCK_TYPE = np.dtype([("scale", "<f2"), ("nibbles", "u1", _BLOCK // 2)])
_BLOCKS_AT_ONCE = 1 << 17
_SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_SHAPE = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
)
_LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class NotE5Error(ValueError):
    """The bytes are not a multilingual-e5-small file of the format that this module reads."""


@dataclass(frozen=True, slots=True)
class _Tensor:
    """Where a tensor's bytes lie; None as bytes stands for zeros."""

    raw: memoryview | None
    quantized: bool
    size: int

    def values(self) -> Iterator[NDArray[np.float32]]:
        """The numbers, flat and in order, a few megabytes at a time."""
        if self.raw is None:
            yield np.zeros(self.size, "<f4")
        elif not self.quantized:
            yield np.frombuffer(self.raw, "<f4")
        else:
            step = _BLOCKS_AT_ONCE * _BLOCK_TYPE.itemsize
            for start in range(0, len(self.raw), step):
                yield _dequantize(self.raw[start : start + step])


@dataclass(frozen=True, slots=True)
class _Model:
    """Everything in the file. `replacements` maps a character to what the tokenizer reads in its place."""

    shape: Mapping[str, int | float]
    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    replacements: Mapping[str, str]
    tensors: Mapping[str, _Tensor]


class _Reader:
    """Reads little-endian values one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def values(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self._data, self._at)
        self._at += struct.calcsize("<" + layout)
        return values

    def number(self, layout: str) -> int:
        return int(self.values(layout)[0])

    def bytes(self, length: int) -> bytes:
        return bytes(self.values(f"{length}s")[0])


def convert(source: Path, folder: Path, advance: Callable[[int], None]) -> None:
    """Write the model in the file `source` as a sentence-transformers folder; the same bytes give the same folder.

    `advance` is told the bytes of weights written so far. Raises `NotE5Error`, and OSError where the disk does.
    """
    try:
        model = _read(source.read_bytes())
        weights = _bert_weights(model)
    except (struct.error, KeyError, UnicodeDecodeError, ValueError) as error:
        raise NotE5Error(f"{source.name}: {error}") from error
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    with (folder / "model.safetensors").open("wb") as out:
        _write_safetensors(out, weights, advance)
    _write_json(folder / "tokenizer.json", _tokenizer(model), indent=None)
    for name, content in _configs(model.shape).items():
        _write_json(folder / name, content, indent=2)


def _read(data: bytes) -> _Model:
    reader = _Reader(data)
    if reader.values("4sI") != (_MAGIC, _VERSION):
        raise NotE5Error("it does not begin as such a file does")
    shape = dict(zip(_SHAPE, reader.values("7if"), strict=True))
    block, count, *specials, text_size = reader.values("6iQ")
    if (block, specials) != (_BLOCK, [0, _END_ID, _PAD_ID, _UNKNOWN_ID]):
        raise NotE5Error("it has another block size or other special tokens")
    ends = reader.values(f"{count + 1}I")
    scores = reader.values(f"{count}f")
    text = reader.bytes(text_size)
    pieces = tuple(text[start:end].decode() for start, end in pairwise(ends))
    replacements = {}
    for _ in range(reader.values("iI")[0]):
        character, length = reader.values("IB")
        replacements[chr(character)] = "".join(map(chr, reader.values(f"{length}I")))
    tensors = {}
    for _ in range(reader.number("i")):
        name = reader.bytes(reader.number("H")).decode()
        kind, _, start, size = reader.values("BIQQ")
        tensors[name] = _tensor(memoryview(data)[start : start + size], quantized=kind == 1)
    return _Model(shape, pieces, scores, replacements, tensors)


def _tensor(raw: memoryview, *, quantized: bool) -> _Tensor:
    size = len(raw) // _BLOCK_TYPE.itemsize * _BLOCK if quantized else len(raw) // 4
    return _Tensor(raw, quantized, size)


def _dequantize(raw: memoryview) -> NDArray[np.float32]:
    """Q4_0: byte j of a block holds weight j in its low half and j + 16 in its high one, plus 8, over the scale."""
    blocks = np.frombuffer(raw, _BLOCK_TYPE)
    nibbles = blocks["nibbles"]
    weights = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype("<f4") - np.float32(8)
    scaled: NDArray[np.float32] = weights * blocks["scale"].astype("<f4")[:, None]
    return scaled.ravel()


def _bert_weights(model: _Model) -> dict[str, tuple[tuple[int, ...], _Tensor]]:
    """BERT's names -> (shape, tensor). The pooler, which nothing uses, is zero, so that loading is silent."""
    hidden, tensors = int(model.shape["hidden_size"]), model.tensors
    weights: dict[str, tuple[tuple[int, ...], _Tensor]] = {
        "pooler.dense.weight": ((hidden, hidden), _Tensor(None, False, hidden * hidden)),
        "pooler.dense.bias": ((hidden,), _Tensor(None, False, hidden)),
        "embeddings.LayerNorm.weight": ((hidden,), tensors["emb.ln.w"]),
        "embeddings.LayerNorm.bias": ((hidden,), tensors["emb.ln.b"]),
    }
    for short, long in (("word", "word"), ("pos", "position"), ("type", "token_type")):
        tensor = tensors[f"emb.{short}"]
        weights[f"embeddings.{long}_embeddings.weight"] = ((tensor.size // hidden, hidden), tensor)
    for layer in range(int(model.shape["num_hidden_layers"])):
        for short, long in _LAYER_PARTS.items():
            weight, bias = tensors[f"l{layer}.{short}.w"], tensors[f"l{layer}.{short}.b"]
            is_vector = weight.size == bias.size
            shape = (bias.size,) if is_vector else (bias.size, weight.size // bias.size)
            weights[f"encoder.layer.{layer}.{long}.weight"] = (shape, weight)
            weights[f"encoder.layer.{layer}.{long}.bias"] = ((bias.size,), bias)
    return weights


def _write_safetensors(
    out: BinaryIO, weights: Mapping[str, tuple[tuple[int, ...], _Tensor]], advance: Callable[[int], None]
) -> None:
    """The safetensors format: length of the header (u64), the header in JSON padded to 8 bytes, the tensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(weights):
        shape, tensor = weights[name]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + tensor.size * 4]}
        end += tensor.size * 4
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    out.write(struct.pack("<Q", len(text)) + text)
    for name in sorted(weights):
        for values in weights[name][1].values():
            out.write(values.astype("<f4", copy=False).data)
            advance(out.tell())


def _tokenizer(model: _Model) -> dict[str, Any]:
    """XLM-R's tokenizer in the format of the `tokenizers` library, from the stored pieces and normalization table."""
    ids = {piece: number for number, piece in enumerate(model.pieces)}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    charsmap = base64.b64encode(_charsmap(model.replacements)).decode()
    sequence_a, sequence_b = ({"Sequence": {"id": name, "type_id": kind}} for name, kind in (("A", 0), ("B", 1)))
    start, end = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("<s>", "</s>"))
    truncation = {"direction": "Right", "max_length": model.shape["max_position_embeddings"]}
    return {
        "version": "1.0",
        "truncation": {**truncation, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": [{"id": ids[name], "content": name, **flags} for name in _SPECIALS],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFC"},  # the table has no pairs of a letter and an accent
                {"type": "Precompiled", "precompiled_charsmap": charsmap},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [start, sequence_a, end],
            "pair": [sequence_a, sequence_b],
            "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in ("</s>", "<s>")},
        },
        "decoder": None,
        "model": {
            "type": "Unigram",
            "unk_id": _UNKNOWN_ID,
            "vocab": list(zip(model.pieces, model.scores, strict=True)),
            "byte_fallback": False,
        },
    }


def _charsmap(replacements: Mapping[str, str]) -> bytes:
    """SentencePiece's precompiled charsmap of {string: replacement}: a double-array trie, then the replacements."""
    texts, root = bytearray(), dict[int, Any]()
    for string, replacement in sorted(replacements.items()):
        node = root
        for byte in string.encode():
            node = node.setdefault(byte, {})
        node[0] = len(texts)  # label 0: where the replacement begins
        texts += replacement.encode() + b"\0"
    units = _double_array(root)
    array = np.zeros((max(units) | 255) + 1, "<u4")
    array[list(units)] = list(units.values())
    return struct.pack("<I", array.nbytes) + array.tobytes() + bytes(texts)


def _double_array(root: dict[int, Any]) -> dict[int, int]:
    """{place: unit} of a trie: a child with label c lies at its parent's base XOR c (darts-clone's unit layout)."""
    units: dict[int, int] = {}
    used, bases = {0}, {0}
    todo: list[tuple[int, int, dict[int, Any]]] = [(0, 0, root)]
    slot = 1
    while todo:
        place, label, node = todo.pop()
        first = next(iter(node))
        while slot ^ first in bases or any(slot ^ first ^ child in used for child in node):
            slot += 1  # wanted: a base that no other node has, with room for every child
        base = slot ^ first
        bases.add(base)
        used.update(base ^ child for child in node)
        units[place] = label | (0 in node) << 8 | (place ^ base) << 10
        todo += [(base ^ child, child, below) for child, below in node.items() if child]
        if 0 in node:
            units[base] = node[0] | 1 << 31
    return units


def _configs(shape: Mapping[str, int | float]) -> dict[str, Any]:
    """The small files of the folder by name."""
    longest = shape["max_position_embeddings"]
    parts = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    special_names = {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>"}
    bert = {"architectures": ["BertModel"], "model_type": "bert", "pad_token_id": _PAD_ID, "hidden_act": "gelu"}
    return {
        "config.json": {**shape, **bert, "torch_dtype": "float32"},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": longest,
            **special_names,
            "unk_token": "<unk>",
            "mask_token": "<mask>",
        },
        "sentence_bert_config.json": {"max_seq_length": longest, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": shape["hidden_size"], "pooling_mode_mean_tokens": True},
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate(parts)
        ],
    }


def _write_json(path: Path, content: object, indent: int | None) -> None:
    separators = None if indent else (",", ":")
    text = json.dumps(content, ensure_ascii=False, indent=indent, separators=separators)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
