"""The conversion of the 4-bit file, on a model of a few weights written here in its format."""

from __future__ import annotations

import hashlib
import json
import struct
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from app.errors import WeightsMissing
from app.models.e5 import NotE5Error, convert
from app.models.store import ModelStore
from app.settings import Settings

HIDDEN, LAYERS, INNER, POSITIONS = 32, 2, 64, 16
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁clean", "▁the", "▁filter", "▁滤网", "a", "1", "<mask>"]
SCORES = [0.0, 0.0, 0.0, 0.0, -2.0, -3.5, -3.0, -4.25, -5.0, -6.0, -6.5, 0.0]
REPLACEMENTS = {"ａ": "a", "①": "1", "\u3000": " ", "\t": " "}


def quantize(weights: NDArray[np.float32]) -> bytes:
    """Q4_0 one block at a time: scale, then 16 bytes of two nibbles each."""
    out = b""
    for block in weights.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7)
        numbers = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(np.uint8)
        out += scale.tobytes() + bytes(int(numbers[i]) | int(numbers[i + 16]) << 4 for i in range(16))
    return out


def tensors() -> dict[str, NDArray[np.float32]]:
    """Every tensor of the small model by its name in the file."""
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (len(PIECES), HIDDEN),
        "emb.pos": (POSITIONS, HIDDEN),
        "emb.type": (2, HIDDEN),
        "emb.ln.w": (HIDDEN,),
        "emb.ln.b": (HIDDEN,),
    }
    for layer in range(LAYERS):
        for name, rows, columns in (
            *((name, HIDDEN, HIDDEN) for name in ("q", "k", "v", "ao")),
            ("fi", INNER, HIDDEN),
            ("fo", HIDDEN, INNER),
        ):
            shapes[f"l{layer}.{name}.w"], shapes[f"l{layer}.{name}.b"] = (rows, columns), (rows,)
        for name in ("aln", "oln"):
            shapes[f"l{layer}.{name}.w"] = shapes[f"l{layer}.{name}.b"] = (HIDDEN,)
    random = np.random.default_rng(7)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def an_e5_file(path: Path, magic: bytes = b"E5S1") -> Path:
    text = "".join(PIECES).encode()
    ends = np.cumsum([0] + [len(piece.encode()) for piece in PIECES])
    head = magic + struct.pack("<I", 1)
    head += struct.pack("<7if", HIDDEN, LAYERS, 4, INNER, len(PIECES), POSITIONS, 2, 1e-12)
    head += struct.pack("<6iQ", 32, len(PIECES), 0, 2, 1, 3, len(text))
    head += ends.astype("<u4").tobytes() + np.array(SCORES, "<f4").tobytes() + text
    head += struct.pack("<iI", len(REPLACEMENTS), 0)
    for character, to in REPLACEMENTS.items():
        head += struct.pack(f"<IB{len(to)}I", ord(character), len(to), *map(ord, to))
    contents = tensors()
    raws = {name: quantize(data) if data.ndim == 2 else data.tobytes() for name, data in contents.items()}
    head += struct.pack("<i", len(raws))
    at = len(head) + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in raws)
    for name, raw in raws.items():
        is_matrix = contents[name].ndim == 2
        head += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", is_matrix, 0, at, len(raw))
        at += len(raw)
    path.write_bytes(head + b"".join(raws.values()))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    convert(an_e5_file(tmp_path / "packed"), tmp_path / "model", lambda _: None)
    return tmp_path / "model"


def test_the_weights_are_those_of_the_file_under_berts_names(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    source = tensors()
    assert len(weights) == 5 + LAYERS * 16 + 2
    for ours, theirs in (
        ("embeddings.word_embeddings.weight", "emb.word"),
        ("encoder.layer.1.attention.self.query.weight", "l1.q.w"),
        ("encoder.layer.0.intermediate.dense.weight", "l0.fi.w"),
        ("encoder.layer.0.output.dense.weight", "l0.fo.w"),
    ):
        assert weights[ours].shape == source[theirs].shape
        assert np.abs(weights[ours] - source[theirs]).max() < 0.3  # half a step of 4 bits, or the end of the range
        assert np.corrcoef(weights[ours].ravel(), source[theirs].ravel())[0, 1] > 0.99
    np.testing.assert_array_equal(weights["encoder.layer.1.output.LayerNorm.bias"], source["l1.oln.b"])
    np.testing.assert_array_equal(weights["embeddings.LayerNorm.weight"], source["emb.ln.w"])
    assert not weights["pooler.dense.weight"].any()


def test_the_tokenizer_is_that_of_the_file(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encoded = tokenizer.encode("clean the　filter\t滤网 ａ①")
    assert encoded.tokens == ["<s>", "▁clean", "▁the", "▁filter", "▁滤网", "▁", "a", "1", "</s>"]
    assert [tokenizer.token_to_id(piece) for piece in PIECES] == list(range(len(PIECES)))
    assert len(tokenizer.encode("a " * 100).ids) == POSITIONS


@pytest.mark.parametrize("text", [*REPLACEMENTS, "é", "e\u0301", "滤", "x"])
def test_the_normalization_table_maps_its_characters_and_no_others(folder: Path, text: str) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    expected = REPLACEMENTS.get(text, unicodedata.normalize("NFC", text))
    assert tokenizer.normalizer.normalize_str(text) == expected


def test_the_same_file_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    written: list[int] = []
    convert(tmp_path / "packed", tmp_path / "again", written.append)
    for path in (path for path in folder.rglob("*") if path.is_file()):
        again = tmp_path / "again" / path.relative_to(folder)
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()
    assert written == sorted(written)
    assert written[-1] == (folder / "model.safetensors").stat().st_size


def test_the_configuration_is_an_encoder_with_mean_pooling(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    assert (config["model_type"], config["hidden_size"], config["num_hidden_layers"]) == ("bert", HIDDEN, LAYERS)
    kinds = [part["type"].rpartition(".")[2] for part in json.loads((folder / "modules.json").read_bytes())]
    assert kinds == ["Transformer", "Pooling", "Normalize"]


def test_another_file_is_refused(tmp_path: Path) -> None:
    whole = an_e5_file(tmp_path / "packed").read_bytes()
    (tmp_path / "short").write_bytes(whole[:200])
    (tmp_path / "empty").write_bytes(b"")
    an_e5_file(tmp_path / "other", magic=b"GGUF")
    for name in ("short", "empty", "other"):
        with pytest.raises(NotE5Error):
            convert(tmp_path / name, tmp_path / "model", lambda _: None)


@pytest.mark.weights
def test_the_real_model_loads_silently_and_tells_topics_apart_in_both_languages() -> None:
    try:
        found = ModelStore.from_settings(Settings()).resolve("multilingual-e5-small")
    except WeightsMissing as missing:
        pytest.skip(str(missing))
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - seconds, and only here

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SentenceTransformer(str(found.path), device="cpu", local_files_only=True)
        vectors = model.encode(
            [
                "query: 如何清洁滤网？",
                "passage: To clean the filter, unplug the unit and rinse the filter with water.",
                "passage: The warranty of the motor lasts two years.",
            ]
        )
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    right, wrong = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert right > wrong + 0.05
