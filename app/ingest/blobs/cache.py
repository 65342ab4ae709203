"""Local copies of originals that lie elsewhere, the longest unused going first where there are too many."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from app.errors import BlobDamaged, DiskFull
from app.ingest.blobs.hashes import checked_sha256, is_sha256
from app.syncing import sync_folder

Pieces = Callable[[], Iterable[bytes | memoryview]]
"""Fetches a blob from the beginning, piece by piece."""

_TRIES = 2
"""Fetches of a blob whose hash is wrong: the first one may have been cut short on its way."""

_LEFT_SECONDS = 60.0
"""A piece of a fetch that nobody holds is what a crash left, unless it is younger: then it may not be locked yet."""


class BlobCache:
    """At most `limit_mb` of files by their hash, of which those in use do not count as unused, however old.

    Any number of threads and processes may share the folder. A reader holds a shared lock of the kernel on the file,
    which whoever evicts must have alone: a file is never removed under a reader that gives its path to a child. The
    locks end with their process, however that dies. A file gets its name once its hash was compared.
    """

    def __init__(self, folder: Path, limit_mb: int, min_free_mb: int) -> None:
        self._folder = folder
        self._locks = folder / "locks"
        self._limit = limit_mb * 1_000_000
        self._min_free = min_free_mb * 1_000_000
        self._locks.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def holding(self, sha256: str, size: Callable[[], int], pieces: Pieces) -> Iterator[Path]:
        """A path that is there until the block ends; fetched where it is not there yet.

        `size` and `pieces` raise what a store's `local` does; raises `BlobDamaged` and `DiskFull` beside.
        """
        path = self._folder / checked_sha256(sha256)
        file = self._held(path)
        if file is None:
            with self._turn(sha256):
                file = self._held(path) or self._fetched(path, size(), pieces)
            self._evict(self._limit)
        try:
            yield path
        finally:
            file.close()

    def take(self, sha256: str, source: Path) -> None:
        """Keeps a file that is known to be whole; `source` is gone afterwards."""
        try:
            _named(source, self._folder / checked_sha256(sha256))
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            source.unlink()  # on another file system: it is fetched when it is wanted
        self._evict(self._limit)

    def remove(self, sha256: str) -> None:
        """Removes the copy; who has it open keeps it."""
        (self._folder / checked_sha256(sha256)).unlink(missing_ok=True)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _held(self, path: Path) -> IO[bytes] | None:
        """The file, open and locked against eviction; None where it is not there."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        fcntl.flock(file, fcntl.LOCK_SH)
        if not os.fstat(file.fileno()).st_nlink:  # evicted between the two lines
            file.close()
            return None
        with suppress(FileNotFoundError):
            os.utime(path)  # when it was used last
        return file

    @contextmanager
    def _turn(self, sha256: str) -> Iterator[None]:
        """One fetch of a blob at a time; a few different ones share a lock."""
        with (self._locks / sha256[:2]).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _fetched(self, path: Path, size: int, pieces: Pieces) -> IO[bytes]:
        self._make_room(size)
        for _ in range(_TRIES):
            with self._part(size) as (file, temporary):
                if _write(file, pieces()) != path.name:
                    continue
                _named(temporary, path)
                sync_folder(self._folder)
                held = self._held(path)  # this one, still locked, or that of an upload that was quicker
                if held is not None:
                    return held
        raise BlobDamaged(f"{path.name} came with another hash", name=path.name)

    @contextmanager
    def _part(self, size: int) -> Iterator[tuple[IO[bytes], Path]]:
        """A temporary file, locked, which is gone afterwards; raises `DiskFull` where the disk is."""
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix="fetch-", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)
                yield file, Path(name)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._full(size) from error
            raise
        finally:
            Path(name).unlink(missing_ok=True)

    def _make_room(self, size: int) -> None:
        if self._free() < size + self._min_free:
            self._evict(0)
        if self._free() < size + self._min_free:
            raise self._full(size)

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _full(self, size: int) -> DiskFull:
        return DiskFull(free_mb=self._free() // 1_000_000, needed_mb=(size + self._min_free) // 1_000_000)

    def _evict(self, limit: int) -> None:
        """Removes the longest unused files until the rest fits, and what cut-off fetches left."""
        found: list[tuple[float, int, str]] = []
        now = time.time()
        with os.scandir(self._folder) as entries:
            for entry in entries:
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue
                if is_sha256(entry.name):
                    found.append((status.st_mtime, status.st_size, entry.name))
                elif entry.name.endswith(".part") and now - status.st_mtime > _LEFT_SECONDS:
                    self._remove_unused(entry.name)
        total = sum(size for _, size, _ in found)
        for _, size, name in sorted(found):
            if total <= limit:
                return
            if self._remove_unused(name):
                total -= size

    def _remove_unused(self, name: str) -> bool:
        """Removes a file that no reader holds; whether it is gone."""
        path = self._folder / name
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):  # and not another one by now
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            return True
        except BlockingIOError:
            return False
        return True


def _named(source: Path, target: Path) -> None:
    """Gives a whole file its name, unless there is one already: a name never comes to mean another file while it is
    looked at, only once that was removed."""
    with suppress(FileExistsError):
        target.hardlink_to(source)
    source.unlink(missing_ok=True)


def _write(file: IO[bytes], pieces: Iterable[bytes | memoryview]) -> str:
    """Writes the pieces so that they outlive a power cut; their hash."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        file.write(piece)
    file.flush()
    os.fsync(file.fileno())
    return digest.hexdigest()
