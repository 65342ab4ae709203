"""One pull under way: where its files go, how it is checked, and what may go wrong on the disk."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.errors import DiskFull, WeightsCorrupt, WeightsMissing
from app.models.known import ModelFile
from app.models.progress import Progress
from app.syncing import sync_folder

_READ_BYTES = 1 << 20
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class PullLimits:
    """What a pull may wait for and must leave; the settings of the same names say why."""

    hub_probe_seconds: float
    pull_stall_seconds: float
    pull_wait_seconds: float
    min_free_disk_mb: int


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull of the model `name`: files are made in `partial` and moved whole and checked into `target`.

    Both folders lie on one file system. What is in `partial` may be used by the next pull of the same model.
    """

    name: str
    models: Path
    target: Path
    partial: Path
    limits: PullLimits
    progress: Progress
    wanted: tuple[ModelFile, ...] = ()
    """The files that a source has to give; the others are there and checked."""

    @property
    def wanted_bytes(self) -> int:
        return sum(file.size for file in self.wanted)

    def missing(self, reason: str, detail: str | None = None) -> WeightsMissing:
        """The error for a source that does not give the files."""
        return WeightsMissing(detail, name=self.name, reason=reason, folder=self.models)

    def corrupt(self, file: str, detail: str | None = None) -> WeightsCorrupt:
        """The error for bytes that are not the pinned ones."""
        return WeightsCorrupt(detail, name=self.name, file=file)

    def make_folder(self, name: str) -> Path:
        """An empty folder below `partial`; whatever it held is gone."""
        folder = self.partial / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def require_space(self, needed_bytes: int) -> None:
        """Raises `DiskFull` before a byte is fetched where `needed_bytes` would not leave the free space asked for."""
        free = shutil.disk_usage(self.models).free
        needed = needed_bytes + self.limits.min_free_disk_mb * 1_000_000
        if free < needed:
            raise DiskFull(free_mb=free // 1_000_000, needed_mb=needed // 1_000_000)

    def keep(self, made: Path, file: ModelFile) -> None:
        """Move the finished file `made` to its place in the model's folder; a wrong one is deleted and refused."""
        if made.stat().st_size != file.size or sha256_of(made) != file.sha256:
            made.unlink()
            raise self.corrupt(file.path)
        sync(made)
        place = self.target / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        made.replace(place)
        sync_folder(place.parent)


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...


def sha256_of(path: Path, read: Callable[[int], None] | None = None) -> str:
    """The sha256 of a file in hex; `read` is told the bytes read so far."""
    digest = hashlib.sha256()
    feed(digest, path, read)
    return digest.hexdigest()


def feed(digest: _Hash, path: Path, read: Callable[[int], None] | None = None) -> None:
    """Give a file's bytes to `digest`, a little at a time."""
    buffer = memoryview(bytearray(_READ_BYTES))
    done = 0
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            done += count
            if read is not None:
                read(done)


def folder_bytes(folder: Path) -> int:
    """The bytes of all files below a folder, which others may be changing meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - called five times a second
            except FileNotFoundError:
                continue
    return total


def sync(path: Path) -> None:
    """Make a file's bytes durable and the file readable by all, as ordinary files are."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    path.chmod(0o644)


@contextmanager
def disk_errors(name: str, folder: Path) -> Iterator[None]:
    """Turns a full disk into `DiskFull` and a folder that cannot be written into `WeightsMissing`."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            free = shutil.disk_usage(folder).free // 1_000_000
            raise DiskFull(str(error), free_mb=free, needed_mb="?") from error
        reason = f"the folder of weights cannot be written: {error.strerror or 'unknown fault'}"
        raise WeightsMissing(str(error), name=name, reason=reason, folder=folder) from error
