"""The registry of adapters: files that were checked, each set in a folder of its own, and what is known of them."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final, cast

import structlog

from app.catalogue.adapters import Adapter, AdapterRows, NewAdapter, new_adapter_id
from app.errors import AdapterRetired, DiskFull, InvalidName
from app.finetune.adapter_config import read_config
from app.finetune.adapter_files import (
    CONFIG,
    FILES,
    MOST_CONFIG_BYTES,
    WEIGHTS,
    copy_file,
    opened,
    write_file,
)
from app.finetune.checking import Base, Checked, Limits, check_adapter, require_same_base, shown_name, verify
from app.finetune.leftovers import ALONE, Leftovers, half_made
from app.finetune.unpacking import unpack
from app.syncing import sync_folder
from app.types import PromptKind

log = structlog.get_logger(__name__)

MAX_NAME: Final = 100
PEFT: Final = "peft"
"""The folder of an adapter's files inside its own, where what is made of them may lie beside."""
_NEW, _UPLOAD = ".new-", ".upload-"
_PIECE = 1 << 18


@dataclass(frozen=True, slots=True)
class Source:
    """Where an adapter comes from and how it is to be asked; None and "" take what its own file says.

    An adapter that says nothing of its prompt is asked with the full one, which every model understands.
    """

    base: str = ""
    base_revision: str = ""
    prompt: PromptKind | None = None
    context_tokens: int | None = None
    job_id: str | None = None
    data_hash: str | None = None
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Room:
    """What adapters may take: their number, the largest, and the disk space that must stay free."""

    stored: int
    limits: Limits
    min_free_bytes: int


class Adapters:
    """Safe to call from any thread. A listed adapter is whole and was checked; its files never change.

    `base` gives the model that is served; it raises what keeps the server from knowing it. `maker` is this process
    among others that share the folder.
    """

    def __init__(
        self, rows: AdapterRows, folder: Path, base: Callable[[], Base], room: Room, maker: str = ALONE
    ) -> None:
        self._rows = rows
        self._folder = folder
        self._base = base
        self._room = room
        self._maker = maker

    def leftovers(self) -> Leftovers:
        """What a crash left behind, where several processes share the folder."""
        return Leftovers(self._folder, self._rows.with_files)

    def sweep(self) -> int:
        """Removes what a crash left behind: adapters half-written or without a row; returns how many.

        Only at start of a process that is alone, before any adapter comes.
        """
        if not self._folder.is_dir():
            return 0
        kept = self._rows.with_files()
        left = [path for path in self._folder.iterdir() if path.name not in kept]
        for path in left:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        return len(left)

    # --- coming ---------------------------------------------------------------------------------------------------

    def register(self, folder: Path, name: str, source: Source) -> Adapter:
        """Takes a PEFT folder in, which stays as it is; a training's adapter is taken once, whoever asks again.

        Raises `AdapterInvalid`, `InvalidName`, `AdapterNameTaken`, `AdaptersFull`, `DiskFull`. Whenever it breaks off,
        nothing is listed.
        """
        if source.job_id is not None and (known := self._rows.of_job(source.job_id)) is not None:
            return known

        def copy(into: Path) -> None:
            for file, most in ((CONFIG, MOST_CONFIG_BYTES), (WEIGHTS, self._room.limits.bytes)):
                with opened(folder, file, most) as original:
                    copy_file(original, into / file, most)

        return self._take(copy, name, source)

    def import_archive(self, archive: Path, name: str, source: Source) -> Adapter:
        """The same with the files of a ZIP or tar file."""
        return self._take(lambda into: unpack(archive, into, self._room.limits.bytes), name, source)

    def upload_path(self) -> Path:
        """Where an upload may be written before it is imported; it goes with its process. Raises `DiskFull`."""
        self._require_disk()
        return self._folder / half_made(_UPLOAD, self._maker, new_adapter_id())

    def _take(self, copy: Callable[[Path], None], name: str, source: Source) -> Adapter:
        shown = " ".join(name.split())
        if not 0 < len(shown) <= MAX_NAME or not shown.isprintable():
            raise InvalidName(limit=MAX_NAME)
        self._rows.require_room(shown, self._room.stored)
        self._require_disk()
        adapter_id = new_adapter_id()
        temporary = self._folder / half_made(_NEW, self._maker, adapter_id)
        final = self._folder / adapter_id
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, temporary, ignore_errors=True)
            (temporary / PEFT).mkdir(parents=True, mode=0o700)
            copy(temporary / PEFT)
            checked, base = self._checked(temporary / PEFT, source)
            sync_folder(temporary / PEFT)
            sync_folder(temporary)
            temporary.rename(final)
            undo.callback(shutil.rmtree, final, ignore_errors=True)
            sync_folder(self._folder)
            adapter = self._rows.add(adapter_id, _new(shown, checked, base, source), self._room.stored)
            undo.pop_all()
        log.info("adapter_registered", adapter_id=adapter.id, rank=adapter.rank, bytes=adapter.bytes, job=source.job_id)
        return adapter

    def _checked(self, folder: Path, source: Source) -> tuple[Checked, Base]:
        """Checks the copy, and puts our own config in the place of the one that came with it."""
        base = self._base()
        with opened(folder, CONFIG, MOST_CONFIG_BYTES) as file:
            config = read_config(file.read(), self._room.limits.rank)
        require_same_base(source.base or config.base, base)
        (folder / CONFIG).unlink()
        own = replace(
            config,
            base=shown_name(base.name),
            base_revision=source.base_revision or config.base_revision or base.revision,
            prompt=source.prompt or config.prompt or PromptKind.FULL,
            context_tokens=source.context_tokens or config.context_tokens,
        )
        write_file(folder / CONFIG, own.as_json())
        return check_adapter(folder, base.shape, self._room.limits), base

    def _require_disk(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        free, needed = shutil.disk_usage(self._folder).free, self._room.limits.bytes + self._room.min_free_bytes
        if free < needed:
            raise DiskFull(free_mb=free // 1_000_000, needed_mb=needed // 1_000_000)

    # --- being there ----------------------------------------------------------------------------------------------

    def get(self, adapter_id: str) -> Adapter:
        """Raises `AdapterNotFound`."""
        return self._rows.get(adapter_id)

    def all(self, limit: int = 1000, offset: int = 0) -> list[Adapter]:
        """Adapters, newest first."""
        return self._rows.all(limit, offset)

    def folder(self, adapter_id: str) -> Path:
        """The PEFT folder of an adapter that is there; raises `AdapterNotFound`, `AdapterRetired`."""
        adapter = self._rows.get(adapter_id)
        if adapter.retired:
            raise AdapterRetired(ref=adapter_id)
        return self._folder / adapter.id / PEFT

    def verify(self, adapter: Adapter) -> Path:
        """Its PEFT folder, looked at again as it is now; a model server gets no adapter without.

        Raises `AdapterNotFound`, `AdapterRetired`, `AdapterChanged` where its files are others than those that were
        checked, and `AdapterInvalid` where they do not fit the model that is served now.
        """
        folder = self.folder(adapter.id)
        base = self._base()
        verify(folder, adapter.id, adapter.sha256, self._room.limits.bytes)
        require_same_base(adapter.base, base)
        check_adapter(folder, base.shape, self._room.limits)
        return folder

    def export(self, adapter_id: str) -> Iterator[bytes]:
        """Its files as a ZIP file, piece by piece; raises as `folder`, and `AdapterChanged`, before the first."""
        folder, adapter = self.folder(adapter_id), self._rows.get(adapter_id)
        verify(folder, adapter_id, adapter.sha256, self._room.limits.bytes)
        return _zipped(folder, self._room.limits.bytes)

    def retire(self, adapter_id: str, unload: Callable[[str], object]) -> Adapter:
        """Puts it away for good: no server has it any more, its files go, what is known of it stays.

        Raises `AdapterNotFound`, `AdapterPromoted`, and what `unload` does; the next start then removes its files.
        """
        retired = self._rows.retire(adapter_id)
        unload(retired.id)
        shutil.rmtree(self._folder / retired.id, ignore_errors=True)
        log.info("adapter_retired", adapter_id=retired.id)
        return retired


def _new(name: str, checked: Checked, base: Base, source: Source) -> NewAdapter:
    config = checked.config
    return NewAdapter(
        name=name,
        base=config.base,
        base_revision=config.base_revision or base.revision,
        rank=checked.rank,
        bytes=checked.bytes,
        sha256=checked.sha256,
        prompt=config.prompt or PromptKind.FULL,
        context_tokens=config.context_tokens,
        job_id=source.job_id,
        data_hash=source.data_hash,
        figures={**source.figures, "alpha": config.alpha, "targets": list(config.targets)},
    )


def _zipped(folder: Path, most_bytes: int) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(cast("IO[bytes]", sink), "w", zipfile.ZIP_STORED) as archive:
        for name in FILES:
            with opened(folder, name, most_bytes) as file, archive.open(zipfile.ZipInfo(name), "w") as entry:
                while piece := file.read(_PIECE):
                    entry.write(piece)
                    yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """What has been written since it was last taken."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:  # noqa: ANN401 - any buffer
        content = bytes(piece)
        self._pieces.append(content)
        return len(content)

    def taken(self) -> bytes:
        content = b"".join(self._pieces)
        self._pieces.clear()
        return content
