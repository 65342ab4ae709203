"""OCR: images of pages are read by `ocr_child` in a limited process; this side watches it and orders what it found."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import structlog

from app.errors import OcrUnavailable
from app.ingest.parsers.child import ChildBabbled, ChildDied, ChildLimits, ChildTimeout, run_child
from app.ingest.reading_order import Box, Piece, Row, in_reading_order, text_of_row
from app.ports import OcrLimits, Progress, RecognisedLine, RecognisedPage
from app.text.normalise import clean_characters

log = structlog.get_logger(__name__)

_MODULE = "app.ingest.ocr_child"
_START_SECONDS = 60.0
"""Longest loading of the models; 1 to 6 s on two cores."""

_LINE_BYTES = 8_000_000
"""Longest line of the child: a page of a thousand pieces of two thousand characters, escaped."""

_MOST_DEATHS = 3
_SPREAD = 1.25
"""An image so much wider than high may show two pages; two A5 pages are 1.41."""


def is_available() -> bool:
    """Whether the extra `ocr` is installed."""
    return find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None


@dataclass(frozen=True, slots=True)
class RapidOcr:
    """Port `PageReader` with the models that come inside the package of rapidocr: Chinese and Latin letters.

    A page that ends its process is left without text and the next one is read by a new process; after more than
    `_MOST_DEATHS` such pages in one call the rest of them has no text either.
    """

    threads: int = 2

    def recognise(
        self, path: Path, pages: Sequence[int], limits: OcrLimits, progress: Progress
    ) -> list[RecognisedPage]:
        run = _Run(path, limits, progress, self.threads, len(pages), left=list(dict.fromkeys(pages)))
        deaths = 0
        while run.left and deaths <= _MOST_DEATHS:
            deaths += run.lives()
        for number in list(run.left):
            run.lose(number, "given up")
        return [run.found[number] for number in pages]


@dataclass(slots=True)
class _Run:
    """One call: the pages still to be read and those that are."""

    path: Path
    limits: OcrLimits
    progress: Progress
    threads: int
    total: int
    left: list[int]
    found: dict[int, RecognisedPage] = field(default_factory=dict)
    state: str = ""

    def lives(self) -> int:
        """One child's life; 1 where it died of a page, which is then lost, else 0. Raises `OcrUnavailable`."""
        limits, count = self.limits, len(self.left)
        task: dict[str, object] = {
            "path": str(self.path.resolve()),
            "pages": self.left,
            "pixels": limits.pixels,
            "page_seconds": limits.page_seconds,
            "threads": self.threads,
            "memory_mb": limits.memory_mb,
            "cpu_seconds": int(_START_SECONDS + (count + 1) * limits.page_seconds * self.threads) + 1,
        }
        seconds = _START_SECONDS + (count + 1) * (limits.page_seconds + 1)
        child_limits = ChildLimits(seconds, _START_SECONDS + limits.page_seconds, _LINE_BYTES)
        self.state = "starting"
        try:
            with closing(run_child(_MODULE, task, child_limits)) as lines:
                for message in lines:
                    self._take(message)
            fault = "incomplete"
        except (ChildTimeout, ChildDied, ChildBabbled, OSError) as error:
            fault = str(error)
        if not self.left:
            return 0
        if self.state == "starting":
            raise OcrUnavailable(fault, reason="the program that reads pages does not start")
        self.lose(self.left[0], fault)
        return 1

    def _take(self, message: dict[str, Any]) -> None:
        if "refused" in message:
            for number in list(self.left):
                self.lose(number, str(message["refused"]))
        elif "number" in message:
            if message.get("error"):
                log.warning("ocr_page_failed", page=int(message["number"]), detail=str(message["error"]))
            self._keep(_page(message, self.limits.least_confidence))
        else:
            self.state = next(iter(message), "")

    def _keep(self, page: RecognisedPage) -> None:
        if page.number in self.left:
            self.left.remove(page.number)
            self.found[page.number] = page
            self.progress(len(self.found), self.total)

    def lose(self, number: int, detail: str) -> None:
        """The page cannot be read: it has no text."""
        log.warning("ocr_page_lost", page=number, detail=detail[-500:])
        self._keep(RecognisedPage(number, "", ()))


def _page(message: dict[str, Any], least_confidence: float) -> RecognisedPage:
    """The page that a line of the child describes."""
    pieces = [
        piece
        for text, confidence, corners in message["pieces"]
        if (piece := _piece(str(text), float(confidence), corners)) is not None and confidence >= least_confidence
    ]
    number = int(message["number"])
    if not pieces:
        return RecognisedPage(number, "", ())
    size = float(message["width"]), float(message["height"])
    text, rows = in_reading_order(pieces, size[0] if size[0] > _SPREAD * size[1] else None)
    lines = tuple(_line(row, size, int(message["turns"])) for row in rows)
    return RecognisedPage(number, text, lines)


def _piece(text: str, confidence: float, corners: Sequence[Sequence[float]]) -> Piece | None:
    """A piece of text; None where there is none, or only a stain read as a mark."""
    text = " ".join(clean_characters(text).split())
    across, down = [corner[0] for corner in corners], [corner[1] for corner in corners]
    box = min(across), min(down), max(across), max(down)
    if not text or (len(text) == 1 and not text.isalnum() and confidence < 0.9):
        return None
    run = corners[1][0] - corners[0][0]
    return Piece(text, box, confidence, (corners[1][1] - corners[0][1]) / run if run > 0 else 0.0)


def _line(row: Row, size: tuple[float, float], turns: int) -> RecognisedLine:
    boxes = [piece.box for piece in row]
    box = min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)
    letters = sum(len(piece.text) for piece in row)
    confidence = sum(piece.confidence * len(piece.text) for piece in row) / letters
    return RecognisedLine(text_of_row(row), _on_page(box, size, turns), round(confidence, 4))


def _on_page(box: Box, size: tuple[float, float], turns: int) -> Box:
    """Fractions of the page from a box in pixels of its image, which was turned left so often."""
    left, top, right, bottom = (min(1.0, max(0.0, edge / size[place % 2])) for place, edge in enumerate(box))
    for _ in range(turns):
        left, top, right, bottom = 1 - bottom, left, 1 - top, right
    return round(left, 5), round(top, 5), round(right, 5), round(bottom, 5)
