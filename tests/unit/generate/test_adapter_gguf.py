"""Adapters in the local server's format: every matrix under its name there, its values as they were."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file, save_file

from app.errors import AdapterInvalid
from app.generate.adapter_gguf import write_adapter
from tests.fixtures.lora import TINY, a_lora, sizes

ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
NAMES = dict(zip(ALL, ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"), strict=True))


def written(peft: Path) -> Path:
    path = peft.parent / "adapter.gguf"
    write_adapter(peft, path)
    return path


def test_every_projection_is_there_with_its_shape_and_values(tmp_path: Path) -> None:
    peft = a_lora(tmp_path / "peft", TINY, rank=4, targets=ALL)
    original = load_file(peft / "adapter_model.safetensors")
    tensors = {tensor.name: tensor for tensor in GGUFReader(written(peft)).tensors}
    assert len(tensors) == len(original) == TINY.layers * len(ALL) * 2
    for target, (inputs, outputs) in sizes(TINY).items():
        block = "mlp" if NAMES[target].startswith("ffn") else "self_attn"
        for side, shape in (("A", (4, inputs)), ("B", (outputs, 4))):
            tensor = tensors[f"blk.1.{NAMES[target]}.weight.lora_{side.lower()}"]
            assert tuple(reversed([int(n) for n in tensor.shape])) == shape
            theirs = original[f"base_model.model.model.layers.1.{block}.{target}.lora_{side}.weight"]
            assert np.array_equal(tensor.data, theirs.numpy())


def test_the_head_says_what_it_is_and_how_it_scales(tmp_path: Path) -> None:
    def alpha(name: str, **config: object) -> float:
        fields = GGUFReader(written(a_lora(tmp_path / name / "peft", TINY, rank=4, **config))).fields
        assert fields["general.architecture"].contents() == "qwen2"
        assert (fields["general.type"].contents(), fields["adapter.type"].contents()) == ("adapter", "lora")
        return float(fields["adapter.lora.alpha"].contents())

    assert alpha("plain", lora_alpha=32) == 32
    assert math.isclose(alpha("rooted", lora_alpha=32, use_rslora=True) / 4, 32 / math.sqrt(4))


def test_values_of_16_bits_stay_what_they_are(tmp_path: Path) -> None:
    peft = a_lora(tmp_path / "peft", TINY)
    weights = peft / "adapter_model.safetensors"
    halved = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(weights).items()}
    save_file(halved, weights)
    (tensor,) = (t for t in GGUFReader(written(peft)).tensors if t.name == "blk.0.attn_q.weight.lora_a")
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    assert np.array_equal(tensor.data, halved[name].float().numpy())


def test_the_same_adapter_gives_the_same_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    peft = a_lora(tmp_path / "one" / "peft", TINY)
    first = written(peft).read_bytes()
    assert written(peft).read_bytes() == first
    assert sorted(path.name for path in peft.parent.iterdir()) == ["adapter.gguf", "peft"]
    other = written(a_lora(tmp_path / "two" / "peft", TINY, seed=2)).read_bytes()
    assert other != first


def broken(peft: Path, how: str) -> None:
    weights = peft / "adapter_model.safetensors"
    tensors = load_file(weights)
    name = next(name for name in tensors if "lora_B" in name)
    match how:
        case "half of a pair":
            del tensors[name]
        case "nothing":
            tensors.clear()
        case "another part":
            tensors["base_model.model.lm_head.lora_A.weight"] = torch.zeros(2, 2)
    save_file(tensors, weights)
    if how == "cut":
        weights.write_bytes(weights.read_bytes()[:-9])
    if how == "own scales":
        config = json.loads((peft / "adapter_config.json").read_text())
        (peft / "adapter_config.json").write_text(json.dumps({**config, "alpha_pattern": {"q_proj": 1}}))


@pytest.mark.parametrize("how", ["half of a pair", "nothing", "another part", "cut", "own scales"])
def test_what_the_server_cannot_serve_is_refused_and_the_old_file_stays(tmp_path: Path, how: str) -> None:
    peft = a_lora(tmp_path / "peft", TINY)
    before = written(peft).read_bytes()
    broken(peft, how)
    with pytest.raises(AdapterInvalid):
        write_adapter(peft, tmp_path / "adapter.gguf")
    assert (tmp_path / "adapter.gguf").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter.gguf", "peft"]
