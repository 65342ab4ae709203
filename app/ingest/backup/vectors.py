"""Vectors on their way from one store to another, or into files between: by chunk id, never computed again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from app.errors import BackupInvalid
from app.ingest.backup.folder import BackupFolder
from app.ingest.backup.manifest import VECTORS
from app.ports import Vectors, VectorStore

BATCH = 1000
"""Vectors of one file, and of one call: 1.5 MB at 384 dimensions."""

Batch = tuple[list[str], Vectors]


def batches(store: VectorStore, index_id: str, chunk_ids: Iterable[str]) -> Iterator[Batch]:
    """The vectors that an index has of these chunks, some at a time."""
    waiting = iter(chunk_ids)
    while some := list(islice(waiting, BATCH)):
        found, vectors = store.vectors(index_id, some)
        if found:
            yield found, vectors


def write_batches(folder: BackupFolder, index_id: str, given: Iterable[Batch]) -> int:
    """Writes them into files of the backup; returns how many vectors."""
    count = 0
    for number, (chunk_ids, vectors) in enumerate(given):
        rows, names = f"{VECTORS}/{index_id}/{number:06}.npy", f"{VECTORS}/{index_id}/{number:06}.json"
        with folder.place(rows).open("wb") as file:
            np.save(file, vectors.astype(np.float32, copy=False), allow_pickle=False)
        folder.place(names).write_text(json.dumps(chunk_ids), encoding="utf-8")
        folder.add(rows)
        folder.add(names)
        count += len(chunk_ids)
    return count


def read_batches(backup: Path, index_id: str) -> Iterator[Batch]:
    """What `write_batches` wrote, in its order; raises `BackupInvalid`."""
    for rows in sorted((backup / VECTORS / index_id).glob("*.npy")):
        try:
            chunk_ids = json.loads(rows.with_suffix(".json").read_text(encoding="utf-8"))
            vectors = np.load(rows, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise BackupInvalid(repr(error), folder=backup, reason=f"the file {rows.name} cannot be read") from error
        if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != len(chunk_ids):
            raise BackupInvalid(folder=backup, reason=f"the file {rows.name} cannot be read")
        yield chunk_ids, vectors
