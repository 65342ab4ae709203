"""Uploaded files on disk, named by the SHA-256 of their bytes; a user's file name is never part of a path."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.errors import BodyTooLarge, DiskFull

HEAD_BYTES = 4096
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A fully received file, still under its temporary name; `head` is its first bytes."""

    sha256: str
    size: int
    head: bytes
    temporary: Path


class Receiver:
    """Takes an upload piece by piece. Either `finish` or `abort` ends it; `abort` leaves nothing behind."""

    def __init__(self, folder: Path, limit_bytes: int, min_free_bytes: int) -> None:
        self._limit = limit_bytes
        self._min_free = min_free_bytes
        self._folder = folder
        descriptor, name = tempfile.mkstemp(dir=folder, prefix="upload-", suffix=".part")
        self._path = Path(name)
        self._file = os.fdopen(descriptor, "wb")
        self._hash = hashlib.sha256()
        self._size = 0
        self._head = b""

    def write(self, piece: bytes) -> None:
        """Raises `BodyTooLarge` or `DiskFull`; the caller then aborts."""
        self._size += len(piece)
        if self._size > self._limit:
            raise BodyTooLarge(limit_mb=self._limit // 1_000_000, setting="MQA_MAX_UPLOAD_MB")
        if len(self._head) < HEAD_BYTES:
            self._head += piece[: HEAD_BYTES - len(self._head)]
        self._hash.update(piece)
        with _full_disk(self._folder, self._size, self._min_free):
            self._file.write(piece)

    def finish(self) -> StoredFile:
        """The file is on the disk when this returns; raises `DiskFull`."""
        with _full_disk(self._folder, self._size, self._min_free):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return StoredFile(self._hash.hexdigest(), self._size, self._head, self._path)

    def abort(self) -> None:
        """Forgets the upload."""
        try:
            self._file.close()
        except OSError:  # buffered bytes that no longer fit on the disk; the file goes anyway
            self._file.detach()
        self._path.unlink(missing_ok=True)


class FileStore:
    """Files by hash, in one folder with 256 sub-folders.

    `exclusive` keeps all who add and delete apart; by default only those of this process.
    """

    def __init__(
        self,
        folder: Path,
        limit_mb: int,
        min_free_mb: int,
        *,
        exclusive: Callable[[], AbstractContextManager[object]] | None = None,
    ) -> None:
        self._folder = folder
        self._limit = limit_mb * 1_000_000
        self._min_free = min_free_mb * 1_000_000
        lock = threading.Lock()
        self._exclusive = exclusive or (lambda: lock)
        folder.mkdir(parents=True, exist_ok=True)

    def receive(self, expected_bytes: int | None = None) -> Receiver:
        """Starts an upload; raises `BodyTooLarge` or `DiskFull` where it cannot fit."""
        if expected_bytes is not None and expected_bytes > self._limit:
            raise BodyTooLarge(limit_mb=self._limit // 1_000_000, setting="MQA_MAX_UPLOAD_MB")
        free, needed = shutil.disk_usage(self._folder).free, (expected_bytes or 0) + self._min_free
        if free < needed:
            raise DiskFull(free_mb=free // 1_000_000, needed_mb=needed // 1_000_000)
        return Receiver(self._folder, self._limit, self._min_free)

    def path(self, sha256: str) -> Path:
        """Where the file of this hash is, or would be."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError("not a SHA-256")
        return self._folder / sha256[:2] / sha256

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keeps "row added, file kept" and "last row gone, file deleted" from crossing each other."""
        with self._exclusive():
            yield

    def keep(self, received: StoredFile) -> None:
        """Gives a received file its final name, in one step; the same bytes twice are one file."""
        target = self.path(received.sha256)
        target.parent.mkdir(exist_ok=True)
        received.temporary.replace(target)
        _sync_folder(target.parent)

    def discard(self, received: StoredFile) -> None:
        """Forgets a received file that was not kept."""
        received.temporary.unlink(missing_ok=True)

    def delete(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)

    def hashes(self) -> list[str]:
        """Names of all kept files."""
        return [path.name for path in self._folder.glob("??/*") if _SHA256.fullmatch(path.name)]

    def sweep(self, is_used: Callable[[str], bool]) -> int:
        """Removes what a crash left behind: cut-off uploads, and files that no document uses; returns how many.

        Only at start, before any upload.
        """
        left = list(self._folder.glob("upload-*.part"))
        left += [path for path in self._folder.glob("??/*") if not is_used(path.name)]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)


@contextmanager
def _full_disk(folder: Path, needed: int, reserve: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        free = shutil.disk_usage(folder).free
        raise DiskFull(str(error), free_mb=free // 1_000_000, needed_mb=(needed + reserve) // 1_000_000) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
