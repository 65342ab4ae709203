"""HTML and Word files: a limited child turns them into text and headings; this side judges them and makes pages."""

from __future__ import annotations

import signal
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.errors import DocumentError, DocumentTooCostly, Encrypted, Unreadable
from app.ingest.parsers.child import ChildBabbled, ChildDied, ChildLimits, ChildTimeout, run_child
from app.ingest.parsers.text import PAGE_CHARACTERS, Section, pages_of
from app.ports import ParseLimits, Progress
from app.types import Heading, ParsedDocument

_LINE_BYTES = 16_000_000
"""Longest line of a child: 5,000 headings of 300 characters, or a piece of text, with every character escaped."""
_OUT_OF_MEMORY = (signal.SIGABRT, signal.SIGKILL)
_OUT_OF_TIME = (signal.SIGXCPU,)


def read_markup(
    module: str,
    path: Path,
    limits: ParseLimits,
    progress: Progress,
    *,
    own_page_characters: int = PAGE_CHARACTERS,
    **more: object,
) -> ParsedDocument:
    """What the child program `module` finds in the file, as pages of at most `PAGE_CHARACTERS`.

    Where the file has page breaks of its own, its pages may be as long as `own_page_characters`. `more` goes to the
    child. Raises `Unreadable`, `Encrypted`, `DocumentTooCostly`, `TooManyPages` or `NoText`.
    """
    task: dict[str, object] = {
        "path": str(path.resolve()),
        "characters": limits.characters,
        "memory_mb": limits.memory_mb,
        "cpu_seconds": int(limits.seconds) + 1,
        **more,
    }
    found = _Found(limits)
    try:
        with closing(run_child(module, task, ChildLimits(limits.seconds, limits.seconds, _LINE_BYTES))) as messages:
            for message in messages:
                found.take(message)
    except ChildTimeout as error:
        raise _too_slow(limits, str(error)) from error
    except ChildBabbled as error:
        raise Unreadable(str(error), reason="its content makes no sense") from error
    except ChildDied as error:
        raise _dead(error, limits) from error
    return found.document(own_page_characters, progress)


def divided_at_headings(text: str, headings: Sequence[int], most: int) -> list[Section]:
    """`text` as sections that begin at form feeds and are at most `most` characters long, only white space left out.

    A longer part is cut in its second half: before a heading (`headings` are their offsets, ascending) where one is
    there, else at the end of a paragraph, of a line, of a word.
    """
    sections: list[Section] = []
    begin = 0
    while begin < len(text):
        end = text.find("\f", begin)
        end = len(text) if end == -1 else end
        cut = end if end - begin <= most else _cut(text, headings, begin, most)
        sections.append(_trimmed(text, begin, cut))
        begin = cut + 1 if cut == end else cut
    return sections or [Section(0, "")]


def _cut(text: str, headings: Sequence[int], begin: int, most: int) -> int:
    middle, end = begin + most // 2, begin + most
    near = bisect_right(headings, end) - 1
    if near >= 0 and headings[near] > middle:
        return headings[near]
    for border in ("\n\n", "\n", " "):
        found = text.rfind(border, middle, end)
        if found != -1:
            return found + 1
    return end


def _trimmed(text: str, begin: int, end: int) -> Section:
    piece = text[begin:end]
    front = len(piece) - len(piece.lstrip("\n"))
    return Section(begin + front, piece[front:].rstrip())


@dataclass(slots=True)
class _Found:
    """What the child has said so far."""

    limits: ParseLimits
    title: str | None = None
    text: list[str] = field(default_factory=list)
    headings: list[tuple[int, str, int]] = field(default_factory=list)
    ended: bool = False

    def take(self, message: dict[str, Any]) -> None:
        """One line of the child; raises the error it reports."""
        if "error" in message:
            raise self._error(str(message["error"]), str(message.get("detail", "")))
        if "title" in message:
            self.title = str(message["title"]) or None
        if "text" in message:
            self.text.append(str(message["text"]))
        if "headings" in message:
            self.headings = [(int(level), str(title), int(offset)) for level, title, offset in message["headings"]]
        self.ended = self.ended or "end" in message

    def _error(self, error: str, detail: str) -> DocumentError:
        if error == "encrypted":
            return Encrypted(detail)
        if error == "too_costly" and detail == "characters":
            limit = f"{self.limits.characters} characters"
            return DocumentTooCostly(detail, limit=limit, setting="MQA_MAX_DOCUMENT_CHARACTERS")
        if error == "too_costly":
            return _too_large(self.limits, detail)
        if error == "nesting":
            return Unreadable(detail, reason="its parts are nested too deeply")
        if error == "not_word":
            return Unreadable(detail, reason="it is not a Word document that can be opened")
        return Unreadable(detail, reason="its content makes no sense")

    def document(self, own_page_characters: int, progress: Progress) -> ParsedDocument:
        if not self.ended:
            raise Unreadable("incomplete", reason="its content makes no sense")
        text = "".join(self.text)
        most = own_page_characters if "\f" in text else PAGE_CHARACTERS
        sections = divided_at_headings(text, [offset for _, _, offset in self.headings], most)
        pages = pages_of(sections, self.limits, progress)
        return ParsedDocument(pages, tuple(self._outline(sections)), self.title)

    def _outline(self, sections: list[Section]) -> Iterator[Heading]:
        starts = [section.start for section in sections]
        for level, title, offset in self.headings:
            page = max(0, bisect_right(starts, offset) - 1)
            yield Heading(level, title, page + 1, min(max(0, offset - starts[page]), len(sections[page].text)))


def _dead(error: ChildDied, limits: ParseLimits) -> DocumentError:
    """What the way in which a child died says about the file."""
    if error.signal in _OUT_OF_TIME:
        return _too_slow(limits, str(error))
    if error.signal in _OUT_OF_MEMORY:
        return _too_large(limits, str(error))
    return Unreadable(str(error), reason="it stops the reader")


def _too_slow(limits: ParseLimits, detail: str) -> DocumentTooCostly:
    return DocumentTooCostly(detail, limit=f"{limits.seconds:.0f} s", setting="MQA_PARSE_SECONDS")


def _too_large(limits: ParseLimits, detail: str) -> DocumentTooCostly:
    return DocumentTooCostly(detail, limit=f"{limits.memory_mb} MB", setting="MQA_PARSE_MEMORY_MB")
