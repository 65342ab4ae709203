"""Uploaded files, known by the SHA-256 of their bytes; a user's file name is never part of a path."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.catalogue.haste import lock_seconds, refusals
from app.errors import BodyTooLarge, DiskFull, Unavailable
from app.ingest.blobs.folder import FolderBlobs
from app.ports import BlobStore

HEAD_BYTES = 4096
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
    """Originals by hash: uploads are received in a folder of this machine and kept in a store of blobs.

    `exclusive` keeps all who add and delete apart; by default only those of this process. Where others cannot be kept
    apart, `grace_seconds` is how long a blob that no document uses is left alone: another process may be about to add
    its document.
    """

    def __init__(
        self,
        folder: Path,
        limit_mb: int,
        min_free_mb: int,
        blobs: BlobStore | None = None,
        *,
        exclusive: Callable[[], AbstractContextManager[object]] | None = None,
        grace_seconds: float = 0.0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._limit = limit_mb * 1_000_000
        self._min_free = min_free_mb * 1_000_000
        self._blobs = blobs or FolderBlobs(folder)
        self._grace = grace_seconds
        self._exclusive = exclusive or partial(_held, threading.Lock())

    @property
    def blobs(self) -> BlobStore:
        """Where the originals are."""
        return self._blobs

    def receive(self, expected_bytes: int | None = None) -> Receiver:
        """Starts an upload; raises `BodyTooLarge` or `DiskFull` where it cannot fit."""
        if expected_bytes is not None and expected_bytes > self._limit:
            raise BodyTooLarge(limit_mb=self._limit // 1_000_000, setting="MQA_MAX_UPLOAD_MB")
        free, needed = shutil.disk_usage(self._folder).free, (expected_bytes or 0) + self._min_free
        if free < needed:
            raise DiskFull(free_mb=free // 1_000_000, needed_mb=needed // 1_000_000)
        return Receiver(self._folder, self._limit, self._min_free)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keeps "row added, file kept" and "last row gone, file deleted" from crossing each other."""
        with self._exclusive():
            yield

    def stage(self, received: StoredFile) -> None:
        """Does what takes long in `keep`; outside of `exclusive`, so that others need not wait for a network."""
        self._blobs.stage(received.sha256, received.temporary)

    def keep(self, received: StoredFile) -> None:
        """Makes a received file an original, in one step; the same bytes twice are one file."""
        self._blobs.keep(received.sha256, received.temporary)

    def discard(self, received: StoredFile) -> None:
        """Forgets a received file that was not kept."""
        received.temporary.unlink(missing_ok=True)

    def local(self, sha256: str) -> AbstractContextManager[Path]:
        """See `app.ports.BlobStore`."""
        return self._blobs.local(sha256)

    def digest(self, sha256: str) -> str | None:
        """See `app.ports.BlobStore`."""
        return self._blobs.digest(sha256)

    def delete(self, sha256: str) -> None:
        self._blobs.delete(sha256)

    def hashes(self) -> set[str]:
        """Hashes of all originals."""
        return {blob.sha256 for blob in self._blobs.all()}

    def check(self) -> None:
        """See `app.ports.BlobStore`."""
        self._blobs.check()

    def unused(self, is_used: Callable[[str], bool], *, delete: bool) -> int:
        """Counts the originals that no document uses and none is about to use; with `delete` they go."""
        candidates = [blob for blob in self._blobs.all() if blob.age_seconds >= self._grace]
        candidates = [blob for blob in candidates if not is_used(blob.sha256)]
        return sum(self._is_unused(blob.sha256, is_used, delete=delete) for blob in candidates)

    def _is_unused(self, sha256: str, is_used: Callable[[str], bool], *, delete: bool) -> bool:
        with self.exclusive():  # an upload that was being kept meanwhile has its document now
            if is_used(sha256):
                return False
            if delete:
                self._blobs.delete(sha256)
            return True

    def sweep(self, is_used: Callable[[str], bool]) -> int:
        """Removes what a crash left behind: cut-off uploads, and files that no document uses; returns how many.

        Only at start, before any upload.
        """
        left = [path for path in self._folder.glob("upload-*.part") if _age_seconds(path) >= self._grace]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left) + self.unused(is_used, delete=True)


@contextmanager
def _held(lock: threading.Lock) -> Iterator[None]:
    """The lock; raises `Unavailable` where those before wait for a database that refuses them."""
    while not lock.acquire(timeout=lock_seconds()):
        if refusals.are_recent:
            raise Unavailable("others wait for the database with the originals locked")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _full_disk(folder: Path, needed: int, reserve: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        free = shutil.disk_usage(folder).free
        raise DiskFull(str(error), free_mb=free // 1_000_000, needed_mb=(needed + reserve) // 1_000_000) from error


def _age_seconds(path: Path) -> float:
    """Since it was last written; nothing where it went away meanwhile."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
