"""The folder of one training: what it is made from, what it has come to, and what it leaves."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from app import __version__
from app.errors import TrainingFailed
from app.finetune.examples import Example, data_hash, example_lines, read_examples
from app.finetune.training_config import TrainingConfig
from app.models.training_base import TrainingBase
from app.syncing import sync_folder

_PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate")
_WHOLE = "whole.json"
_CHECKPOINT, _BEST = "checkpoint-", "best-"


class RunConfig(BaseModel):
    """All that one training is made from; `data_sha256` is of its examples, `versions` of the programs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    training: TrainingConfig
    base_folder: str
    base_name: str
    base_revision: str
    data_sha256: str
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder that was kept whole at a step: a checkpoint, or the best adapter so far."""

    step: int
    folder: Path
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Names and whole reads and writes of a run folder's files."""

    path: Path

    @property
    def config_file(self) -> Path:
        return self.path / "config.json"

    @property
    def train_file(self) -> Path:
        return self.path / "train.jsonl"

    @property
    def heldout_file(self) -> Path:
        return self.path / "heldout.jsonl"

    @property
    def questions_file(self) -> Path:
        return self.path / "questions.jsonl"

    @property
    def events_file(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def result_file(self) -> Path:
        return self.path / "result.json"

    @property
    def log_file(self) -> Path:
        return self.path / "log.txt"

    @property
    def lock_file(self) -> Path:
        return self.path / ".lock"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    def config(self) -> RunConfig:
        """Raises `TrainingFailed` where it is missing or not valid."""
        try:
            return RunConfig.model_validate_json(self.config_file.read_bytes())
        except (OSError, ValidationError) as error:
            raise TrainingFailed(str(error), reason="its config.json cannot be read") from error

    def train(self) -> list[Example]:
        """Raises `TrainingFailed` where they are missing or not valid."""
        return _examples(self.train_file)

    def heldout(self) -> list[Example]:
        """Raises `TrainingFailed` where they are missing or not valid."""
        return _examples(self.heldout_file)

    def result(self) -> dict[str, Any] | None:
        """How the training ended; None while it has not."""
        try:
            found = json.loads(self.result_file.read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Says how the training ended, as its last act."""
        _write(self.result_file, json.dumps(result, ensure_ascii=False, indent=2) + "\n")

    def newest_checkpoint(self) -> Kept | None:
        """The newest checkpoint that is whole."""
        return max(_kept(self.checkpoints, _CHECKPOINT), key=lambda kept: kept.step, default=None)

    def best(self) -> Kept | None:
        """The best adapter so far."""
        return max(_kept(self.path, _BEST), key=lambda kept: kept.step, default=None)

    def sweep(self) -> None:
        """Removes what a killed process left half written."""
        whole = {kept.folder for kept in (*_kept(self.checkpoints, _CHECKPOINT), *_kept(self.path, _BEST))}
        for folder in (*self.checkpoints.glob(f"{_CHECKPOINT}*"), *self.path.glob(f"{_BEST}*")):
            if folder not in whole:
                shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(_partial(self.adapter), ignore_errors=True)

    def seal(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Marks a folder whose files are all written as whole."""
        for path in folder.iterdir():
            if path.is_file():
                _sync(path)
        _write(folder / _WHOLE, json.dumps(facts))

    def new_best(self, step: int) -> Path:
        """The empty folder for the adapter of this step, to be sealed by `keep_best`."""
        return _empty(self.path / f"{_BEST}{step}")

    def keep_best(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Seals the best adapter's folder and removes the one it surpassed."""
        self.seal(folder, facts)
        for kept in _kept(self.path, _BEST):
            if kept.folder != folder:
                shutil.rmtree(kept.folder, ignore_errors=True)

    def publish(self, best: Kept) -> None:
        """Puts the best adapter in the adapter's place, by one rename."""
        partial = _partial(self.adapter)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(best.folder, partial, ignore=shutil.ignore_patterns(_WHOLE))
        for path in partial.iterdir():
            _sync(path)
        shutil.rmtree(self.adapter, ignore_errors=True)
        partial.replace(self.adapter)
        sync_folder(self.path)


def write_run_folder(
    folder: Path,
    config: TrainingConfig,
    base: TrainingBase,
    train: Sequence[Example],
    heldout: Sequence[Example],
    questions: str = "",
) -> RunFolder:
    """The folder that a training starts from; `config.json` is written last and says that all is there.

    `questions` are the held-out questions in the lines of a question set.
    """
    run = RunFolder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write(run.train_file, example_lines(train))
    _write(run.heldout_file, example_lines(heldout))
    _write(run.questions_file, questions)
    resolved = RunConfig(
        training=config,
        base_folder=str(base.folder),
        base_name=base.name,
        base_revision=base.revision,
        data_sha256=data_hash(train, heldout),
        versions=_versions(),
    )
    _write(run.config_file, resolved.model_dump_json(indent=2) + "\n")
    return run


def _versions() -> dict[str, str]:
    found = {"manualqa": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _examples(path: Path) -> list[Example]:
    try:
        return list(read_examples(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TrainingFailed(str(error), reason=f"its {path.name} cannot be read") from error


def _kept(parent: Path, prefix: str) -> list[Kept]:
    """The folders of this prefix that are sealed."""
    found = []
    for folder in parent.glob(f"{prefix}*"):
        try:
            facts = json.loads((folder / _WHOLE).read_bytes())
            found.append(Kept(int(folder.name.removeprefix(prefix)), folder, facts))
        except (OSError, ValueError):
            continue
    return found


def _partial(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.partial")


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _write(path: Path, text: str) -> None:
    """The whole file or none of it."""
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
