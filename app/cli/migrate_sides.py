"""Both set-ups of `manualqa migrate`, opened and owned by this process alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine

from app.catalogue.database import Sessions, open_database
from app.catalogue.folder import DataFolder
from app.errors import ManualqaError, MoveSourceMissing
from app.moving.sides import Folders, Shared, Side
from app.settings import Settings
from app.wiring.stores import BLOB_STORES, VECTOR_STORES, Indexes, open_stores

_PROBE = "kb-probe-g1"
"""An index that there is not: asking it something tells a server that can be used from one that cannot."""

T = TypeVar("T")


@dataclass
class Opened:
    """Both sides, or what kept one from being opened."""

    sides: tuple[Side, Side] | None
    shared: Shared
    faults: list[ManualqaError] = field(default_factory=list)


@contextmanager
def opened(source: Settings, target: Settings) -> Iterator[Opened]:
    """Both sides, with their data folders taken; all that goes wrong is collected, so that it can be told at once."""
    shared = what_is_shared(source, target)
    faults: list[ManualqaError] = []
    with ExitStack() as closing:
        has_source = _try(faults, lambda: _owned(source, closing, is_source=True))
        same_folder = _same(source.data_dir, target.data_dir)
        has_target = has_source if same_folder else _try(faults, lambda: _owned(target, closing))
        indexes = _try(faults, lambda: _indexes(source, closing)) if has_source else None
        here = _try(faults, lambda: _side(source, indexes, closing)) if has_source else None
        if has_target and not shared.index:
            indexes = _try(faults, lambda: _indexes(target, closing))
        engine = here.engine if here is not None and shared.catalogue else None
        there = _try(faults, lambda: _side(target, indexes, closing, engine)) if has_target else None
        yield Opened(None if faults or here is None or there is None else (here, there), shared, faults)


def what_is_shared(source: Settings, target: Settings) -> Shared:
    """What the settings of both sides mean by the same place."""
    return Shared(
        catalogue=_catalogue(source) == _catalogue(target),
        originals=_originals(source) == _originals(target),
        index=_index(source) == _index(target),
        folders=_resolved(source.adapters_dir) == _resolved(target.adapters_dir),
    )


def places(settings: Settings, side: Side) -> dict[str, str]:
    """Where each part of a set-up is, as people may read it."""
    originals = settings.uploads_dir if settings.blob_store == "folder" else f"s3://{settings.s3_bucket}"
    index = settings.index_dir if settings.vector_store == "chroma" else settings.milvus_uri
    folders = settings.adapters_dir.parent
    named = {"catalogue": side.place, "originals": originals, "index": index, "folders": folders}
    return {part: str(place) for part, place in named.items()}


def _owned(settings: Settings, closing: ExitStack, *, is_source: bool = False) -> bool:
    """Takes the data folder; of a source it has to hold a catalogue, unless that is on a server."""
    if is_source and settings.database_url is None and not (settings.data_dir / "catalogue.sqlite").is_file():
        raise MoveSourceMissing(folder=settings.data_dir)
    folder = DataFolder(settings.data_dir)
    folder.acquire()
    closing.callback(folder.release)
    return True


def _indexes(settings: Settings, closing: ExitStack) -> Indexes:
    """Vectors and keywords, of which one was asked for something."""
    indexes = VECTOR_STORES[settings.vector_store](settings)
    closing.callback(indexes.vectors.close)
    closing.callback(indexes.keywords.close)
    indexes.vectors.indexes()
    indexes.keywords.search(_PROBE, "probe", 1)
    return indexes


def _side(settings: Settings, indexes: Indexes | None, closing: ExitStack, engine: Engine | None = None) -> Side | None:
    """A set-up whose originals can be reached; its database is brought to this version's schema."""
    database = engine or open_database(settings.data_dir, settings.database_url, settings.database_connections)
    closing.callback(database.dispose)
    BLOB_STORES[settings.blob_store](settings).check()
    if indexes is None:
        return None
    sessions = Sessions(database)
    return Side(
        engine=database,
        sessions=sessions,
        stores=open_stores(settings, sessions, indexes),
        folders=Folders(settings.data_dir, settings.adapters_dir, settings.finetune_dir, settings.uploads_dir),
        catalogue_on_disk=settings.database_url is None,
        originals_on_disk=settings.blob_store == "folder",
        index_on_disk=settings.vector_store == "chroma",
    )


def _try(faults: list[ManualqaError], action: Callable[[], T]) -> T | None:
    try:
        return action()
    except ManualqaError as error:
        faults.append(error)
        return None


def _catalogue(settings: Settings) -> Sequence[object]:
    url = settings.database_url
    return (_resolved(settings.data_dir),) if url is None else ("postgres", url.get_secret_value())


def _originals(settings: Settings) -> Sequence[object]:
    if settings.blob_store == "folder":
        return (_resolved(settings.uploads_dir),)
    return (settings.s3_endpoint, settings.s3_bucket, settings.s3_prefix)


def _index(settings: Settings) -> Sequence[object]:
    if settings.vector_store == "chroma":
        return (_resolved(settings.index_dir),)
    return (settings.milvus_uri, settings.milvus_database)


def _same(one: Path, other: Path) -> bool:
    return _resolved(one) == _resolved(other)


def _resolved(path: Path) -> Path:
    return path.expanduser().resolve()
