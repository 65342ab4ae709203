"""What PEFT writes is taken, and what is kept of it means the same to PEFT."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import Qwen2Config, Qwen2ForCausalLM

from app.finetune.adapters import Source
from app.finetune.checking import Base
from app.models.base_shape import ATTENTION, MLP, shape_of
from tests.unit.finetune_adapters.conftest import Registry


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # PEFT asks for it
@pytest.mark.parametrize("targets", [ATTENTION, (*ATTENTION, *MLP)])
def test_an_adapter_of_peft_comes_back_the_same(registry: Registry, tmp_path: Path, targets: tuple[str, ...]) -> None:
    base = tmp_path / "tiny-model"
    config = Qwen2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=32,
        vocab_size=64,
        tie_word_embeddings=True,
    )
    Qwen2ForCausalLM(config).save_pretrained(base)
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=list(targets), task_type="CAUSAL_LM", init_lora_weights=False)
    made = tmp_path / "made"
    get_peft_model(Qwen2ForCausalLM.from_pretrained(base), lora).save_pretrained(made)

    registry.base = Base("tiny-model", "1", shape_of(base))
    adapter = registry.adapters.register(made, "a", Source())
    assert adapter.figures["targets"] == list(targets)

    tokens = torch.arange(10)[None]
    written = PeftModel.from_pretrained(Qwen2ForCausalLM.from_pretrained(base), made)(tokens).logits
    with pytest.warns(UserWarning, match="Unexpected keyword arguments"):  # our own key, which PEFT passes over
        kept = PeftModel.from_pretrained(Qwen2ForCausalLM.from_pretrained(base), registry.adapters.folder(adapter.id))
    assert torch.equal(kept(tokens).logits, written)
    assert not torch.equal(Qwen2ForCausalLM.from_pretrained(base)(tokens).logits, written)
