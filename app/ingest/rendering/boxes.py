"""Boxes around a quote on a page, one a line, from the places of characters or of lines read by OCR."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from app.text.quoting import Letters, letters_of, places_of

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in fractions of the page, origin top left."""

_SAME_LINE = 0.5
"""Share of the lower height by which two characters of a line overlap."""

_JUMP = 3.0
"""Heights of a line by which the next character may stand away and still be in the same box."""

_PADDING = 0.15
_UPRIGHT = 1.5
"""A line read by OCR that is so much higher than wide is written downwards."""

_TRAILING = 3


class Glyph(NamedTuple):
    """A character and where it is on the page."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


class PageLayout:
    """Characters of a page with their places, in which quotes are looked for."""

    def __init__(self, glyphs: Sequence[Glyph]) -> None:
        self._glyphs = glyphs
        self._letters: Letters = letters_of(glyph.text for glyph in glyphs)

    def boxes(self, quote: str, near: int | None = None) -> list[Box]:
        """One box for each line of the quote, in reading order; none where the page does not have it.

        `near` is the number of letters and digits before the quote, to tell it from others that say the same.
        """
        spans = places_of(letters_of(quote).text, self._letters.text, near)
        return [box for start, end in _joined(spans) for box in line_boxes(self._between(start, end, quote))]

    def _between(self, start: int, end: int, quote: str) -> list[Glyph]:
        """The characters of a span of letters, and the marks that close the quote after it."""
        sources = self._letters.sources
        first, last = sources[start], sources[end - 1] + 1
        closing = 0 if not quote or quote[-1].isalnum() else _TRAILING
        while closing and last < len(self._glyphs) and not self._glyphs[last].text.isalnum():
            last, closing = last + 1, closing - 1
        return list(self._glyphs[first:last])


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that follow each other as one."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def line_boxes(glyphs: Sequence[Glyph]) -> list[Box]:
    """Boxes of the lines that these characters, which follow each other, stand on; a little wider than the ink."""
    downwards = _run_downwards(glyphs)
    lines: list[Box] = []
    for _, *edges in glyphs:
        left, top, right, bottom = _turned((edges[0], edges[1], edges[2], edges[3]), downwards=downwards)
        if lines and _goes_on(lines[-1], (left, top, right, bottom)):
            last = lines[-1]
            lines[-1] = min(last[0], left), min(last[1], top), max(last[2], right), max(last[3], bottom)
        else:
            lines.append((left, top, right, bottom))
    return [_turned(_padded(line), downwards=downwards) for line in lines]


def _run_downwards(glyphs: Sequence[Glyph]) -> bool:
    """Whether the text is written from top to bottom, or the page lies on its side."""
    steps = [
        abs(after.top + after.bottom - before.top - before.bottom)
        > abs(after.left + after.right - before.left - before.right)
        for before, after in pairwise(glyphs)
    ]
    return sum(steps) > len(steps) / 2


def _turned(box: Box, *, downwards: bool) -> Box:
    left, top, right, bottom = box
    return (top, left, bottom, right) if downwards else box


def _goes_on(line: Box, box: Box) -> bool:
    """Whether a character stands on the line, near what is there; a mark may be much lower than a letter."""
    overlap = min(line[3], box[3]) - max(line[1], box[1])
    height = max(line[3] - line[1], 1e-4)
    near = max(box[0] - line[2], line[0] - box[2]) <= _JUMP * height
    beside = min(line[3] - line[1], box[3] - box[1])
    middle = (box[1] + box[3]) / 2
    return near and (overlap >= _SAME_LINE * beside or line[1] - height / 2 <= middle <= line[3] + height / 4)


def _padded(box: Box) -> Box:
    left, top, right, bottom = box
    more = _PADDING * (bottom - top)
    return (
        round(max(0.0, left - more / 2), 5),
        round(max(0.0, top - more), 5),
        round(min(1.0, right + more / 2), 5),
        round(min(1.0, bottom + more), 5),
    )


def glyphs_of_lines(lines: Iterable[tuple[str, float, float, float, float]]) -> list[Glyph]:
    """Characters of lines read by OCR, as if those of a line were set evenly: a Chinese one counts for two."""
    found: list[Glyph] = []
    for text, left, top, right, bottom in lines:
        downwards = bottom - top > _UPRIGHT * (right - left) and len(text) > 1
        start, end = (top, bottom) if downwards else (left, right)
        unit = (end - start) / max(1, sum(map(_units, text)))
        at = start
        for character in text:
            following = at + unit * _units(character)
            if not character.isspace():
                box = (left, at, right, following) if downwards else (at, top, following, bottom)
                found.append(Glyph(character, *box))
            at = following
    return found


def _units(character: str) -> int:
    return 1 if ord(character) < 0x1100 else 2
