"""What is in the way of a move, looked for before anything is written, so that all of it can be told at once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from app.catalogue.copying import columns_that_overflow, has_content
from app.catalogue.database import bytes_of
from app.catalogue.moves import require_whole, source_of_move
from app.catalogue.processes import Processes
from app.errors import DiskFull, ManualqaError, MoveDoesNotFit, MoveInUse, MoveTargetTaken, MoveToItself
from app.moving.folders import bytes_below
from app.moving.sides import Shared, Side

_LOOK_SECONDS = 0.5
_ROOM_OF_ROWS = 1.5
"""Disk of a SQLite catalogue while it is filled, by what the source takes: its log lies beside it."""

_ROOM_OF_VECTORS = 3
"""Disk of the embedded index, with its keywords, by the bytes of its numbers."""


def problems(
    source: Side, target: Side, shared: Shared, *, min_free_mb: int, lost_seconds: float
) -> list[ManualqaError]:
    """Everything that is in the way."""
    return list(_problems(source, target, shared, min_free_mb, lost_seconds))


def _problems(
    source: Side, target: Side, shared: Shared, min_free_mb: int, lost_seconds: float
) -> Iterator[ManualqaError]:
    if shared.everything:
        yield MoveToItself()
        return
    yield from _caught(lambda: require_whole(source.engine))
    yield from in_use(source, target, lost_seconds)
    if not shared.catalogue:
        yield from _catalogue(source, target)
    if not shared.index:
        yield from _caught(lambda: _require_own_index(source, target))
    yield from _disk(source, target, shared, min_free_mb)


def in_use(source: Side, target: Side, lost_seconds: float) -> Iterator[ManualqaError]:
    """That processes live on either database; one that left a row and died is waited for, for `lost_seconds`."""
    sides = {side.place: side for side in (source, target)}
    for place, side in sides.items():
        living = _living(Processes(side.sessions), lost_seconds)
        if living:
            yield MoveInUse(database=place, processes=", ".join(sorted(living)))


def _living(processes: Processes, lost_seconds: float) -> set[str]:
    """Who has changed its row since it was first seen: whoever lives does so several times meanwhile."""
    before = processes.beats()
    deadline = time.monotonic() + lost_seconds
    while before and time.monotonic() < deadline:
        now = processes.beats()
        living = {one for one, beat in now.items() if before.get(one) != beat}
        if living:
            return living
        before = {one: beat for one, beat in before.items() if one in now}
        time.sleep(_LOOK_SECONDS)
    return set()


def _catalogue(source: Side, target: Side) -> Iterator[ManualqaError]:
    begun = source_of_move(target.engine)
    if begun is not None and begun != source.place:
        yield MoveTargetTaken(place=target.place, reason=f"it has part of another set-up, from {begun}")
    elif begun is None and has_content(target.sessions):
        yield MoveTargetTaken(place=target.place, reason="its catalogue is not empty")
    elif target.catalogue_on_disk and (target.folders.data / "jobs.sqlite").exists():
        yield MoveTargetTaken(place=target.place, reason="there are jobs of another server")
    if not target.catalogue_on_disk:
        columns = columns_that_overflow(source.sessions)
        if columns:
            yield MoveDoesNotFit(columns=", ".join(columns))


def _require_own_index(source: Side, target: Side) -> None:
    known = {generation.index_id for generation in source.stores.generations.all()}
    if (target.stores.vectors.indexes() | target.stores.keywords.indexes()) - known:
        raise MoveTargetTaken(place=target.place, reason="its index has collections of another manualqa")


def _disk(source: Side, target: Side, shared: Shared, min_free_mb: int) -> Iterator[ManualqaError]:
    """That what is to be kept on a disk does not fit there; of servers nobody can tell."""
    needs: list[tuple[Path, float]] = []
    if not shared.catalogue and target.catalogue_on_disk:
        needs.append((target.folders.data, _ROOM_OF_ROWS * bytes_of(source.engine)))
    if not shared.index and target.index_on_disk:
        needs.append((target.folders.data, _ROOM_OF_VECTORS * sum(_bytes_of_vectors(source))))
    if not shared.originals:
        sizes = [blob.bytes for blob in source.stores.files.blobs.all()]
        needs.append((target.folders.scratch, sum(sizes) if target.originals_on_disk else max(sizes, default=0)))
    if not shared.folders:
        needs.append((target.folders.adapters, sum(bytes_below(path) for _, path in source.trees())))
    by_disk: dict[int, tuple[Path, float]] = {}
    for folder, needed in needs:
        place = _existing(folder)
        disk = place.stat().st_dev
        by_disk[disk] = (place, by_disk.get(disk, (place, 0.0))[1] + needed)
    for place, needed in by_disk.values():
        free, wanted = shutil.disk_usage(place).free // 1_000_000, int(needed) // 1_000_000 + min_free_mb
        if free < wanted:
            yield DiskFull(free_mb=free, needed_mb=wanted)


def _bytes_of_vectors(source: Side) -> Iterator[int]:
    for generation in source.generations():
        yield 4 * generation.fingerprint.dimensions * len(source.facts.all_chunks(generation.index_id))


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def _caught(look: Callable[[], None]) -> Iterator[ManualqaError]:
    try:
        look()
    except ManualqaError as error:
        yield error
