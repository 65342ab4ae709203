"""The numbers that Word shows before list items and headings, counted as Word counts them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.ingest.parsers.docx_package import Element, child, is_on, local, value
from app.ingest.parsers.docx_styles import whole
from app.ingest.parsers.numerals import numeral

_LEVELS: Final = 9
_PLACE: Final = re.compile(r"%([1-9])")
_BULLET: Final = "•"
_LONGEST: Final = 40
_MOST_STARTS: Final = 30_000


@dataclass(frozen=True, slots=True)
class _Level:
    style: str
    text: str
    start: int
    plain: bool
    paragraph_style: str | None


class Numbering:
    """The lists of a document and how far each has been counted."""

    def __init__(self, root: Element | None) -> None:
        self._shapes: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, tuple[str, dict[int, int]]] = {}
        self._counts: dict[str, list[int | None]] = {}
        self._restarted: set[tuple[str, int]] = set()
        for element in root if root is not None else ():
            if local(element) == "abstractNum":
                levels = (inner for inner in element if local(inner) == "lvl")
                shape = {whole(value(level, "ilvl"), 8) or 0: _level(level) for level in levels}
                self._shapes[value(element, "abstractNumId") or ""] = shape
            elif local(element) == "num":
                shape_id = value(child(element, "abstractNumId")) or ""
                self._lists[value(element, "numId") or ""] = (shape_id, _starts(element))

    def level_of_style(self, number: str, style_id: str) -> int:
        """The level of a list that belongs to a paragraph style; 0 where none does."""
        shape = self._shapes.get(self._lists.get(number, ("", {}))[0], {})
        return next((at for at, level in shape.items() if level.paragraph_style == style_id), 0)

    def next_mark(self, number: str | None, at: int) -> str:
        """Counts one paragraph of a list at a level from 0, and gives what stands before it ("" for none)."""
        if number is None or number not in self._lists:
            return ""
        shape_id, starts = self._lists[number]
        shape = self._shapes.get(shape_id, {})
        level = shape.get(at)
        if level is None:
            return ""
        counts = self._counts.setdefault(shape_id, [None] * _LEVELS)
        if at in starts and (number, at) not in self._restarted:
            self._restarted.add((number, at))
            counts[at] = None
        before = counts[at]
        counts[at] = starts.get(at, level.start) if before is None else before + 1
        counts[at + 1 :] = [None] * (_LEVELS - at - 1)
        return _mark(shape, counts, level)


def _mark(shape: dict[int, _Level], counts: list[int | None], level: _Level) -> str:
    if level.style == "none" and "%" not in level.text:
        return level.text.strip()[:_LONGEST]
    if level.style == "bullet":
        return level.text if len(level.text) == 1 and level.text in "-–—*□■◆◇▪▶►✓※·" else _BULLET

    def counted(match: re.Match[str]) -> str:
        at = int(match[1]) - 1
        of = shape.get(at)
        if of is None:
            return ""
        here = counts[at]
        return numeral(of.start if here is None else here, "decimal" if level.plain else of.style)

    return _PLACE.sub(counted, level.text).strip()[:_LONGEST]


def _level(element: Element) -> _Level:
    start = whole(value(child(element, "start")), _MOST_STARTS)
    return _Level(
        style=value(child(element, "numFmt")) or "decimal",
        text=(value(child(element, "lvlText")) or "")[:_LONGEST],
        start=1 if start is None else start,
        plain=is_on(child(element, "isLgl")),
        paragraph_style=value(child(element, "pStyle")),
    )


def _starts(element: Element) -> dict[int, int]:
    """Levels at which this list begins to count anew, and with what."""
    starts = {}
    for inner in element:
        start = whole(value(child(inner, "startOverride")), _MOST_STARTS)
        if local(inner) == "lvlOverride" and start is not None:
            starts[whole(value(inner, "ilvl"), 8) or 0] = start
    return starts
