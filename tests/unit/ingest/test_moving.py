"""Vectors and originals from one store to another: all of them, once, and the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from app.errors import BlobDamaged, IndexUnavailable
from app.ingest.backup.moving import move_blobs, move_vectors
from app.ingest.backup.vectors import BATCH
from app.ingest.blobs.folder import FolderBlobs
from app.ports import Vectors
from app.retrieve.stores.chroma import ChromaVectorStore
from tests.fixtures.s3_server import an_s3_server

INDEX = "kb-one-g1"
COUNT = 2 * BATCH + 7


def unit_vectors(count: int) -> Vectors:
    rows = np.random.default_rng(7).normal(size=(count, 16))
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


class Forgetful(ChromaVectorStore):
    """Stores something else than it is given."""

    def upsert(self, index_id: str, chunk_ids: Sequence[str], vectors: Vectors) -> None:
        super().upsert(index_id, chunk_ids, -vectors)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[ChromaVectorStore]:
    store = ChromaVectorStore(tmp_path / "source")
    store.upsert(INDEX, [f"c{n:05}" for n in range(COUNT)], unit_vectors(COUNT))
    yield store
    store.close()


def test_vectors_move_once_and_go_on_where_they_broke_off(source: ChromaVectorStore, tmp_path: Path) -> None:
    target = ChromaVectorStore(tmp_path / "target")
    ids = sorted(source.ids(INDEX))
    assert move_vectors(source, target, INDEX, ids[:500]) == 500
    assert move_vectors(source, target, INDEX, [*ids, "absent"]) == COUNT - 500
    assert move_vectors(source, target, INDEX, ids) == 0
    assert target.ids(INDEX) == source.ids(INDEX)
    for question in unit_vectors(5):
        theirs, ours = source.cosines(INDEX, ids, question), target.cosines(INDEX, ids, question)
        assert ours == pytest.approx(theirs, abs=1e-5)
    target.close()


def test_a_target_that_changes_vectors_is_noticed(source: ChromaVectorStore, tmp_path: Path) -> None:
    target = Forgetful(tmp_path / "target")
    with pytest.raises(IndexUnavailable):
        move_vectors(source, target, INDEX, sorted(source.ids(INDEX)))
    target.close()


def test_originals_move_from_a_folder_to_object_storage_and_back(tmp_path: Path) -> None:
    source, scratch = FolderBlobs(tmp_path / "files"), tmp_path / "scratch"
    scratch.mkdir()
    hashes = []
    for n in range(5):
        data = b"%d" % n * 100_000
        (scratch / "one").write_bytes(data)
        hashes.append(hashlib.sha256(data).hexdigest())
        source.keep(hashes[-1], scratch / "one")
    with an_s3_server(tmp_path / "s3") as server:
        target = server.blobs(tmp_path / "cache")
        assert move_blobs(source, target, hashes[:2], scratch) == 2
        assert move_blobs(source, target, hashes, scratch) == 3
        assert [target.digest(sha256) for sha256 in hashes] == hashes
        back = FolderBlobs(tmp_path / "back")
        assert move_blobs(target, back, hashes, scratch) == 5
        assert {blob.sha256 for blob in back.all()} == set(hashes)
    assert list(scratch.iterdir()) == []


def test_a_damaged_original_is_not_moved(tmp_path: Path) -> None:
    source, target = FolderBlobs(tmp_path / "files"), FolderBlobs(tmp_path / "target")
    sha256 = hashlib.sha256(b"whole").hexdigest()
    (tmp_path / "one").write_bytes(b"changed")
    source.keep(sha256, tmp_path / "one")
    with pytest.raises(BlobDamaged):
        move_blobs(source, target, [sha256], tmp_path)
    assert list(target.all()) == []
