"""Images of pages on disk, in a folder for each document, the longest unused going first where there are too many."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from app.ingest.files import FULL_DISK

log = structlog.get_logger(__name__)

_NAME = re.compile(r"\d+-\d+\.webp")
Key = tuple[str, str]
"""(document id, file name)"""


class ImageCache:
    """At most `limit_mb` of images, and none where less than `min_free_mb` of the disk would stay free.

    What it holds can be drawn again: a lost image is no fault, a cut-off one would be, so each is whole before it gets
    its name. One process owns the folder, and this object knows all that is in it.
    """

    def __init__(self, folder: Path, limit_mb: int, min_free_mb: int) -> None:
        self._folder = folder
        self._limit = limit_mb * 1_000_000
        self._min_free = min_free_mb * 1_000_000
        self._lock = threading.Lock()
        self._sizes: OrderedDict[Key, int] = OrderedDict()
        self._bytes = 0
        folder.mkdir(parents=True, exist_ok=True)
        found = [(path.stat(), path) for path in folder.glob("*/*") if _NAME.fullmatch(path.name)]
        for status, path in sorted(found, key=lambda one: one[0].st_mtime):
            self._sizes[path.parent.name, path.name] = status.st_size
            self._bytes += status.st_size

    def get(self, document_id: str, number: int, width: int) -> bytes | None:
        """The image, if it is there."""
        key = _key(document_id, number, width)
        with self._lock:
            if key not in self._sizes:
                return None
            self._sizes.move_to_end(key)
        try:
            path = self._path(key)
            os.utime(path)
            return path.read_bytes()
        except FileNotFoundError:  # gone since the lines before
            return None

    def put(self, document_id: str, number: int, width: int, image: bytes) -> None:
        """Keeps the image where there is room on the disk."""
        if len(image) > self._limit or shutil.disk_usage(self._folder).free < self._min_free + len(image):
            return
        key = _key(document_id, number, width)
        try:
            self._write(self._path(key), image)
        except FileNotFoundError:  # the document's folder was removed meanwhile
            return
        except OSError as error:
            if error.errno not in FULL_DISK:
                raise
            log.warning("page_image_not_kept", detail=str(error))
            return
        with self._lock:
            self._bytes += len(image) - self._sizes.pop(key, 0)
            self._sizes[key] = len(image)
            while self._bytes > self._limit:
                oldest, size = self._sizes.popitem(last=False)
                self._bytes -= size
                self._path(oldest).unlink(missing_ok=True)

    def remove(self, document_id: str) -> None:
        """Removes all images of a document."""
        with self._lock:
            for key in [key for key in self._sizes if key[0] == document_id]:
                self._bytes -= self._sizes.pop(key)
            with suppress(FileNotFoundError):
                shutil.rmtree(self._folder / document_id)

    def sweep(self, is_there: Callable[[str], bool]) -> None:
        """Removes what a crash left behind: half-written files, and images of documents that are not there any more."""
        for path in self._folder.glob("*/image-*.part"):
            path.unlink(missing_ok=True)
        for folder in self._folder.iterdir():
            if not is_there(folder.name):
                self.remove(folder.name)

    def _path(self, key: Key) -> Path:
        return self._folder / key[0] / key[1]

    @staticmethod
    def _write(path: Path, image: bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix="image-", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(image)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _key(document_id: str, number: int, width: int) -> Key:
    return document_id, f"{number}-{width}.webp"
