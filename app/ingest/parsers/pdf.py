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
    TooManyPages,
    Unreadable,
)
from app.ingest.parsers.child import ChildBabbled, ChildDied, ChildLimits, ChildTimeout, run_child
from app.ingest.reading import has_text
from app.ports import ParseLimits, Part, Progress
from app.types import Heading, Page

log = structlog.get_logger(__name__)

_MODULE = "app.ingest.parsers.pdf_child"
_LINE_BYTES = 64_000_000
"""Longest line of the child: the outline, or a page of about ten million characters."""
_OUT_OF_MEMORY = (signal.SIGABRT, signal.SIGKILL)
_OUT_OF_TIME = (signal.SIGXCPU,)


class PdfParser:
    """Pages as a viewer numbers them, with the outline where the file has one."""

    def read(self, path: Path, limits: ParseLimits, first: int, progress: Progress) -> Part:
        if not path.stat().st_size:
            raise EmptyFile
        begun = time.monotonic()
        try:
            return _read(path, "pdfium", limits, first, progress)
        except _Refused as refused:
            left = limits.seconds - (time.monotonic() - begun)
            fault = refused.error
        if left < 1.0:
            raise fault
        log.info("pdf_second_opinion", first=fault.code(), detail=fault.detail)
        try:
            part = _read(path, "pypdf", replace(limits, seconds=left), first, progress)
        except (_Refused, DocumentTooCostly) as second:
            raise fault from second
        if not any(has_text(page.text) for page in part.pages):
            raise fault
        return part


class _Refused(Exception):
    """One library could not read the file, the other might."""

    def __init__(self, error: DocumentError) -> None:
        super().__init__(error.code())
        self.error = error


def _read(path: Path, engine: str, limits: ParseLimits, first: int, progress: Progress) -> Part:
    """What one library makes of the file; raises `_Refused` or the error that stands."""
    task: dict[str, object] = {
        "engine": engine,
        "path": str(path.resolve()),
        "first": first,
        "window": limits.window,
        "pages": limits.pages,
        "characters": limits.characters,
        "memory_mb": limits.memory_mb,
        "cpu_seconds": int(limits.seconds) + 1,
    }
    found = _Found(limits, first, progress)
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
    return found.part(engine)


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
    first: int
    progress: Progress
    pages_total: int = 0
    title: str | None = None
    pages: list[Page] = field(default_factory=list)
    scanned: set[int] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)
    outline: tuple[Heading, ...] = ()
    ended: bool = False

    def take(self, message: dict[str, Any]) -> None:
        """One line of the child; raises the error it reports."""
        if "read" in message:
            self.progress(int(message["read"]), self.pages_total)
        elif "number" in message:
            page = Page(int(message["number"]), str(message["text"]))
            self.pages.append(page)
            if message["scanned"]:
                self.scanned.add(page.number)
            if message["hidden"]:
                self.hidden.add(page.number)
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

    def part(self, engine: str) -> Part:
        """The window, if it is whole; raises `_Refused` otherwise."""
        numbers = [page.number for page in self.pages]
        if not self.ended or not numbers or numbers != list(range(self.first, self.first + len(numbers))):
            raise _Refused(Unreadable("incomplete", reason="it has no pages that can be read"))
        return Part(
            pages=tuple(self.pages),
            pages_total=self.pages_total,
            scanned=frozenset(self.scanned),
            hidden=frozenset(self.hidden),
            outline=self.outline,
            title=self.title,
            parser=engine,
        )


def _headings(entries: Iterable[tuple[int, str, int]]) -> tuple[Heading, ...]:
    return tuple(Heading(level=int(level), title=str(title), page=int(page)) for level, title, page in entries)
