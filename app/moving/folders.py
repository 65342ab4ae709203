"""Folders of files made equal to others: adapters and trainings, which are on a disk in every set-up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from app.failpoints import failpoint
from app.ingest.backup.folder import copy_file
from app.ingest.backup.manifest import sha256_of
from app.syncing import sync_folder

_PART = ".moving"


def files_below(folder: Path) -> dict[str, Path]:
    """The ordinary files below a folder by their path in it; hidden ones and links are nobody's."""
    return dict(_files_below(folder))


def _files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if not name.startswith(".") and not path.is_symlink() and path.is_file():
                yield path.relative_to(folder).as_posix(), path


def bytes_below(folder: Path) -> int:
    """How large all of them are."""
    return sum(path.stat().st_size for path in files_below(folder).values())


def make_equal(source: Path, target: Path) -> None:
    """Copies what differs and removes what the source lacks; each file is whole or not there."""
    wanted = files_below(source)
    for name, path in files_below(target).items():
        if name not in wanted:
            path.unlink()
    for name, path in wanted.items():
        there = target / name
        if there.is_file() and there.stat().st_size == path.stat().st_size and sha256_of(there) == sha256_of(path):
            continue
        there.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = there.with_name(f".{there.name}{_PART}")
        part.unlink(missing_ok=True)
        copy_file(path, part)
        failpoint("move.file")
        part.replace(there)
        sync_folder(there.parent)


def different(source: Path, target: Path) -> tuple[int, int, int]:
    """(files of the source, files of the target, those that are not the same or on one side alone)."""
    here, there = files_below(source), files_below(target)
    same = sum(name in there and sha256_of(path) == sha256_of(there[name]) for name, path in here.items())
    return len(here), len(there), len(here.keys() | there.keys()) - same
