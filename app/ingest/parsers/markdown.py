"""Markdown: kept as the text it is, never rendered; its headings become the outline."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from app.ingest.parsers.text import Section, divided, pages_of, read_text
from app.ports import ParseLimits, Progress
from app.text.normalise import clean_line
from app.types import Heading, ParsedDocument

_MOST_HEADINGS = 5000
_TITLE_CHARACTERS = 300
_FRONT_MATTER = re.compile(r"\A\s*(---|\+\+\+)[ \t]*\n(?:.*\n){0,200}?\1[ \t]*(?:\n|\Z)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*\S)")
_ATX_END = re.compile(r"[ \t]+#+$")
_SETEXT = re.compile(r" {0,3}(=+|-+)$")
_NOT_A_TITLE = re.compile(r" {0,3}(?:[-*+>|#]|\d+[.)])[ \t]| {4}|\t|\|")
_LINK = re.compile(r"!?\[([^\[\]]{0,300})\]\([^()\s]{0,500}\)")
_MARKS = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")


class MarkdownParser:
    """Text with an outline from its headings; pages as for plain text, divided before a heading where one is near."""

    def parse(self, path: Path, limits: ParseLimits, progress: Progress) -> ParsedDocument:
        text = read_text(path, limits)
        matter = _FRONT_MATTER.match(text)
        text = text[matter.end() :] if matter else text
        sections = divided(text)
        pages = pages_of(sections, limits, progress)
        outline = tuple(_placed(headings(text), sections))
        title = next((heading.title for heading in outline if heading.level == 1), None)
        return ParsedDocument(pages, outline, title, "markdown")


def headings(text: str) -> Iterator[tuple[int, str, int]]:
    """(level, title, offset of the heading's line) of each heading outside code fences, in order."""
    fence = ""
    offset = 0
    before = ""
    for line in re.split("[\n\f]", text):
        opened = _FENCE.match(line)
        if opened and (not fence or _closes(opened[1], fence, line)):
            fence = "" if fence else opened[1]
            before = ""
        elif not fence:
            if found := _heading(line, before):
                level, title = found
                yield level, title, offset if _ATX.match(line) else offset - len(before) - 1
                before = ""
            else:
                before = line
        offset += len(line) + 1


def _closes(mark: str, fence: str, line: str) -> bool:
    return mark[0] == fence[0] and len(mark) >= len(fence) and not line.strip().strip(mark[0])


def _heading(line: str, before: str) -> tuple[int, str] | None:
    if atx := _ATX.match(line):
        title = _plain(_ATX_END.sub("", atx[2]))
        return (len(atx[1]), title) if title.strip("# ") else None
    if before.strip() and not _NOT_A_TITLE.match(before) and (rule := _SETEXT.fullmatch(line.rstrip())):
        return (1 if rule[1][0] == "=" else 2), _plain(before)
    return None


def _plain(title: str) -> str:
    """A heading's words without its marks and link targets."""
    return clean_line(_MARKS.sub("", _LINK.sub(r"\1", title)), _TITLE_CHARACTERS)


def _placed(found: Iterator[tuple[int, str, int]], sections: list[Section]) -> Iterator[Heading]:
    starts = [section.start for section in sections]
    for number, (level, title, offset) in enumerate(found):
        if number == _MOST_HEADINGS:
            return
        page = max(0, bisect_right(starts, offset) - 1)
        if title:
            yield Heading(level, title, page + 1, max(0, offset - starts[page]))
