"""The program that reads one PDF, run in a process of its own: `python -m app.ingest.parsers.pdf_child JSON`.

A hostile file can make any PDF library loop, abort or fill the memory, so this process takes its limits before it opens
the file, writes nothing, and dies with its parent. It says what it finds on stdout, one JSON object a line:

    {"pages": 120, "title": "..."}                  first
    {"read": 17}                                    after each page
    {"number": 1, "text": "...", "scanned": false, "hidden": false}
                                                    each page, cleaned, once the window is read
    {"outline": [[level, title, page], ...]}        with the first page
    {"end": true}                               last, or instead: {"error": "encrypted", ...}

Anything else, a missing end included, means that the reading failed. Only light modules are imported: it starts once
for every document.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import islice
from typing import Any, NoReturn

from app.ingest.parsers.child_limits import take_limits
from app.ingest.parsers.garbled import is_garbled
from app.ingest.parsers.hidden_text import hide
from app.ingest.parsers.pdf_tables import page_text
from app.ingest.parsers.running_lines import without_running_lines
from app.text.normalise import clean_line, clean_page_text, vocabulary

_PDF_PASSWORD_ERROR = 4
_TITLE_CHARACTERS = 300
_OUTLINE_ENTRIES = 5000
_OUTLINE_LEVELS = 12
_OBJECTS_LOOKED_AT = 200
_IMAGE, _PATH = 3, 2  # FPDF_PAGEOBJ_IMAGE, FPDF_PAGEOBJ_PATH
_CURVES_OF_A_TEXT = 50
_LARGE_PICTURE = 0.5
_LITTLE_TEXT = 200
"""Characters; a scanned page may carry a stamp or a download notice as text."""

Outline = list[tuple[int, str, int]]


def main() -> None:
    """Reads the task from the command line; exits 0 when it has said what it found."""
    task = json.loads(sys.argv[1])
    take_limits(task)
    read = {"pdfium": _read_with_pdfium, "pypdf": _read_with_pypdf}[task["engine"]]
    try:
        read(task["path"], _Budget(task["pages"], task["characters"]), _Window(task["first"], task["window"]))
    except MemoryError:
        _fail("too_costly", "memory")
    _say(end=True)


class _Budget:
    """What may still be read."""

    def __init__(self, pages: int, characters: int) -> None:
        self._pages = pages
        self._characters = characters

    def begin(self, pages: int, title: str | None) -> None:
        _say(pages=pages, title=clean_line(title or "", _TITLE_CHARACTERS))
        if pages > self._pages:
            _fail("too_many_pages")

    def spend(self, characters: int) -> None:
        self._characters -= characters
        if self._characters < 0:
            _fail("too_costly", "characters")


class _Window:
    """Which pages are read now: at most `size` from `first` (1-based) on, cut so that no small window is left over."""

    def __init__(self, first: int, size: int) -> None:
        self._first = first
        self._size = size

    def of(self, pages: int) -> range:
        """Indexes (0-based) of the pages to read."""
        start = self._first - 1
        left = max(0, pages - start)
        windows = max(1, -(-left // self._size))
        return range(start, min(pages, start + -(-left // windows)))


def _say(**message: object) -> None:
    sys.stdout.write(json.dumps(message, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def _fail(error: str, detail: str = "") -> NoReturn:
    _say(error=error, detail=detail[:500])
    sys.stdout.flush()
    os._exit(0)


def _tell(window: range, raw: list[str], scans: list[bool], outline: Outline, hidden: Collection[int] = ()) -> None:
    """The pages, cleaned together: how a word broken at a line's end is written depends on the pages around it.

    `hidden` are the indexes of those of which words were left out.
    """
    garbled = [is_garbled(text) for text in raw]
    raw = ["" if bad else _storable(text) for text, bad in zip(raw, garbled, strict=True)]
    words = vocabulary(raw)
    clean = []
    for text in raw:
        clean.append(clean_page_text(text, words))
        _say(read=window.stop)
    for at, (index, text) in enumerate(zip(window, without_running_lines(clean), strict=True)):
        _say(number=index + 1, text=text, scanned=garbled[at] or scans[at], hidden=index in hidden)
    _say(outline=outline)


def _storable(text: str) -> str:
    """`text` without what no database and no JSON reader takes: NUL and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()


# --- pdfium -----------------------------------------------------------------------------------------------------------


def _read_with_pdfium(path: str, budget: _Budget, asked: _Window) -> None:
    import pypdfium2  # noqa: PLC0415  (only the engine asked for)

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        _fail("encrypted" if error.err_code == _PDF_PASSWORD_ERROR else "unreadable", str(error))
    budget.begin(len(document), _decoded(partial(document.get_metadata_value, "Title")))
    window = asked.of(len(document))
    raw: list[str] = []
    scans: list[bool] = []
    hidden: set[int] = set()
    lost = 0
    for index in window:
        try:
            page = document[index]
            if hide(page):
                hidden.add(index)
            text, scan = _page_of_pdfium(page, budget)
        except pypdfium2.PdfiumError:
            text, scan = "", False
            lost += 1
        raw.append(text)
        scans.append(scan)
        _say(read=index + 1)
    if lost == len(raw):
        _fail("unreadable", "no page can be loaded")
    outline = list(_outline_of_pdfium(document, len(document))) if window.start == 0 else []
    _tell(window, raw, scans, outline, hidden)
    document.close()


def _page_of_pdfium(page: Any, budget: _Budget) -> tuple[str, bool]:  # noqa: ANN401  (untyped library)
    """The raw text of a page, and whether it is a picture of text rather than text."""
    text_page = page.get_textpage()
    budget.spend(text_page.count_chars())
    text = page_text(page, text_page)
    text_page.close()
    scan = len(text) <= _LITTLE_TEXT and _is_scan(page, any(map(str.isalnum, text)))
    page.close()
    return text, scan


def _is_scan(page: Any, has_text: bool) -> bool:  # noqa: ANN401
    """Whether the page shows a picture (a large one, where there is a little text) or letters drawn as curves."""
    kinds: Counter[int] = Counter()
    for item in islice(page.get_objects(), _OBJECTS_LOOKED_AT):
        if item.type == _IMAGE and (not has_text or _share_of_page(page, item) >= _LARGE_PICTURE):
            return True
        kinds[item.type] += 1
    return not has_text and kinds[_PATH] >= _CURVES_OF_A_TEXT


def _share_of_page(page: Any, item: Any) -> float:  # noqa: ANN401
    left, bottom, right, top = item.get_bounds()
    width, height = page.get_size()
    return float(abs((right - left) * (top - bottom)) / max(width * height, 1.0))


def _decoded(read: Callable[[], str]) -> str:
    """A string of the file, or nothing where its bytes are no text."""
    try:
        return read()
    except UnicodeDecodeError:
        return ""


def _outline_of_pdfium(document: Any, pages: int) -> Iterator[tuple[int, str, int]]:  # noqa: ANN401
    for bookmark in islice(document.get_toc(max_depth=_OUTLINE_LEVELS), _OUTLINE_ENTRIES):
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        title = clean_line(_decoded(bookmark.get_title), _TITLE_CHARACTERS)
        if title and index is not None and 0 <= index < pages:
            yield bookmark.level + 1, title, index + 1


# --- pypdf ------------------------------------------------------------------------------------------------------------


def _read_with_pypdf(path: str, budget: _Budget, asked: _Window) -> None:
    """The second opinion, where pdfium refuses a file or dies of it; slower, and other bugs."""

    import pypdf  # noqa: PLC0415  (only the engine asked for)
    from pypdf.errors import LimitReachedError, PyPdfError  # noqa: PLC0415

    logging.disable(logging.CRITICAL)
    # pypdf meets broken files with many kinds of exception; this is the child-process boundary, and each says the same.
    try:
        reader = pypdf.PdfReader(path, strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            _fail("encrypted")
        budget.begin(len(reader.pages), reader.metadata.title if reader.metadata else None)
        window = asked.of(len(reader.pages))
        _tell(window, *_pages_of_pypdf(reader, budget, window))
    except LimitReachedError as error:
        _fail("too_costly", str(error))
    except RecursionError:
        _fail("too_costly", "nesting")
    except MemoryError:
        raise
    except PyPdfError as error:
        _fail("unreadable", str(error))
    except Exception as error:  # noqa: BLE001
        _fail("unreadable", f"{type(error).__name__}: {error}")


def _pages_of_pypdf(reader: Any, budget: _Budget, window: range) -> tuple[list[str], list[bool], Outline]:  # noqa: ANN401
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    raw: list[str] = []
    scans: list[bool] = []
    for index in window:
        page = reader.pages[index]
        text = (page.extract_text() or "").replace("\t", " ")  # tabs are for rows of tables
        budget.spend(len(text))
        raw.append(text)
        scans.append(not any(map(str.isalnum, text)) and _count_pypdf_pictures(page) > 0)
        _say(read=index + 1)
    if window.start:
        return raw, scans, []
    try:
        outline = list(islice(_outline_of_pypdf(reader, reader.outline, 1), _OUTLINE_ENTRIES))
    except (PyPdfError, KeyError, TypeError, ValueError, AttributeError):  # the text is good without it
        outline = []
    return raw, scans, outline


def _outline_of_pypdf(reader: Any, entries: list[Any], level: int) -> Iterator[tuple[int, str, int]]:  # noqa: ANN401
    for entry in entries:
        if isinstance(entry, list):
            if level < _OUTLINE_LEVELS:
                yield from _outline_of_pypdf(reader, entry, level + 1)
            continue
        title = clean_line(str(entry.title or ""), _TITLE_CHARACTERS)
        page = reader.get_destination_page_number(entry)
        if title and page is not None and page >= 0:
            yield level, title, page + 1


def _count_pypdf_pictures(page: Any) -> int:  # noqa: ANN401
    """How many pictures; a page whose pictures cannot be counted has none that could be read either."""
    try:
        return len(page.images.keys())
    except (KeyError, TypeError, ValueError, AttributeError):
        return 0


if __name__ == "__main__":
    main()
