"""The seal of a model's folder: which files were checked, and what they are."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from app.models.known import Kind, KnownModel, ModelFile
from app.syncing import sync_folder

FILE_NAME = "manifest.json"
_DAMAGED_NAME = "manifest.json.damaged"
_SAMPLES, _SAMPLE_BYTES = 64, 1 << 16
_REVISION_LENGTH = 12


class Manifest(BaseModel):
    """What is written into a model's folder once every one of its files has been checked, and not before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: str
    kind: Kind
    entry: str
    licence: str | None
    files: tuple[ModelFile, ...]

    @property
    def revision(self) -> str:
        """A short hash of the content, for fingerprints."""
        return revision_of((file.path, file.sha256) for file in self.files)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def is_complete(self, folder: Path) -> bool:
        """True where every file is there with its size."""
        return all(has_size(folder, file) for file in self.files)

    def write(self, folder: Path) -> None:
        """Seal the folder."""
        temporary = folder / f".{FILE_NAME}.{os.getpid()}"
        with temporary.open("w", encoding="utf-8") as out:
            out.write(self.model_dump_json(indent=2) + "\n")
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(folder / FILE_NAME)
        (folder / _DAMAGED_NAME).unlink(missing_ok=True)
        sync_folder(folder)


def manifest_for(model: KnownModel) -> Manifest:
    """The manifest that a folder of a known model must have."""
    return Manifest(name=model.name, kind=model.kind, entry=model.entry, licence=model.licence, files=model.files)


def read_manifest(folder: Path) -> Manifest | None:
    """The folder's manifest; None where there is none or it cannot be read as one."""
    try:
        return Manifest.model_validate_json((folder / FILE_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def unseal(folder: Path) -> None:
    """Take the seal off a folder that a check found damaged; the files stay until a pull replaces them."""
    if (folder / FILE_NAME).is_file():
        (folder / FILE_NAME).replace(folder / _DAMAGED_NAME)


def was_unsealed(folder: Path) -> bool:
    return (folder / _DAMAGED_NAME).is_file()


def kind_of_folder(folder: Path) -> Kind:
    """A folder whose architecture writes text is a language model, any other embeds."""
    if (folder / "modules.json").is_file():
        return "embedder"
    try:
        architectures = json.loads((folder / "config.json").read_bytes())["architectures"]
    except (OSError, ValueError, KeyError, TypeError):
        return "embedder"
    return "llm" if "CausalLM" in str(architectures) else "embedder"


def has_size(folder: Path, file: ModelFile) -> bool:
    """True where the file is there with its size, which is the cheap half of a check."""
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.size


def revision_of(hashes: Iterable[tuple[str, str]]) -> str:
    """A short hash of (path, hash) pairs, whatever their order."""
    lines = "".join(f"{path} {value}\n" for path, value in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()[:_REVISION_LENGTH]


def sampled_revision(path: Path) -> str:
    """The revision of a user's own file or folder: each file's name, size and 64 blocks spread evenly over it.

    Reads 4 MB a file instead of gigabytes at every start; other weights of the same shape differ in every block.
    """
    if path.is_file():
        return revision_of([(path.name, _sample(path))])
    files = [file for file in path.rglob("*") if file.is_file()]
    return revision_of((file.relative_to(path).as_posix(), _sample(file)) for file in files)


def _sample(path: Path) -> str:
    digest = hashlib.sha256()
    size = path.stat().st_size
    digest.update(str(size).encode())
    step = max(_SAMPLE_BYTES, (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
    with path.open("rb") as file:
        for start in range(0, size, step):
            file.seek(start)
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
