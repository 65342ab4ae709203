"""Configurations by the size of the data, estimates against what was measured, and run folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.errors import TrainingDoesNotFit, TrainingFailed
from app.finetune.estimate import Machine, estimate, require_fit
from app.finetune.run_folder import RunFolder
from app.finetune.training_config import TrainingConfig, defaults_for
from app.models.base_shape import BaseShape
from app.models.training_base import TrainingBase
from tests.unit.finetune.factories import a_run

SMALL = BaseShape("qwen2", 24, 896, 4864, 14, 2, 64, 151_936, tied=True)
MACHINE = Machine(flops=133e9, bytes_a_weight=2, memory_mb=20_000, disk_mb=5_000)


@pytest.mark.parametrize(("examples", "epochs"), [(20, 4), (120, 4), (160, 3), (300, 2), (5000, 2)])
def test_few_examples_are_seen_more_often(examples: int, epochs: int) -> None:
    config = defaults_for("m", examples, 20)
    assert config.epochs == epochs
    assert 1 <= config.evaluate_every <= config.steps(examples)
    assert 5 <= config.steps(examples) / config.evaluate_every <= 7


def test_a_choice_stays() -> None:
    config = defaults_for("m", 100, 0, epochs=1, rank=8, accumulate=2)
    assert (config.epochs, config.rank, config.accumulate, config.patience) == (1, 8, 2, 0)
    assert config.steps(100) == 50


@pytest.mark.parametrize(
    "bad",
    [
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"learning_rate": 0},
        {"rank": 4096},
        {"max_tokens": 200, "context_tokens": 300},
        {"unknown": 1},
    ],
)
def test_a_bad_choice_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        defaults_for("m", 100, 10, **bad)


@pytest.mark.parametrize(
    ("choices", "seconds", "memory_mb"),
    [
        ({"batch_size": 1}, 5.8, 3058),
        ({"batch_size": 2}, 11.6, 4443),
        ({"batch_size": 4}, 23.2, 7192),
        ({"batch_size": 4, "gradient_checkpointing": True}, 28.0, 4103),
        ({"batch_size": 2, "targets": "attention+mlp"}, 13.0, 5997),
    ],
)
def test_the_estimate_is_near_what_was_measured(choices: dict[str, Any], seconds: float, memory_mb: int) -> None:
    """One step of 406 tokens an example with the 0.5B base on two cores."""
    config = TrainingConfig(base="m", accumulate=1, epochs=1, **choices)
    many = estimate(config, [406] * 16, SMALL, MACHINE)
    assert (many.seconds - 25) / many.steps == pytest.approx(seconds, rel=0.35)
    assert many.memory_mb == pytest.approx(memory_mb, rel=0.2)
    assert SMALL.parameters == pytest.approx(494e6, rel=0.01)


def test_what_does_not_fit_is_refused_with_the_numbers() -> None:
    needed = estimate(TrainingConfig(base="m", batch_size=64), [600] * 200, SMALL, MACHINE)
    with pytest.raises(TrainingDoesNotFit, match="MB of memory, and 20000 MB are free"):
        require_fit(needed, MACHINE)
    small = estimate(TrainingConfig(base="m"), [600] * 200, SMALL, MACHINE, [600] * 20)
    require_fit(small, MACHINE)
    with pytest.raises(TrainingDoesNotFit, match="of disk"):
        require_fit(small, Machine(1e9, 2, 20_000, 10))
    assert "内存" in str(TrainingDoesNotFit(reason="it needs about 7 MB of memory, and 5 MB are free").message("zh"))


def test_only_sealed_folders_count(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.newest_checkpoint() is None
    for step in (3, 6):
        folder = run.checkpoints / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "weights").write_bytes(b"1")
    run.seal(run.checkpoints / "checkpoint-3", {"step": 3})
    newest = run.newest_checkpoint()
    assert newest is not None
    assert newest.step == 3
    run.sweep()
    assert [path.name for path in run.checkpoints.iterdir()] == ["checkpoint-3"]


def test_the_best_adapter_replaces_the_one_before_and_is_published_whole(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for step in (3, 6):
        folder = run.new_best(step)
        (folder / "adapter_model.safetensors").write_text(f"step {step}")
        run.keep_best(folder, {"step": step, "loss": 1.0})
    assert [path.name for path in tmp_path.glob("best-*")] == ["best-6"]
    best = run.best()
    assert best is not None
    run.publish(best)
    run.publish(best)
    assert [path.name for path in run.adapter.iterdir()] == ["adapter_model.safetensors"]
    assert (run.adapter / "adapter_model.safetensors").read_text() == "step 6"


def test_a_run_folder_reads_back(tmp_path: Path, tiny_base: TrainingBase) -> None:
    run = a_run(tmp_path / "run", tiny_base)
    config = run.config()
    assert (config.base_name, config.base_revision, config.training.rank) == ("tiny", tiny_base.revision, 4)
    assert len(config.data_sha256) == 64
    assert {"manualqa", "torch", "trl", "peft"} <= config.versions.keys()
    assert (len(run.train()), len(run.heldout())) == (8, 3)
    assert run.result() is None
    run.train_file.write_text("no\n")
    with pytest.raises(TrainingFailed, match=r"train\.jsonl cannot be read"):
        run.train()


def test_sequences_of_many_lengths_need_more_memory() -> None:
    """A whole training of 116 examples of up to 650 tokens peaked at 4,998 MB."""
    config = TrainingConfig(base="m", epochs=1)
    lengths = [410 + 12 * number for number in range(21)]
    assert estimate(config, lengths, SMALL, MACHINE).memory_mb == pytest.approx(4998, rel=0.1)
