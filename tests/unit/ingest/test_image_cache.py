"""Images on disk: bounded, gone with their document, whole after a crash."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.ingest.rendering.cache import ImageCache

HALF_MB = b"x" * 500_000


def a_cache(folder: Path, limit_mb: int = 2, min_free_mb: int = 0) -> ImageCache:
    return ImageCache(folder, limit_mb, min_free_mb)


def test_what_is_put_is_there_also_for_the_next_process(tmp_path: Path) -> None:
    a_cache(tmp_path).put("doc-1", 3, 800, b"image")
    assert a_cache(tmp_path).get("doc-1", 3, 800) == b"image"
    assert a_cache(tmp_path).get("doc-1", 3, 240) is None
    assert a_cache(tmp_path).get("doc-2", 3, 800) is None


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    for number in range(1, 5):
        cache.put("doc-1", number, 800, HALF_MB)
    cache.get("doc-1", 1, 800)
    cache.put("doc-2", 1, 800, HALF_MB)
    assert {path.name for path in tmp_path.glob("doc-1/*")} == {"1-800.webp", "3-800.webp", "4-800.webp"}
    assert cache.get("doc-1", 2, 800) is None


def test_the_order_of_use_outlives_the_process(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    for number in range(1, 5):
        cache.put("doc-1", number, 800, HALF_MB)
        os.utime(tmp_path / "doc-1" / f"{number}-800.webp", (number, number))
    cache.get("doc-1", 1, 800)
    a_cache(tmp_path).put("doc-1", 5, 800, HALF_MB)
    assert {path.name for path in tmp_path.glob("doc-1/*")} == {f"{number}-800.webp" for number in (1, 3, 4, 5)}


def test_the_same_image_twice_counts_once(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    cache.put("doc-1", 1, 800, HALF_MB)
    for _ in range(10):
        cache.put("doc-1", 2, 800, HALF_MB)
    assert cache.get("doc-1", 1, 800) == HALF_MB


def test_an_image_beyond_the_limit_is_not_kept(tmp_path: Path) -> None:
    cache = a_cache(tmp_path, limit_mb=1)
    cache.put("doc-1", 1, 800, HALF_MB * 3)
    assert cache.get("doc-1", 1, 800) is None


def test_a_full_disk_is_left_alone(tmp_path: Path) -> None:
    cache = a_cache(tmp_path, min_free_mb=1_000_000_000)
    cache.put("doc-1", 1, 800, b"image")
    assert cache.get("doc-1", 1, 800) is None
    assert list(tmp_path.iterdir()) == []


def test_a_document_takes_its_images_along(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    for document in ("doc-1", "doc-2"):
        cache.put(document, 1, 800, HALF_MB)
    cache.remove("doc-1")
    cache.remove("doc-1")
    assert [path.name for path in tmp_path.iterdir()] == ["doc-2"]
    assert cache.get("doc-1", 1, 800) is None
    for number in (2, 3, 4):  # its room is free again
        cache.put("doc-2", number, 800, HALF_MB)
    assert cache.get("doc-2", 1, 800) == HALF_MB


def test_an_image_that_somebody_removed_is_not_there(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    cache.put("doc-1", 1, 800, b"image")
    (tmp_path / "doc-1" / "1-800.webp").unlink()
    assert cache.get("doc-1", 1, 800) is None


def test_what_a_crash_left_is_swept(tmp_path: Path) -> None:
    cache = a_cache(tmp_path)
    cache.put("doc-1", 1, 800, b"image")
    cache.put("doc-2", 1, 800, b"image")
    (tmp_path / "doc-1" / "image-abc.part").write_bytes(b"ima")
    again = a_cache(tmp_path)
    again.sweep(lambda document_id: document_id == "doc-1")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*")] == ["doc-1/1-800.webp"]
    assert again.get("doc-1", 1, 800) == b"image"


def test_a_broken_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = a_cache(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    cache.put("doc-1", 1, 800, b"image")
    assert list(tmp_path.glob("doc-1/*")) == []
    assert cache.get("doc-1", 1, 800) is None
