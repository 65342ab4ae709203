"""The folder of model weights: what is there, what a name stands for, and fetching what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

import structlog
from filelock import FileLock, Timeout

from app.errors import UnknownModel, WeightsCorrupt, WeightsMissing
from app.models.hub_id import HubId, parse_hub_id
from app.models.known import KNOWN, Kind, KnownModel
from app.models.manifest import (
    Manifest,
    has_size,
    kind_of_folder,
    manifest_for,
    read_manifest,
    sampled_revision,
    unseal,
    was_unsealed,
)
from app.models.progress import Progress, SilentProgress
from app.models.pull import Pull, PullLimits, disk_errors, folder_bytes, sha256_of
from app.settings import Settings

log = structlog.get_logger(__name__)

_LOCKS, _PARTIAL = ".locks", ".partial"


class WeightsState(StrEnum):
    """`PRESENT` is whole and was checked; `PARTIAL` needs a pull, which uses what is there."""

    PRESENT = "present"
    PARTIAL = "partial"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model on this machine. `path` is what a loader is given: a folder, or a .gguf file.

    `revision` is a short hash of the content, for fingerprints: other weights under the same name have another one.
    """

    name: str
    kind: Kind
    path: Path
    revision: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One line of `manualqa models list`: `size` is that of the whole model, `bytes_here` what of it is on the disk."""

    name: str
    kind: Kind
    state: WeightsState
    size: int
    bytes_here: int
    path: Path
    licence: str | None


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that is not as it must be; `reason` is "missing", "size" or "sha256"."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a full check found; with `checked` 0 there was nothing to check against (a user's own file or folder)."""

    name: str
    checked: int
    problems: tuple[Problem, ...]


class ModelStore:
    """Weights by name: a known model, a hub id (`owner/name`, `owner/name:QUANTIZATION`), or a path of the user's own.

    Several processes may use one folder: a pull holds the model's lock, and files appear whole and checked.
    """

    def __init__(
        self, folder: Path, limits: PullLimits, hub_url: str | None = None, known: Mapping[str, KnownModel] = KNOWN
    ) -> None:
        self.folder = folder
        self._limits = limits
        self._hub_url = hub_url
        self._known = known

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        limits = PullLimits(
            hub_probe_seconds=settings.hub_probe_seconds,
            pull_stall_seconds=settings.pull_stall_seconds,
            pull_wait_seconds=settings.pull_wait_seconds,
            min_free_disk_mb=settings.min_free_disk_mb,
        )
        return cls(settings.models_dir.expanduser(), limits, settings.hub_url)

    def resolve(self, name: str) -> ResolvedModel:
        """What `name` stands for on this machine; never asks the network.

        A known model is checked by its sizes, and once in full where it was copied here by hand. Raises
        `WeightsMissing`, `WeightsCorrupt`, `UnknownModel`.
        """
        model = self._known.get(name)
        if model is not None:
            return self._resolve_known(model)
        path = _own_path(name)
        if path is not None:
            kind = "llm" if path.is_file() else kind_of_folder(path)
            return ResolvedModel(name, kind, path, sampled_revision(path))
        folder = self.folder / self._hub_id(name).folder_name
        manifest = read_manifest(folder)
        if manifest is None or not manifest.is_complete(folder):
            raise self._missing(name, "a check found it damaged" if was_unsealed(folder) else "not fetched yet")
        return _resolved(manifest, folder)

    def pull(self, name: str, progress: Progress | None = None) -> ResolvedModel:
        """Fetch and check what is missing of `name`; nothing is asked of the network where all is there.

        Waits for another process that pulls the same model. Raises `WeightsMissing` where no source gives it,
        `WeightsCorrupt` where one gave other bytes and none the right ones, `DiskFull`, `UnknownModel`.
        """
        model = self._known.get(name)
        if model is None and _own_path(name) is not None:
            return self.resolve(name)
        folder_name = name if model is not None else self._hub_id(name).folder_name
        progress = progress or SilentProgress()
        with disk_errors(name, self.folder), self._lock(name, folder_name, progress):
            pull = Pull(
                name=name,
                models=self.folder,
                target=self.folder / folder_name,
                partial=self.folder / _PARTIAL / folder_name,
                limits=self._limits,
                progress=progress,
            )
            pull.target.mkdir(exist_ok=True)
            try:
                self._fill(model, pull)
            finally:
                _remove_if_empty(pull.target)
            shutil.rmtree(pull.partial, ignore_errors=True)
        return self.resolve(name)

    def list(self) -> list[ModelRow]:
        """Every known model and every one fetched from the hub; reads sizes only."""
        rows = [self._known_row(model) for model in self._known.values()]
        for folder in sorted(self.folder.glob("*--*")):
            manifest = read_manifest(folder)
            if manifest is None:
                continue
            state = WeightsState.PRESENT if manifest.is_complete(folder) else WeightsState.PARTIAL
            here = sum(file.size for file in manifest.files if has_size(folder, file))
            path = folder / manifest.entry
            rows.append(ModelRow(manifest.name, manifest.kind, state, manifest.size, here, path, manifest.licence))
        return rows

    def verify(self, name: str, progress: Progress | None = None) -> Verification:
        """Read every byte of a model and compare the sha256. With a problem found, the next pull repairs the model.

        Raises `WeightsMissing` where nothing of it is here, `UnknownModel`.
        """
        model = self._known.get(name)
        if model is None and _own_path(name) is not None:
            return Verification(name, 0, ())
        folder = self.folder / (name if model is not None else self._hub_id(name).folder_name)
        manifest = manifest_for(model) if model is not None else read_manifest(folder)
        if manifest is None or not folder.is_dir():
            raise self._missing(name, "not fetched yet")
        problems = _problems(manifest, folder, progress or SilentProgress())
        if problems:
            log.warning("weights_problems", model=name, files=[problem.file for problem in problems])
            unseal(folder)
        return Verification(name, len(manifest.files), problems)

    def _resolve_known(self, model: KnownModel) -> ResolvedModel:
        folder = self.folder / model.name
        wanted = manifest_for(model)
        absent = [file.path for file in model.files if not has_size(folder, file)]
        if absent:
            here = len(model.files) - len(absent)
            raise self._missing(
                model.name, f"{here} of {len(model.files)} files are there" if here else "not fetched yet"
            )
        if read_manifest(folder) != wanted:
            self._adopt(wanted, folder)
        return _resolved(wanted, folder)

    def _adopt(self, wanted: Manifest, folder: Path) -> None:
        """Check a folder that came here without a seal, and seal it, so that it is checked once."""
        problems = _problems(wanted, folder, SilentProgress())
        if problems:
            raise WeightsCorrupt(name=wanted.name, file=problems[0].file)
        try:
            wanted.write(folder)
        except OSError as error:
            log.info("weights_not_sealed", model=wanted.name, error=str(error))

    def _fill(self, model: KnownModel | None, pull: Pull) -> None:
        """Bring the model's folder to the state its manifest tells of, and write that."""
        from app.models import sources  # noqa: PLC0415 - loads the hub's library, which a service that is set up needs not

        if model is None:
            manifest = read_manifest(pull.target)
            if manifest is None or _problems(manifest, pull.target, pull.progress):
                hub_id = self._hub_id(pull.name)
                sources.fetch_snapshot(hub_id, pull, self._hub_url).write(pull.target)
            return
        wanted = manifest_for(model)
        if read_manifest(pull.target) == wanted and wanted.is_complete(pull.target):
            return
        problems = {problem.file for problem in _problems(wanted, pull.target, pull.progress)}
        if problems:
            files = tuple(file for file in model.files if file.path in problems)
            sources.fetch_known(model, replace(pull, wanted=files), self._hub_url)
        wanted.write(pull.target)
        log.info("weights_ready", model=model.name, bytes=model.size)

    def _known_row(self, model: KnownModel) -> ModelRow:
        folder = self.folder / model.name
        here = sum(file.size for file in model.files if has_size(folder, file))
        unfinished = folder_bytes(self.folder / _PARTIAL / model.name)
        state = WeightsState.PARTIAL if here or unfinished else WeightsState.MISSING
        if here == model.size and read_manifest(folder) == manifest_for(model):
            state = WeightsState.PRESENT
        path = folder / model.entry
        return ModelRow(model.name, model.kind, state, model.size, here + unfinished, path, model.licence)

    @contextmanager
    def _lock(self, name: str, folder_name: str, progress: Progress) -> Iterator[None]:
        """Only one process, and one thread of it, pulls a model at a time."""
        locks = self.folder / _LOCKS
        locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / f"{folder_name}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress.note(f"{name}: another process is fetching it; waiting")
            try:
                lock.acquire(timeout=self._limits.pull_wait_seconds)
            except Timeout as error:
                raise self._missing(name, "another process has been fetching it for too long") from error
        try:
            yield
        finally:
            lock.release()

    def _hub_id(self, name: str) -> HubId:
        hub_id = parse_hub_id(name)
        if hub_id is None:
            raise UnknownModel(name=name, known=", ".join(self._known))
        return hub_id

    def _missing(self, name: str, reason: str) -> WeightsMissing:
        return WeightsMissing(name=name, reason=reason, folder=self.folder)


def _resolved(manifest: Manifest, folder: Path) -> ResolvedModel:
    return ResolvedModel(manifest.name, manifest.kind, folder / manifest.entry, manifest.revision)


def _own_path(name: str) -> Path | None:
    """A model folder (it has a config.json) or a .gguf file of the user's, where `name` is the path of one."""
    if not name or "\0" in name:
        return None
    path = Path(name).expanduser()
    is_model = (path / "config.json").is_file() or (path.suffix.lower() == ".gguf" and path.is_file())
    return path.resolve() if is_model else None


def _problems(manifest: Manifest, folder: Path, progress: Progress) -> tuple[Problem, ...]:
    """Every file that is not there with its size and sha256; reads the whole model."""
    problems = []
    if any(has_size(folder, file) for file in manifest.files):
        progress.begin(f"{manifest.name}: checking", manifest.size)
    done = 0
    for file in manifest.files:
        path = folder / file.path
        if not path.is_file():
            problems.append(Problem(file.path, "missing"))
        elif path.stat().st_size != file.size:
            problems.append(Problem(file.path, "size"))
        elif sha256_of(path, _from(progress, done)) != file.sha256:
            problems.append(Problem(file.path, "sha256"))
        done += file.size
    return tuple(problems)


def _from(progress: Progress, start: int) -> Callable[[int], None]:
    """Progress of one file after `start` bytes of others."""
    return lambda done: progress.advance(start + done)


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
