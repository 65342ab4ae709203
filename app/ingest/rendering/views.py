"""What people see of a document's pages: their size, their image, and where on them a quote or a chunk stands."""

from __future__ import annotations

import base64
import binascii
import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import structlog

from app.catalogue.contents import StoredPage
from app.catalogue.records import Document
from app.errors import BlobDamaged, BlobsUnavailable, DocumentNotFound, NoPageImage, PageImageFailed, PageNotFound
from app.ingest.indexing import Stores
from app.ingest.media import MediaType
from app.ingest.rendering.boxes import Box, Glyph, PageLayout, glyphs_of_lines
from app.ingest.rendering.pool import DrawingPool, PageFault
from app.ingest.rendering.process import DrawingLimits
from app.ingest.turns import Turns
from app.text.quoting import letters_of
from app.types import Chunk

log = structlog.get_logger(__name__)


class ImageWidth(IntEnum):
    """Pixels; few widths, so that the cache is of use."""

    THUMBNAIL = 240
    SMALL = 800
    MEDIUM = 1200
    LARGE = 1600


DRAWING_VERSION = 1
"""Goes up when the same page is drawn another way, so that browsers fetch it again."""

_FORGIVEN_SECONDS = 60.0
"""A page that failed is not tried again for so long: a hostile one takes the longest time there is. On a busy machine
an ordinary one may fail too."""

_MOST_FAILED = 1000
_LAYOUTS_KEPT = 16
"""Pages whose characters are remembered; the one that is looked at is asked about several times."""


@dataclass(frozen=True, slots=True)
class ChunkSlice:
    """A chunk on a page: `start` and `end` of the part of the page's text that is in it."""

    chunk: Chunk
    start: int
    end: int


class PageViews:
    """Reads what is drawn from the cache, or has a limited process draw it.

    Every call takes the document as the catalogue gave it to whoever may see it. Raises `PageNotFound`, and for
    images `NoPageImage`, `PageImageFailed`, `PagesBusy`, `BlobsUnavailable` and `BlobDamaged`.
    """

    def __init__(self, stores: Stores, size: int, limits: DrawingLimits) -> None:
        self._stores = stores
        self._limits = limits
        self._pool = DrawingPool(size, limits)
        self._turns = Turns()
        self._failed: OrderedDict[tuple[str, int, str], tuple[float, str]] = OrderedDict()
        self._layouts: OrderedDict[tuple[str, int], PageLayout] = OrderedDict()

    def start(self) -> None:
        """Gets the first process ready and clears what a crash left behind."""
        self._stores.images.sweep(self._stores.documents.is_there)
        self._pool.start()

    def stop(self) -> None:
        """Ends the processes."""
        self._pool.close()

    # --- images -------------------------------------------------------------------------------------------------------

    def kept_image(self, document: Document, number: int, width: ImageWidth) -> bytes | None:
        """The image, where it is in the cache; quick."""
        return self._stores.images.get(document.id, number, width)

    def image(self, document: Document, number: int, width: ImageWidth) -> bytes:
        """The page as a WebP image, `width` pixels wide where that is not too large."""
        with self._turns.of(f"{document.id} {number} {width}"):
            kept = self.kept_image(document, number, width)
            if kept is not None:
                return kept
            image = self._drawn(document, number, width)
            self._stores.images.put(document.id, number, width, image)
        # A purge begins by hiding the document: what it did not see yet goes here.
        try:
            self._stores.documents.get(document.knowledge_base_id, document.id)
        except DocumentNotFound:
            self._stores.images.remove(document.id)
            raise
        return image

    def _drawn(self, document: Document, number: int, width: int) -> bytes:
        reply = self._ask(document, number, {"image": width, "pixels": self._limits.pixels})
        try:
            image = base64.b64decode(str(reply.get("image")), validate=True)
        except binascii.Error:
            image = b""
        if image[:4] != b"RIFF" or image[8:12] != b"WEBP":
            raise self._failure(document, number, "died")
        return image

    def size(self, document: Document, number: int) -> tuple[float, float] | None:
        """Width and height of the page in points; None where there is no image of it, or none now."""
        try:
            reply = self._ask(document, number, {})
        except (NoPageImage, PageImageFailed, BlobDamaged, BlobsUnavailable):
            return None
        width, height = float(reply["width"]), float(reply["height"])
        return (width, height) if math.isfinite(width * height) and min(width, height) > 0 else None

    # --- boxes --------------------------------------------------------------------------------------------------------

    def boxes(self, document: Document, page: StoredPage, quote: str, within: ChunkSlice | None = None) -> list[Box]:
        """Boxes of a quote on the page, one a line; `within` tells which one is meant where several say the same."""
        layout = self._layout(document, page)
        near = None
        if within is not None:
            at = page.text.find(quote, within.start, within.end)
            near = len(letters_of([page.text[: max(at, within.start)]]).text)
        return layout.boxes(quote, near)

    def chunk_boxes(self, document: Document, page: StoredPage, slices: Sequence[ChunkSlice]) -> list[list[Box]]:
        """Boxes of each chunk, as far as it stands on the page."""
        layout = self._layout(document, page)
        return [
            layout.boxes(page.text[one.start : one.end], len(letters_of([page.text[: one.start]]).text))
            for one in slices
        ]

    def _layout(self, document: Document, page: StoredPage) -> PageLayout:
        if page.lines is not None:
            return PageLayout(glyphs_of_lines(page.lines))
        key = document.sha256, page.number
        layout = self._layouts.get(key)
        if layout is None:
            reply = self._ask(document, page.number, {"glyphs": self._limits.characters})
            glyphs = [Glyph(str(text), *map(float, edges)) for text, *edges in reply["glyphs"]]
            layout = self._layouts[key] = PageLayout(glyphs)
            while len(self._layouts) > _LAYOUTS_KEPT:
                self._layouts.popitem(last=False)
        return layout

    # --- the processes ------------------------------------------------------------------------------------------------

    def _ask(self, document: Document, number: int, request: dict[str, object]) -> dict[str, Any]:
        if document.media_type != MediaType.PDF:
            raise NoPageImage(name=document.name)
        key = document.sha256, number, str(request)
        failed_at, error = self._failed.get(key, (-math.inf, ""))
        if time.monotonic() - failed_at < _FORGIVEN_SECONDS:
            raise self._failure(document, number, error)
        try:
            with self._stores.files.local(document.sha256) as path:
                return self._pool.ask(path, {"page": number, **request})
        except FileNotFoundError as error:
            raise DocumentNotFound(ref=document.id) from error
        except BlobDamaged as error:
            error.params["name"] = document.name
            raise
        except PageFault as fault:
            if fault.error == "no_page":
                raise PageNotFound(name=document.name, page=number) from fault
            log.warning("page_image_failed", document_id=document.id, page=number, detail=str(fault)[-500:])
            self._failed[key] = time.monotonic(), fault.error
            while len(self._failed) > _MOST_FAILED:
                self._failed.popitem(last=False)
            raise self._failure(document, number, fault.error) from fault

    def _failure(self, document: Document, number: int, error: str) -> PageImageFailed:
        return PageImageFailed(error, name=document.name, page=number, reason=_reason(error))


def _reason(error: str) -> str:
    """What people read of a `PageFault`."""
    match error:
        case "encrypted":
            return "the file is protected by a password"
        case "unreadable":
            return "it cannot be opened"
        case "memory":
            return "it needs too much memory"
        case "time":
            return "it takes too long"
        case _:
            return "it stops the reader"
