"""Files by hash: bounded, whole or not there at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from app.errors import BodyTooLarge, DiskFull
from app.ingest.files import HEAD_BYTES, FileStore, StoredFile

DATA = b"%PDF-" + bytes(range(256)) * 40


def a_store(folder: Path, limit_mb: int = 1) -> FileStore:
    return FileStore(folder / "files", limit_mb, min_free_mb=0)


def received(store: FileStore, data: bytes = DATA) -> StoredFile:
    receiver = store.receive(len(data))
    for begin in range(0, len(data), 1000):
        receiver.write(data[begin : begin + 1000])
    return receiver.finish()


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_kept_file_is_named_by_its_hash(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    stored = received(store)
    store.keep(stored)
    assert stored.sha256 == hashlib.sha256(DATA).hexdigest()
    assert stored.size == len(DATA)
    assert stored.head == DATA[:HEAD_BYTES]
    assert store.blobs.path(stored.sha256).read_bytes() == DATA
    assert files_in(tmp_path) == [stored.sha256]


def test_the_same_bytes_twice_are_one_file(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    for _ in range(2):
        store.keep(received(store))
    assert len(files_in(tmp_path)) == 1


def test_a_deleted_or_discarded_file_is_gone(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    kept = received(store)
    store.keep(kept)
    store.discard(received(store, b"other"))
    store.delete(kept.sha256)
    store.delete(kept.sha256)
    assert files_in(tmp_path) == []


def test_too_large_is_refused_at_once_or_at_the_byte_that_is_too_many(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    with pytest.raises(BodyTooLarge):
        store.receive(1_000_001)
    receiver = store.receive()
    receiver.write(bytes(1_000_000))
    with pytest.raises(BodyTooLarge):
        receiver.write(b"x")
    receiver.abort()
    assert files_in(tmp_path) == []


def test_a_disk_without_the_reserve_takes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DiskFull):
        FileStore(tmp_path / "files", 1, min_free_mb=10**9).receive()
    assert files_in(tmp_path) == []


def test_what_a_crash_left_is_swept(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    kept = received(store)
    store.keep(kept)
    unused = received(store, b"kept, but its row was never written")
    store.keep(unused)
    received(store, b"never kept")
    assert store.sweep(lambda sha256: sha256 == kept.sha256) == 2
    assert files_in(tmp_path) == [kept.sha256]


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_only_a_hash_is_a_place(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        a_store(tmp_path).blobs.path(name)
