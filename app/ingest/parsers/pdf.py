"""PDF: the file is read by `pdf_child` in a limited process; this side watches it and judges what it says.

pdfium reads first. pypdf gets what pdfium refuses or dies of, in a second child and in what is left of the time. It is
not asked before pdfium: in the limited child pdfium tells passwords, page counts and damage apart by itself, in 0.1 s,
where pypdf took up to 5 s for the page count alone.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from app.errors import (
    DocumentError,
    DocumentTooCostly,
    EmptyFile,
    Encrypted,
    NeedsOcr,
    NoText,
    TooManyPages,
    Unreadable,
)
from app.ingest.parsers.child import ChildBabbled, ChildDied, ChildLimits, ChildTimeout, run_child
from app.ports import ParseLimits, Progress
from app.types import Heading, Page, ParsedDocument

log = structlog.get_logger(__name__)

_MODULE = "app.ingest.parsers.pdf_child"
_LINE_BYTES = 64_000_000
"""Longest line of the child: the outline, or a page of about ten million characters."""
_OUT_OF_MEMORY = (signal.SIGABRT, signal.SIGKILL)
_OUT_OF_TIME = (signal.SIGXCPU,)


class PdfParser:
    """Pages as a viewer numbers them, with the outline where the file has one."""

    def parse(self, path: Path, limits: ParseLimits, progress: Progress) -> ParsedDocument:
        if not path.stat().st_size:
            raise EmptyFile
        begun = time.monotonic()
        try:
            return _read(path, "pdfium", limits, progress)
        except _Refused as refused:
            left = limits.seconds - (time.monotonic() - begun)
            first = refused.error
        if left < 1.0:
            raise first
        log.info("pdf_second_opinion", first=first.code(), detail=first.detail)
        try:
            return _read(path, "pypdf", replace(limits, seconds=left), progress)
        except _Refused as refused:
            raise first from refused
        except (NoText, NeedsOcr) as second:
            raise first from second


class _Refused(Exception):
    """One library could not read the file, the other might."""

    def __init__(self, error: DocumentError) -> None:
        super().__init__(error.code())
        self.error = error


def _read(path: Path, engine: str, limits: ParseLimits, progress: Progress) -> ParsedDocument:
    """What one library makes of the file; raises `_Refused` or the error that stands."""
    task: dict[str, object] = {
        "engine": engine,
        "path": str(path.resolve()),
        "pages": limits.pages,
        "characters": limits.characters,
        "memory_mb": limits.memory_mb,
        "cpu_seconds": int(limits.seconds) + 1,
    }
    found = _Found(limits, progress)
    try:
        with closing(run_child(_MODULE, task, ChildLimits(limits.seconds, limits.page_seconds, _LINE_BYTES))) as lines:
            for message in lines:
                found.take(message)
    except ChildTimeout as error:
        raise DocumentTooCostly(str(error), limit=f"{error.seconds:.0f} s", setting=error.setting) from error
    except ChildBabbled as error:
        raise _Refused(Unreadable(str(error), reason="its content makes no sense")) from error
    except ChildDied as error:
        raise _dead(error, limits) from error
    return found.document(engine)


def _dead(error: ChildDied, limits: ParseLimits) -> Exception:
    """What the way in which a child died says about the file."""
    if error.signal in _OUT_OF_TIME:
        return DocumentTooCostly(str(error), limit=f"{limits.seconds:.0f} s", setting="MQA_PARSE_SECONDS")
    if error.signal in _OUT_OF_MEMORY:
        return _Refused(_too_much_memory(limits, str(error)))
    return _Refused(Unreadable(str(error), reason="it stops the reader"))


def _too_much_memory(limits: ParseLimits, detail: str) -> DocumentTooCostly:
    return DocumentTooCostly(detail, limit=f"{limits.memory_mb} MB", setting="MQA_PARSE_MEMORY_MB")


@dataclass(slots=True)
class _Found:
    """What the child has said so far."""

    limits: ParseLimits
    progress: Progress
    pages_total: int = 0
    title: str | None = None
    pages: list[Page] = field(default_factory=list)
    drawn: int = 0
    outline: tuple[Heading, ...] = ()
    ended: bool = False

    def take(self, message: dict[str, Any]) -> None:
        """One line of the child; raises the error it reports."""
        if "read" in message:
            self.progress(int(message["read"]), self.pages_total)
        elif "number" in message:
            self.pages.append(Page(int(message["number"]), str(message["text"])))
            self.drawn += bool(message["drawn"])
        elif "error" in message:
            raise self._error(str(message["error"]), str(message.get("detail", "")))
        elif "pages" in message:
            self.pages_total = int(message["pages"])
            self.title = str(message["title"]) or None
        elif "outline" in message:
            self.outline = _headings(message["outline"])
        self.ended = self.ended or "end" in message

    def _error(self, error: str, detail: str) -> Exception:
        if error == "encrypted":
            return Encrypted(detail)
        if error == "too_many_pages":
            return TooManyPages(pages=self.pages_total, limit=self.limits.pages)
        if error == "too_costly" and detail == "characters":
            limit = f"{self.limits.characters} characters"
            return DocumentTooCostly(detail, limit=limit, setting="MQA_MAX_DOCUMENT_CHARACTERS")
        if error == "too_costly":
            return _Refused(_too_much_memory(self.limits, detail))
        return _Refused(Unreadable(detail, reason="it is not a PDF that can be opened"))

    def document(self, engine: str) -> ParsedDocument:
        """The document, if it is whole and has text; raises `NoText`, `NeedsOcr` or `_Refused` otherwise."""
        if not self.ended or not self.pages or len(self.pages) != self.pages_total:
            raise _Refused(Unreadable("incomplete", reason="it has no pages that can be read"))
        silent = sum(not any(map(str.isalnum, page.text)) for page in self.pages)
        if silent == len(self.pages):
            raise NeedsOcr if self.drawn else NoText
        if silent:
            log.info("pdf_pages_without_text", pages=len(self.pages), without_text=silent, pictures=self.drawn)
        return ParsedDocument(tuple(self.pages), self.outline, self.title, engine)


def _headings(entries: Iterable[tuple[int, str, int]]) -> tuple[Heading, ...]:
    return tuple(Heading(level=int(level), title=str(title), page=int(page)) for level, title, page in entries)
