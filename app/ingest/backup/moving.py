"""From one store to another by their ports alone: what is there already is not moved again, and all is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from app.errors import BlobDamaged, IndexUnavailable
from app.ingest.backup.folder import copy_file
from app.ingest.backup.vectors import batches
from app.ports import BlobStore, VectorStore

CLOSE = 1e-4
"""Largest difference of a number of a vector: stores may scale a vector to length 1 again."""


def move_vectors(source: VectorStore, target: VectorStore, index_id: str, chunk_ids: Iterable[str]) -> int:
    """Copies the vectors of these chunks that the target lacks, and compares each batch there; returns how many.

    Broken off at any point, it goes on where it was. Raises `IndexUnavailable`, also where the target gives back
    something else than it was given.
    """
    there = target.ids(index_id)
    moved = 0
    for found, vectors in batches(source, index_id, (one for one in chunk_ids if one not in there)):
        target.upsert(index_id, found, vectors)
        again, stored = target.vectors(index_id, found)
        if again != found or not np.allclose(stored, vectors, atol=CLOSE):
            raise IndexUnavailable(f"index {index_id}", reason="the target gives back other vectors than it was given")
        moved += len(found)
    return moved


def differing(source: VectorStore, target: VectorStore, index_id: str, chunk_ids: Sequence[str]) -> list[str]:
    """Those of the chunks whose vector in the source is another one in the target, or not there."""
    found, vectors = source.vectors(index_id, chunk_ids)
    again, stored = target.vectors(index_id, found)
    if vectors.shape[1:] != stored.shape[1:]:
        return found
    place = {chunk_id: number for number, chunk_id in enumerate(found)}
    close = np.isclose(vectors[[place[one] for one in again]], stored, rtol=0, atol=CLOSE).all(axis=1)
    same = {again[number] for number in np.flatnonzero(close)}
    return [chunk_id for chunk_id in found if chunk_id not in same]


def move_blobs(
    source: BlobStore,
    target: BlobStore,
    sha256s: Iterable[str],
    scratch: Path,
    damaged: Callable[[str], None] | None = None,
) -> int:
    """Copies the originals of these hashes that the target lacks; `scratch` holds one at a time; returns how many.

    What is there with its size is taken for whole, as a store has a blob whole or not at all. Broken off at any point,
    it goes on where it was. Raises what the stores do, `FileNotFoundError` for what the source lacks, and `BlobDamaged`
    for what is not what its hash says, unless `damaged` is to be told of it.
    """
    there = {blob.sha256 for blob in target.all()}
    moved = 0
    for sha256 in sha256s:
        if sha256 in there:
            continue
        try:
            _move_blob(source, target, sha256, scratch)
        except BlobDamaged:
            if damaged is None:
                raise
            damaged(sha256)
        else:
            moved += 1
    return moved


def _move_blob(source: BlobStore, target: BlobStore, sha256: str, scratch: Path) -> None:
    copy = scratch / f"upload-{sha256}.part"
    copy.unlink(missing_ok=True)
    with source.local(sha256) as path:
        digest = copy_file(path, copy)
    try:
        if digest != sha256:
            raise BlobDamaged(f"{sha256} has the hash {digest}", name=sha256)
        target.stage(sha256, copy)
        target.keep(sha256, copy)
    finally:
        copy.unlink(missing_ok=True)
