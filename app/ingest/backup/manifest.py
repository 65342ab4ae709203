"""The manifest of a backup: what is in it, with a hash for every file; written last, so that half a backup has none."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import BackupInvalid
from app.syncing import sync_folder

MANIFEST = "manifest.json"
CATALOGUE, JOBS = "catalogue.sqlite", "jobs.sqlite"
ORIGINALS, VECTORS, ADAPTERS, TRAININGS = "files", "vectors", "adapters", "finetune"
_MOST_BYTES = 500_000_000
_READ_BYTES = 1 << 20

_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
RelativePath = Annotated[str, Field(pattern=rf"^{_NAME}(/{_NAME})*$", max_length=500)]
"""Below the folder of the backup: no part of it leads out, and none is hidden."""


class FileEntry(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: RelativePath
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Counts(BaseModel):
    """What was copied, to be counted again after a restore; `vectors` by index id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    knowledge_bases: int
    documents: int
    ready: int
    chunks: int
    originals: int
    adapters: int
    vectors: dict[str, int]


class Manifest(BaseModel):
    """What a backup holds. `left_out` are originals that were missing or damaged in the server already."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    version: str
    created_at: datetime
    counts: Counts
    left_out: tuple[str, ...] = ()
    files: tuple[FileEntry, ...]

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.files)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Makes a folder a backup, in one step that outlives a power cut."""
    temporary = folder / f".{MANIFEST}"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(manifest.model_dump_json(indent=1))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / MANIFEST)
    sync_folder(folder)


def read_manifest(folder: Path) -> Manifest:
    """Raises `BackupInvalid` where it is missing, from another version or not one of ours."""
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BackupInvalid(folder=folder, reason="its manifest is not valid")
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BackupInvalid(repr(error), folder=folder, reason="it has no manifest: it is not whole") from error
    except ValidationError as error:
        raise BackupInvalid(str(error), folder=folder, reason="its manifest is not valid") from error


def verify(folder: Path, manifest: Manifest) -> None:
    """Compares every file with its hash; raises `BackupInvalid`."""
    for entry in manifest.files:
        path = folder / entry.path
        try:
            same = not path.is_symlink() and sha256_of(path) == entry.sha256
        except OSError as error:
            raise BackupInvalid(repr(error), folder=folder, reason=f"the file {entry.path} cannot be read") from error
        if not same:
            raise BackupInvalid(folder=folder, reason=f"the file {entry.path} was changed")


def sha256_of(path: Path) -> str:
    """The hash of a file, read piece by piece."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()
