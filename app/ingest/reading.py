"""Reading a document: window by window as the pipeline does, or a whole file at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.errors import NeedsOcr, NoText
from app.ports import ParseLimits, Parser, Part, Progress
from app.types import ParsedDocument


class WholeParser(Protocol):
    """A parser of a format that has no pages of its own: it gives the finished document in one call."""

    def parse(self, path: Path, limits: ParseLimits, progress: Progress) -> ParsedDocument: ...


@dataclass(frozen=True, slots=True)
class Whole:
    """Port `Parser` over a `WholeParser`: one window holds everything."""

    parser: WholeParser

    def read(self, path: Path, limits: ParseLimits, first: int, progress: Progress) -> Part:
        parsed = self.parser.parse(path, limits, progress)
        return Part(
            pages=parsed.pages[first - 1 :],
            pages_total=len(parsed.pages),
            outline=parsed.outline,
            title=parsed.title,
            parser=parsed.parser,
        )


def parse_whole(parser: Parser, path: Path, limits: ParseLimits, progress: Progress) -> ParsedDocument:
    """All pages of a file; raises what `Parser.read` does, and `NeedsOcr` or `NoText` where none has text."""
    part = first = parser.read(path, limits, 1, progress)
    pages = list(part.pages)
    scanned = bool(part.scanned)
    while len(pages) < part.pages_total:
        part = parser.read(path, limits, len(pages) + 1, progress)
        pages += part.pages
        scanned = scanned or bool(part.scanned)
    require_text((page.text for page in pages), scanned=scanned)
    return ParsedDocument(tuple(pages), first.outline, first.title, first.parser)


def require_text(texts: Iterable[str], *, scanned: bool) -> None:
    """Raises `NeedsOcr` (where there are page images) or `NoText` where no text has a letter or a digit."""
    if not any(map(has_text, texts)):
        raise NeedsOcr if scanned else NoText


def has_text(text: str) -> bool:
    """Whether there is anything that could be asked for."""
    return any(map(str.isalnum, text))
