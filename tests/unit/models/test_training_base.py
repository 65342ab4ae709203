"""A GGUF made here becomes a folder that training loads: once, whole, the same weights and the same tokens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter, quantize
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from app.errors import TrainingBaseUnusable
from app.models.store import ModelStore
from app.models.training_base import TrainingBase, training_base
from tests.fixtures.tiny_chat_model import CHATML, a_tiny_base
from tests.unit.models.factories import a_store

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def gguf_name(name: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    part, kind = rest.rsplit(".", 1)
    return f"blk.{layer}.{NAMES[part]}.{kind}"


def write_gguf(path: Path, base: TrainingBase, architecture: str = "qwen2") -> None:
    """The base as a quantized file would hold it: an output of its own beside the embedding, in another rounding."""
    writer = GGUFWriter(path, architecture)
    shape = base.shape
    writer.add_block_count(shape.layers)
    writer.add_context_length(1024)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.intermediate)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_value_heads)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    vocabulary = json.loads((base.folder / "tokenizer.json").read_bytes())["model"]
    tokens = sorted(vocabulary["vocab"], key=vocabulary["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in vocabulary["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_chat_template(CHATML)
    for name, weight in load_file(base.folder / "model.safetensors").items():
        plain = weight.float().numpy()
        if name == "model.embed_tokens.weight":
            kind = GGMLQuantizationType.Q4_0
            writer.add_tensor("token_embd.weight", quantize(plain, kind), raw_dtype=kind)
            writer.add_tensor("output.weight", plain.astype(np.float32))
        else:
            writer.add_tensor(gguf_name(name), plain.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> TrainingBase:
    return a_tiny_base(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    (tmp_path / "models").mkdir()
    return a_store(tmp_path / "models")


def test_a_gguf_becomes_a_folder_with_its_weights_and_tokens(
    store: ModelStore, base: TrainingBase, tmp_path: Path
) -> None:
    path = tmp_path / "own.gguf"
    write_gguf(path, base)
    made = training_base(store, str(path))
    assert made.folder.parent == store.folder / "training"
    assert (made.shape, made.revision) == (base.shape, store.resolve(str(path)).revision)
    ours, theirs = (load_file(one.folder / "model.safetensors") for one in (made, base))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs), "the finer of two copies, to the last bit"
    text = "Quote: 升级固件 12.5V\nAnswer: E-04 🙂<|im_end|>\n"
    one, two = (AutoTokenizer.from_pretrained(folder.folder) for folder in (made, base))
    assert one(text)["input_ids"][-2:] == two(text)["input_ids"][-2:]
    assert one.decode(one(text)["input_ids"]) == text
    assert (one.eos_token, one.pad_token, one.chat_template) == ("<|im_end|>", "<|endoftext|>", CHATML)
    assert AutoModelForCausalLM.from_pretrained(made.folder).config.tie_word_embeddings
    seal = json.loads((made.folder / "training.json").read_bytes())
    assert seal["revision"] == made.revision
    assert len(seal["gguf_sha256"]) == 64


def test_it_is_made_once_and_again_where_it_was_damaged(store: ModelStore, base: TrainingBase, tmp_path: Path) -> None:
    path = tmp_path / "own.gguf"
    write_gguf(path, base)
    folder = training_base(store, str(path)).folder
    before = (folder / "training.json").stat().st_ino
    assert training_base(store, str(path)).folder == folder
    assert (folder / "training.json").stat().st_ino == before
    (folder / "model.safetensors").write_bytes(b"half")
    training_base(store, str(path))
    assert (folder / "model.safetensors").stat().st_size > 1000
    assert [entry.name for entry in folder.parent.iterdir() if entry.is_dir()] == [folder.name]


@pytest.mark.parametrize("damage", ["another architecture", "cut short", "no GGUF"])
def test_what_cannot_be_turned_leaves_nothing(
    store: ModelStore, base: TrainingBase, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "own.gguf"
    write_gguf(path, base, "llama" if damage == "another architecture" else "qwen2")
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:100_000])
    if damage == "no GGUF":
        path.write_bytes(b"no GGUF at all")
    with pytest.raises(TrainingBaseUnusable, match="architecture qwen2"):
        training_base(store, str(path))
    assert [entry for entry in (store.folder / "training").iterdir() if entry.is_dir()] == []


def test_a_folder_of_the_users_is_used_as_it_is(store: ModelStore, base: TrainingBase) -> None:
    found = training_base(store, str(base.folder))
    assert (found.folder, found.shape) == (base.folder, base.shape)
    assert not (store.folder / "training").exists()


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("model.safetensors", "no safetensors weights"),
        ("tokenizer.json", "no tokenizer.json"),
        ("chat_template.jinja", "no chat template"),
    ],
)
def test_a_folder_that_lacks_something_is_refused_at_once(
    store: ModelStore, base: TrainingBase, tmp_path: Path, missing: str, reason: str
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    for path in base.folder.iterdir():
        if path.name != missing:
            (folder / path.name).write_bytes(path.read_bytes())
    with pytest.raises(TrainingBaseUnusable, match=reason):
        training_base(store, str(folder))
