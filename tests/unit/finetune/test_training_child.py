"""Real trainings of a tiny model in the child: learned, killed, told to stop, orphaned, gone wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from app.finetune.curves import read_curves, read_events
from app.finetune.run_folder import RunFolder
from app.models.training_base import TrainingBase
from tests.fixtures.waiting import wait_for
from tests.unit.finetune.factories import ROOT, a_run, start

SECONDS = 240
ENDLESS = {"epochs": 100.0}


@dataclass(frozen=True)
class Runs:
    """Trainings that ran beside each other, by what was done to them; the status that each child ended with."""

    folders: dict[str, RunFolder]
    status: dict[str, int]


def until(condition: Callable[[], bool]) -> None:
    assert wait_for(condition, SECONDS), "it did not come about"


def has(folder: RunFolder, event: str) -> Callable[[], bool]:
    return lambda: any(one["event"] == event for one in read_events(folder.events_file))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny_base: TrainingBase) -> Iterator[Runs]:
    place = tmp_path_factory.mktemp("runs")
    folders = {
        "whole": a_run(place / "whole", tiny_base),
        "killed": a_run(place / "killed", tiny_base),
        "stopped": a_run(place / "stopped", tiny_base, **ENDLESS),
        "orphaned": a_run(place / "orphaned", tiny_base, **ENDLESS),
        "broken": a_run(place / "broken", a_broken_base(place / "base", tiny_base), heldout=0),
    }
    children = {name: start(folder) for name, folder in folders.items() if name != "orphaned"}
    parent = an_own_parent(folders["orphaned"])
    try:
        until(has(folders["killed"], "checkpoint"))
        children["killed"].kill()
        until(has(folders["stopped"], "step"))
        children["stopped"].send_signal(signal.SIGTERM)
        until(has(folders["orphaned"], "step"))
        parent.kill()
        parent.wait(SECONDS)
        status = {name: child.wait(SECONDS) for name, child in children.items()}
        folders["killed"].adapter.with_name(".adapter.partial").mkdir()
        status["resumed"] = start(folders["killed"]).wait(SECONDS)
        yield Runs(folders, status)
    finally:
        for child in (*children.values(), parent):
            child.kill()
            child.wait(SECONDS)


def a_broken_base(folder: Path, base: TrainingBase) -> TrainingBase:
    """The base with a weight that is no number."""
    folder.mkdir()
    for path in base.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return TrainingBase("broken", base.revision, folder, base.shape)


def an_own_parent(folder: RunFolder) -> subprocess.Popen[bytes]:
    """A process that starts the child and waits."""
    program = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-m', 'app.finetune.training_child', {str(folder.path)!r}])\n"
    )
    return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})


def test_a_training_ends_with_a_lower_loss_and_curves_that_read_back(runs: Runs) -> None:
    folder = runs.folders["whole"]
    assert runs.status["whole"] == 0
    curves = read_curves(folder.path)
    assert [point.step for point in curves.steps] == list(range(1, 13))
    assert [point.step for point in curves.evaluations] == [0, 3, 6, 9, 12]
    assert curves.checkpoints == [3, 6, 9, 12]
    assert curves.evaluations[-1].loss < curves.evaluations[0].loss - 0.1
    losses = [point.loss or 0.0 for point in curves.steps]
    assert sum(losses[-4:]) < sum(losses[:4])
    assert all(point.tokens_per_second > 0 and point.memory_mb > 100 for point in curves.steps)
    assert curves.begun is not None
    assert (curves.begun["examples"], curves.begun["heldout"], curves.begun["resumed_from"]) == (8, 3, None)
    result = folder.result()
    assert result is not None
    assert result["state"] == "done"
    assert result["best_loss"] == min(point.loss for point in curves.evaluations if point.step)
    assert list(folder.tensorboard.glob("events.out.tfevents.*"))


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # peft asks for it
def test_the_adapter_is_a_peft_folder_that_names_its_base_and_changes_it(runs: Runs, tiny_base: TrainingBase) -> None:
    adapter = runs.folders["whole"].adapter
    assert sorted(path.name for path in adapter.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((adapter / "adapter_config.json").read_bytes())
    assert (config["base_model_name_or_path"], config["revision"], config["r"]) == ("tiny", tiny_base.revision, 4)
    assert sorted(config["target_modules"]) == ["k_proj", "o_proj", "q_proj", "v_proj"]
    assert str(tiny_base.folder) not in (adapter / "adapter_config.json").read_text()
    base = AutoModelForCausalLM.from_pretrained(tiny_base.folder)
    ids = base.dummy_inputs["input_ids"] % tiny_base.shape.vocabulary
    before = base(ids).logits.detach().clone()
    model = PeftModel.from_pretrained(base, adapter)
    assert (model(ids).logits - before).abs().max() > 0.01


def test_a_killed_training_goes_on_and_ends_as_if_nothing_had_been(runs: Runs) -> None:
    assert runs.status["killed"] == -signal.SIGKILL
    assert runs.status["resumed"] == 0
    killed, whole = (read_curves(runs.folders[name].path) for name in ("killed", "whole"))
    assert killed.begun is not None
    assert killed.begun["resumed_from"] in (3, 6, 9, 12)
    assert [point.step for point in killed.steps] == [point.step for point in whole.steps]
    for mine, its in zip(killed.steps, whole.steps, strict=True):
        assert mine.loss == pytest.approx(its.loss, abs=2e-2), mine.step
    assert [point.step for point in killed.evaluations] == [0, 3, 6, 9, 12]


def test_only_whole_adapters_are_ever_in_the_place_of_one(runs: Runs) -> None:
    assert (runs.folders["killed"].adapter / "adapter_model.safetensors").is_file()
    assert not runs.folders["killed"].adapter.with_name(".adapter.partial").exists()
    assert [name for name in ("stopped", "orphaned", "broken") if runs.folders[name].adapter.exists()] == []


def test_told_to_stop_it_keeps_a_checkpoint_and_says_so(runs: Runs) -> None:
    folder = runs.folders["stopped"]
    assert runs.status["stopped"] == 75
    kept = folder.newest_checkpoint()
    assert kept is not None
    assert kept.step == read_curves(folder.path).steps[-1].step
    assert folder.result() is None


def test_it_ends_with_its_parent_and_keeps_a_checkpoint(runs: Runs) -> None:
    folder = runs.folders["orphaned"]
    until(lambda: folder.newest_checkpoint() is not None and is_free(folder))
    kept = folder.newest_checkpoint()
    assert kept is not None
    assert kept.step == read_curves(folder.path).steps[-1].step < 400


def is_free(folder: RunFolder) -> bool:
    """Whether no child trains there any more."""
    command = [sys.executable, "-c", "import sys, filelock; filelock.FileLock(sys.argv[1], timeout=0).acquire()"]
    return subprocess.run([*command, str(folder.lock_file)], capture_output=True, check=False).returncode == 0


def test_a_loss_that_is_no_number_ends_it_with_the_reason(runs: Runs) -> None:
    folder = runs.folders["broken"]
    assert runs.status["broken"] == 3
    assert folder.result() == {"state": "failed", "code": "training_diverged", "params": {"step": 1}}
    assert [alarm.code for alarm in read_curves(folder.path).alarms] == ["not_a_number"]


def test_a_folder_that_is_none_fails_with_the_reason(tmp_path: Path, tiny_base: TrainingBase) -> None:
    folder = a_run(tmp_path / "run", tiny_base)
    text = folder.config_file.read_text()
    folder.config_file.write_text(text.replace('"learning_rate": 0.02', '"learning_rate": NaN'))
    assert start(folder).wait(SECONDS) == 3
    assert folder.result() == {
        "state": "failed",
        "code": "training_failed",
        "params": {"reason": "its config.json cannot be read"},
    }
