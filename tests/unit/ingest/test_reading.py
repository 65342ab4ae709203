"""Reading a whole file from windows, and what has no text."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import NeedsOcr, NoText
from app.ingest.reading import Whole, has_text, parse_whole, require_text
from app.ports import ParseLimits, Part, Progress
from app.types import Heading, Page, ParsedDocument

LIMITS = ParseLimits(20, 1000, 50, 1000, window=2)


class Windows:
    """Pages of given texts, as many at once as the limits allow; a page without text is a scan."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def read(self, path: Path, limits: ParseLimits, first: int, progress: Progress) -> Part:
        pages = tuple(Page(number, text) for number, text in enumerate(self.texts, 1))
        some = pages[first - 1 : first - 1 + limits.window]
        progress(first - 1 + len(some), len(pages))
        outline = (Heading(1, "Start", 1),) if first == 1 else ()
        scanned = frozenset(page.number for page in some if not page.text)
        return Part(some, len(pages), scanned, outline, path.name if first == 1 else None, "windows")


class OnePiece:
    def parse(self, path: Path, limits: ParseLimits, progress: Progress) -> ParsedDocument:
        progress(2, limits.pages)
        return ParsedDocument((Page(1, "one"), Page(2, "two")), (), path.name, "piece")


def nothing(done: int, total: int) -> None:
    assert done <= total


def test_windows_make_the_whole() -> None:
    found = parse_whole(Windows("a", "b", "", "d", "e"), Path("x"), LIMITS, nothing)
    assert [(page.number, page.text) for page in found.pages] == [(1, "a"), (2, "b"), (3, ""), (4, "d"), (5, "e")]
    assert (found.outline, found.title, found.parser) == ((Heading(1, "Start", 1),), "x", "windows")


def test_a_format_without_pages_is_one_window() -> None:
    part = Whole(OnePiece()).read(Path("x"), LIMITS, 1, nothing)
    assert ([page.number for page in part.pages], part.pages_total) == ([1, 2], 2)
    assert [page.number for page in Whole(OnePiece()).read(Path("x"), LIMITS, 2, nothing).pages] == [2]


def test_a_scan_in_any_window_asks_for_ocr_and_a_blank_file_does_not() -> None:
    with pytest.raises(NeedsOcr):
        parse_whole(Windows("-", "-", "-", ""), Path("x"), LIMITS, nothing)
    with pytest.raises(NoText):
        parse_whole(Windows("-", " ", "…"), Path("x"), LIMITS, nothing)


@pytest.mark.parametrize(("text", "has"), [("", False), (" \n—…", False), ("5", True), ("水", True), ("a", True)])
def test_text_is_a_letter_or_a_digit(text: str, has: bool) -> None:
    assert has_text(text) is has


def test_one_page_with_text_is_enough() -> None:
    require_text(["", "x"], scanned=True)
