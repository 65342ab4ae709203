"""What the loss covers, and that training reads the very tokens that are served."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.errors import TrainingBaseUnusable
from app.finetune.device import Device
from app.finetune.tokenizing import IGNORED, ChatTokenizer
from app.finetune.training_run import build_trainer
from app.generate.engine import EngineConfig, LocalEngine
from app.models.store import ModelStore
from app.models.training_base import TrainingBase, training_base
from app.settings import load_settings
from tests.unit.finetune.factories import a_run, an_example

SMALL = "qwen2.5-coder-0.5b-instruct"


@pytest.fixture(scope="module")
def tokenizer(tiny_base: TrainingBase) -> ChatTokenizer:
    return ChatTokenizer.load(tiny_base.folder, tiny_base.name)


def test_the_loss_covers_the_completion_and_the_end_of_its_turn(tokenizer: ChatTokenizer) -> None:
    example = an_example(3)
    encoded = tokenizer.encode(example)
    learned = tuple(label for label in encoded.labels if label != IGNORED)
    assert tokenizer.text(learned) == f"{example.completion}<|im_end|>"
    assert tokenizer.text(encoded.prompt).endswith("<|im_start|>assistant\n")
    assert example.messages[0].content in tokenizer.text(encoded.prompt)
    assert len(encoded.labels) == len(encoded.input_ids) == len(encoded)


def test_the_batches_of_the_trainer_have_labels_there_alone(
    tokenizer: ChatTokenizer, tiny_base: TrainingBase, tmp_path: Path
) -> None:
    folder = a_run(tmp_path / "run", tiny_base, batch_size=3)
    rows = [tokenizer.encode(example) for example in folder.train()]
    trainer = build_trainer(folder, folder.config(), Device.found(), tokenizer, rows, [])
    seen = []
    for batch in trainer.get_train_dataloader():
        for ids, labels, mask in zip(batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True):
            length = int(mask.sum())
            learned = [int(label) for label in labels if label != IGNORED]
            assert tuple(learned) == tuple(ids[length - len(learned) : length].tolist())
            seen.append((tuple(ids[:length].tolist()), tuple(learned)))
    assert sorted(seen) == sorted((tuple(row.input_ids), row.completion) for row in rows)


def test_a_template_that_changes_what_was_said_is_refused(tiny_base: TrainingBase) -> None:
    changing = ChatTokenizer.load(tiny_base.folder, "changing")
    changing.tokenizer.chat_template = changing.tokenizer.chat_template.replace(
        "message['content']", "message['content'] | upper"
    )
    with pytest.raises(TrainingBaseUnusable, match="changes what was said"):
        changing.encode(an_example(1))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    weights = ModelStore.from_settings(load_settings()).resolve(SMALL)
    logs = tmp_path_factory.mktemp("logs")
    engine = LocalEngine(EngineConfig(SMALL, weights.path, logs, 1024, 1, 2, start_seconds=240.0))
    engine.start()
    deadline = time.monotonic() + 240
    while engine.base_url is None:
        assert time.monotonic() < deadline, engine.status()
        time.sleep(0.05)
    yield engine
    engine.stop()


@pytest.mark.weights
def test_training_reads_the_tokens_that_the_local_server_reads(engine: LocalEngine) -> None:
    base = training_base(ModelStore.from_settings(load_settings()), SMALL)
    trained = ChatTokenizer.load(base.folder, base.name)
    odd = "Naïve ﬁt ½ ㎏ 12.5V  two  blanks\ttab\n\n行尾。\u200b除垢剂（NK-40）🙂 don't E-04 {{x}} <b>"
    examples = [
        an_example(1),
        an_example(2, text=odd),
        an_example(3, text="升级固件时，按住 MODE 键 5 秒。", refused=True),
    ]
    address = str(engine.base_url).removesuffix("/v1")
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {engine.api_key}"}, timeout=60) as client:
        for example in examples:
            messages = [message.model_dump() for message in example.messages]
            prompt = client.post("/apply-template", json={"messages": messages}).raise_for_status().json()["prompt"]
            assert served(client, prompt) == trained.prompt(example.messages)
            encoded = trained.encode(example)
            assert served(client, prompt + example.completion + "<|im_end|>") == tuple(encoded.input_ids)
    assert trained.tokenizer.eos_token_id == encoded.completion[-1] == 151645


def served(client: httpx.Client, text: str) -> tuple[int, ...]:
    body = {"content": text, "add_special": False, "parse_special": True}
    return tuple(client.post("/tokenize", json=body).raise_for_status().json()["tokens"])
