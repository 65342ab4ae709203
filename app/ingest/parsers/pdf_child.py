"""The program that reads one PDF, run in a process of its own: `python -m app.ingest.parsers.pdf_child JSON`.

A hostile file can make any PDF library loop, abort or fill the memory, so this process takes its limits before it opens
the file, writes nothing, and dies with its parent. It says what it finds on stdout, one JSON object a line:

    {"pages": 120, "title": "..."}              first
    {"read": 17}                                after each page
    {"number": 1, "text": "...", "drawn": 3}    each page, cleaned, once all are read; `drawn`: pictures
    {"outline": [[level, title, page], ...]}
    {"end": true}                               last, or instead: {"error": "encrypted", ...}

Anything else, a missing end included, means that the reading failed. Only light modules are imported: it starts once
for every document.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

from app.ingest.parsers.running_lines import without_running_lines
from app.text.normalise import clean_line, clean_page_text, vocabulary

_PR_SET_PDEATHSIG = 1
_OPEN_FILES = 64
_PDF_PASSWORD_ERROR = 4
_TITLE_CHARACTERS = 300
_OUTLINE_ENTRIES = 5000
_OUTLINE_LEVELS = 12
_OBJECTS_LOOKED_AT = 200
_IMAGE, _PATH = 3, 2  # FPDF_PAGEOBJ_IMAGE, FPDF_PAGEOBJ_PATH
_CURVES_OF_A_TEXT = 50
_LITTLE_TEXT = 200
"""Characters; a scanned page may carry a stamp or a download notice as text."""

Outline = list[tuple[int, str, int]]


def main() -> None:
    """Reads the task from the command line; exits 0 when it has said what it found."""
    task = json.loads(sys.argv[1])
    _take_limits(task)
    read = {"pdfium": _read_with_pdfium, "pypdf": _read_with_pypdf}[task["engine"]]
    try:
        read(task["path"], _Budget(task["pages"], task["characters"]))
    except MemoryError:
        _fail("too_costly", "memory")
    _say(end=True)


def _take_limits(task: dict[str, Any]) -> None:
    """Address space, processor time, no files to write, no processes, no core dump; death together with the parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != task["parent"]:
        sys.exit(1)
    memory, seconds = task["memory_mb"] << 20, task["cpu_seconds"]
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
    ):
        hard = resource.getrlimit(what)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (value, value))


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


def _say(**message: object) -> None:
    sys.stdout.write(json.dumps(message, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def _fail(error: str, detail: str = "") -> NoReturn:
    _say(error=error, detail=detail[:500])
    sys.stdout.flush()
    os._exit(0)


def _tell(raw: list[str], drawn: list[int], outline: Outline) -> None:
    """The pages, cleaned together: how a word broken at a line's end is written depends on the whole document."""
    words = vocabulary(raw)
    clean = []
    for text in raw:
        clean.append(clean_page_text(text, words))
        _say(read=len(raw))
    for number, text in enumerate(without_running_lines(clean), 1):
        _say(number=number, text=text, drawn=drawn[number - 1])
    _say(outline=outline)


# --- pdfium -----------------------------------------------------------------------------------------------------------


def _read_with_pdfium(path: str, budget: _Budget) -> None:
    import pypdfium2  # noqa: PLC0415  (only the engine asked for)

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        _fail("encrypted" if error.err_code == _PDF_PASSWORD_ERROR else "unreadable", str(error))
    budget.begin(len(document), document.get_metadata_value("Title"))
    raw: list[str] = []
    drawn: list[int] = []
    lost = 0
    for index in range(len(document)):
        try:
            text, pictures = _page_of_pdfium(document[index], budget)
        except pypdfium2.PdfiumError:
            text, pictures = "", 0
            lost += 1
        raw.append(text)
        drawn.append(pictures)
        _say(read=index + 1)
    if lost == len(raw):
        _fail("unreadable", "no page can be loaded")
    _tell(raw, drawn, list(_outline_of_pdfium(document, len(raw))))
    document.close()


def _page_of_pdfium(page: Any, budget: _Budget) -> tuple[str, int]:  # noqa: ANN401  (untyped library)
    """The raw text of a page and, where there is little, how many pictures (or letters drawn as curves) it shows."""
    text_page = page.get_textpage()
    budget.spend(text_page.count_chars())
    text: str = text_page.get_text_bounded()
    text_page.close()
    pictures = 0 if len(text) > _LITTLE_TEXT else _count_pictures(page)
    page.close()
    return text, pictures


def _count_pictures(page: Any) -> int:  # noqa: ANN401
    kinds = [item.type for item in islice(page.get_objects(), _OBJECTS_LOOKED_AT)]
    return kinds.count(_IMAGE) or int(kinds.count(_PATH) >= _CURVES_OF_A_TEXT)


def _outline_of_pdfium(document: Any, pages: int) -> Iterator[tuple[int, str, int]]:  # noqa: ANN401
    for bookmark in islice(document.get_toc(max_depth=_OUTLINE_LEVELS), _OUTLINE_ENTRIES):
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        title = clean_line(bookmark.get_title(), _TITLE_CHARACTERS)
        if title and index is not None and 0 <= index < pages:
            yield bookmark.level + 1, title, index + 1


# --- pypdf ------------------------------------------------------------------------------------------------------------


def _read_with_pypdf(path: str, budget: _Budget) -> None:
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
        _tell(*_pages_of_pypdf(reader, budget))
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


def _pages_of_pypdf(reader: Any, budget: _Budget) -> tuple[list[str], list[int], Outline]:  # noqa: ANN401
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    raw: list[str] = []
    drawn: list[int] = []
    for number, page in enumerate(reader.pages, 1):
        text = page.extract_text() or ""
        budget.spend(len(text))
        raw.append(text)
        drawn.append(0 if len(text) > _LITTLE_TEXT else _count_pypdf_pictures(page))
        _say(read=number)
    try:
        outline = list(islice(_outline_of_pypdf(reader, reader.outline, 1), _OUTLINE_ENTRIES))
    except (PyPdfError, KeyError, TypeError, ValueError, AttributeError):  # the text is good without it
        outline = []
    return raw, drawn, outline


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
