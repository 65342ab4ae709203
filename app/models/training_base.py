"""The folder that training starts from: a model of the store as bf16 safetensors with its tokenizer."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from app.errors import DiskFull, ExtraMissing, TrainingBaseUnusable, WeightsCorrupt
from app.models.base_shape import BaseShape, shape_of
from app.models.gguf_folder import ARCHITECTURE, NotQwen2Error, convert
from app.models.progress import Progress, SilentProgress
from app.models.pull import disk_errors, sha256_of, sync
from app.models.store import ModelStore, ResolvedModel
from app.syncing import sync_folder

_MADE = "training"
_SEAL = "training.json"
_MOST_GROWTH = 4.0
"""bf16 against the 4 bits and more of a quantized file."""

_LOCK_SECONDS = 3600.0
"""Another process may be making the same folder: a minute for a small model, many for a large one on a slow disk."""


@dataclass(frozen=True, slots=True)
class TrainingBase:
    """A model that adapters can be trained on. `revision` is that of the model as it is served."""

    name: str
    revision: str
    folder: Path
    shape: BaseShape


class _Seal(BaseModel):
    """Written into a folder that was made here: what it was made from, and the sizes of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    revision: str
    gguf_sha256: str
    files: dict[str, int]

    def holds(self, folder: Path, revision: str) -> bool:
        sizes = {name: (folder / name).stat().st_size for name in self.files if (folder / name).is_file()}
        return self.revision == revision and sizes == self.files


def training_base(store: ModelStore, name: str, progress: Progress | None = None) -> TrainingBase:
    """The base that `name` stands for on this machine; a GGUF is turned into a folder once, which takes a minute.

    A folder of the user's, or one fetched from the hub, is used as it is. Nothing half made is ever in the place of
    the folder. Raises `TrainingBaseUnusable`, `ExtraMissing`, `DiskFull`, and what `ModelStore.resolve` does.
    """
    if find_spec("gguf") is None or find_spec("transformers") is None:
        raise ExtraMissing(feature="The training of adapters", extra="finetune")
    model = store.resolve(name)
    if model.kind != "llm":
        raise TrainingBaseUnusable(name=name, reason="it does not write text")
    folder = model.path if model.path.is_dir() else _made(store.folder, model, progress or SilentProgress())
    _require_whole(folder, name)
    return TrainingBase(model.name, model.revision, folder, read_shape(folder, name))


def read_shape(folder: Path, name: str) -> BaseShape:
    """The shape that a folder's config.json tells; raises `TrainingBaseUnusable`."""
    try:
        return shape_of(folder)
    except WeightsCorrupt as error:
        raise TrainingBaseUnusable(error.detail, name=name, reason="its config.json is not understood") from error


def _require_whole(folder: Path, name: str) -> None:
    """Raises `TrainingBaseUnusable` where the folder cannot be trained on, before hours are spent on it."""
    if not any(folder.glob("*.safetensors")):
        raise TrainingBaseUnusable(name=name, reason="its folder has no safetensors weights")
    if not (folder / "tokenizer.json").is_file():
        raise TrainingBaseUnusable(name=name, reason="its folder has no tokenizer.json")
    has_template = (folder / "chat_template.jinja").is_file()
    if not has_template and b"chat_template" not in _read(folder / "tokenizer_config.json"):
        raise TrainingBaseUnusable(name=name, reason="its tokenizer has no chat template")
    if b"quantization_config" in _read(folder / "config.json"):
        raise TrainingBaseUnusable(name=name, reason="its weights are quantized")


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _made(models: Path, model: ResolvedModel, progress: Progress) -> Path:
    own = model.path.parent.parent == models
    target = models / _MADE / (model.path.parent.name if own else f"own-{model.revision}")
    if _is_made(target, model.revision):
        return target
    with disk_errors(model.name, models), _lock(target, model.name, progress):
        if not _is_made(target, model.revision):
            _make(target, model, progress)
    return target


def _is_made(folder: Path, revision: str) -> bool:
    try:
        return _Seal.model_validate_json((folder / _SEAL).read_bytes()).holds(folder, revision)
    except (OSError, ValidationError):
        return False


@contextmanager
def _lock(target: Path, name: str, progress: Progress) -> Iterator[None]:
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(target.parent / f".{target.name}.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.note(f"{name}: another process is preparing it for training; waiting")
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout as error:
            reason = "another process has been preparing it for too long"
            raise TrainingBaseUnusable(name=name, reason=reason) from error
    try:
        yield
    finally:
        lock.release()


def _make(target: Path, model: ResolvedModel, progress: Progress) -> None:
    """The folder under a temporary name, made durable, sealed and then renamed."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    free, needed = shutil.disk_usage(target.parent).free, _MOST_GROWTH * model.path.stat().st_size
    if free < needed:
        raise DiskFull(free_mb=free // 1_000_000, needed_mb=round(needed / 1_000_000))
    partial.mkdir()
    try:
        convert(model.path, partial, _begins(progress, model.name), progress.advance)
    except NotQwen2Error as error:
        shutil.rmtree(partial, ignore_errors=True)
        reason = f"only GGUF files of the architecture {ARCHITECTURE} can be prepared"
        raise TrainingBaseUnusable(str(error), name=model.name, reason=reason) from error
    files = {path.name: path.stat().st_size for path in sorted(partial.iterdir())}
    seal = _Seal(name=model.name, revision=model.revision, gguf_sha256=sha256_of(model.path), files=files)
    (partial / _SEAL).write_text(seal.model_dump_json(indent=2) + "\n", encoding="utf-8")
    for path in partial.iterdir():
        sync(path)
    sync_folder(partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)
    sync_folder(target.parent)


def _begins(progress: Progress, name: str) -> Callable[[int], None]:
    return lambda total: progress.begin(f"{name}: preparing for training", total)
