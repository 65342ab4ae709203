"""Originals in one folder, on this machine or on a share that all processes see."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.ingest.blobs.hashes import checked_sha256, is_sha256
from app.ports import Blob
from app.syncing import sync_folder

_READ_BYTES = 1 << 20


class FolderBlobs:
    """Port `BlobStore`. Folder layout: `folder/<first two letters>/<sha256>`.

    A received file must lie on the same file system: it is renamed into its place.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the blob is, or would be."""
        return self._folder / checked_sha256(sha256)[:2] / sha256

    def stage(self, sha256: str, source: Path) -> None:
        """A rename takes no time: nothing is done beforehand."""

    def keep(self, sha256: str, source: Path) -> None:
        target = self.path(sha256)
        target.parent.mkdir(exist_ok=True)
        source.replace(target)
        sync_folder(target.parent)

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        path = self.path(sha256)
        if not path.is_file():
            raise FileNotFoundError(f"no original {sha256}")
        yield path

    def digest(self, sha256: str) -> str | None:
        digest = hashlib.sha256()
        try:
            with self.path(sha256).open("rb") as file:
                while piece := file.read(_READ_BYTES):
                    digest.update(piece)
        except FileNotFoundError:
            return None
        except OSError:  # a disk that cannot read it has not what was uploaded
            return ""
        return digest.hexdigest()

    def delete(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)

    def all(self) -> Iterator[Blob]:
        now = time.time()
        for path in self._folder.glob("??/*"):
            if is_sha256(path.name):
                try:
                    status = path.stat()
                except FileNotFoundError:  # deleted meanwhile
                    continue
                yield Blob(path.name, status.st_size, now - status.st_ctime)

    def check(self) -> None:
        """The folder was made when this object was; a disk that fails later says so itself."""
