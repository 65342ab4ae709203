"""Weights from a model hub: the one file that knows `huggingface_hub`."""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import structlog
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    GatedRepoError,
    HTTPError,
    RepositoryNotFoundError,
    XetDownloadError,
)
from huggingface_hub.hf_api import ModelInfo
from tqdm import tqdm  # type: ignore[import-untyped]

from app.models.hub_id import HubId
from app.models.known import HubRepository, ModelFile
from app.models.manifest import Manifest, kind_of_folder
from app.models.pull import Pull, sha256_of

log = structlog.get_logger(__name__)

# The library's own errors are OSError or ValueError; those of its HTTP client and of its fast transfer come through.
_FAILURES = (HTTPError, XetDownloadError, OSError, ValueError)

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
_SAFE_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_SPLIT_GGUF = re.compile(r"(.+)-\d{5}-of-\d{5}\.gguf", re.IGNORECASE)
_FOLDER_TYPES = (".safetensors", ".json", ".txt", ".model", ".jinja")
_OTHER_RUNTIMES = ("onnx/", "openvino/", "coreml/", "tf/", "flax/")
_DEFAULT_QUANTIZATION = "q4_k_m"
_MOST_NAMES_SHOWN = 8


def fetch_from_hub(source: HubRepository, pull: Pull, url: str | None) -> None:
    """Get a known model's files. Raises `WeightsMissing` where the hub does not answer, `WeightsCorrupt`."""
    look_up(source.repository, source.revision, pull, url)
    pull.require_space(pull.wanted_bytes)
    pull.progress.begin(pull.name, pull.wanted_bytes)
    start = 0
    for file in pull.wanted:
        name = source.names.get(file.path, file.path)
        pull.keep(_download(source.repository, name, source.revision, pull, url, _from(pull, start)), file)
        start += file.size


def fetch_snapshot(hub_id: HubId, pull: Pull, url: str | None) -> Manifest:
    """Get a user's own choice from the hub: one GGUF, or safetensors with the small files beside; no pickles, no code.

    Raises `WeightsMissing` where the hub does not answer or has nothing that fits, `WeightsCorrupt`.
    """
    info = look_up(hub_id.repository, "main", pull, url)
    listed = {file.rfilename: file for file in info.siblings or [] if _SAFE_PATH.fullmatch(file.rfilename)}
    names, entry = _choose(list(listed), hub_id, pull)
    total = sum(listed[name].size or 0 for name in names)
    pull.require_space(total)
    pull.progress.begin(pull.name, total)
    files, start = [], 0
    for name in names:
        made = _download(hub_id.repository, name, info.sha or "main", pull, url, _from(pull, start))
        lfs = listed[name].lfs
        file = ModelFile(name, made.stat().st_size, sha256_of(made))
        if lfs is not None and file.sha256 != lfs.sha256:
            made.unlink()
            raise pull.corrupt(name)
        pull.keep(made, file)
        files.append(file)
        start += file.size
    licence = info.card_data.get("license") if info.card_data else None
    return Manifest(
        name=pull.name,
        kind="llm" if entry else kind_of_folder(pull.target),
        entry=entry,
        licence=str(licence) if licence else None,
        files=tuple(files),
    )


def look_up(repository: str, revision: str, pull: Pull, url: str | None) -> ModelInfo:
    """What the hub knows of a repository, or `WeightsMissing` after at most `hub_probe_seconds`.

    Asked in a thread of its own, since looking up a host name obeys no timeout.
    """
    answers: list[ModelInfo | BaseException] = []

    def ask() -> None:
        seconds = pull.limits.hub_probe_seconds
        try:
            answers.append(
                HfApi(endpoint=url).model_info(repository, revision=revision, files_metadata=True, timeout=seconds)
            )
        except _FAILURES as error:
            answers.append(error)

    thread = threading.Thread(target=ask, name="hub-probe", daemon=True)
    thread.start()
    thread.join(pull.limits.hub_probe_seconds)
    answer = answers[0] if answers else TimeoutError("no answer in time")
    if isinstance(answer, BaseException):
        log.info("hub_unavailable", repository=repository, error=repr(answer))
        raise pull.missing(_reason(answer), repr(answer)) from answer
    return answer


def _reason(error: BaseException) -> str:
    if isinstance(error, GatedRepoError):
        return "the model hub asks you to accept the terms of this model first"
    if isinstance(error, RepositoryNotFoundError):
        return "the model hub has no such repository"
    return "the model hub does not answer"


class _Bar(tqdm):  # type: ignore[misc]
    """Passes to a function what the library would draw."""

    advance: Callable[[int], None]

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as the base class has it
        self._done = int(options.get("initial") or 0)
        super().__init__(*args, **{**options, "disable": True})

    def update(self, n: float | None = 1) -> bool | None:
        self._done += int(n or 0)
        self.advance(self._done)
        return None


def _download(
    repository: str, name: str, revision: str, pull: Pull, url: str | None, advance: Callable[[int], None]
) -> Path:
    """One file of a repository in the partial folder; what an interrupted download left is gone on with."""
    bar = type("Bar", (_Bar,), {"advance": staticmethod(advance)})
    folder = pull.partial / "hub"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        path = hf_hub_download(repository, name, revision=revision, local_dir=folder, endpoint=url, tqdm_class=bar)
    except _FAILURES as error:
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise
        raise pull.missing("the download from the model hub broke off", repr(error)) from error
    return Path(path)


def _from(pull: Pull, start: int) -> Callable[[int], None]:
    """Progress of one file after `start` bytes of others."""
    return lambda done: pull.progress.advance(start + done)


def _choose(names: Iterable[str], hub_id: HubId, pull: Pull) -> tuple[list[str], str]:
    """(files to fetch, entry): the GGUF file asked for, or all of a safetensors folder, whose entry is ""."""
    weights = sorted(name for name in names if name.lower().endswith(".gguf"))
    if weights:
        tag = (hub_id.tag or _DEFAULT_QUANTIZATION).lower()
        chosen = weights if len(weights) == 1 else [name for name in weights if tag in name.lower()]
        splits = {match[1] if (match := _SPLIT_GGUF.fullmatch(name)) else name for name in chosen}
        if len(splits) != 1:
            some = ", ".join(weights[:_MOST_NAMES_SHOWN])
            raise pull.missing(f"name one of its files as {hub_id.repository}:PART; there are {some}")
        return chosen, chosen[0]
    folder = [name for name in sorted(names) if name.endswith(_FOLDER_TYPES) and not name.startswith(_OTHER_RUNTIMES)]
    if "config.json" not in folder or not any(name.endswith(".safetensors") for name in folder):
        raise pull.missing("the repository has no .safetensors or .gguf weights")
    return folder, ""
