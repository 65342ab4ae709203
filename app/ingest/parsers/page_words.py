"""The words of a page with their places, in the order in which the file shows them, and text made of them again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from app.text.normalise import HYPHEN_BREAK, line_glue

_GAP = 0.6
"""Share of the size of letters beyond which a gap divides words even where the file has no space."""
_JUMP = 1.5
_SLACK = 0.6
"""Share of the size of letters by which marks such as `_` and `'` stand above or below the letters beside them."""


class Glyph(NamedTuple):
    """A character and its box, in points, y upwards; a space may have no box."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float


class Word(NamedTuple):
    """Characters without white space between them; `before` is the white space that precedes the word in the file."""

    text: str
    before: str
    x0: float
    y0: float
    x1: float
    y1: float
    glyph: int
    """Place of the first character among the glyphs of the page."""

    @property
    def middle(self) -> float:
        """Height of its middle."""
        return (self.y0 + self.y1) / 2


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` of cells from the top, all equally long; `words` are the places of its words in the page."""

    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int]


def letter_size(glyphs: Sequence[Glyph]) -> float:
    """About the height of capitals on a page in points, at least 1."""
    heights = sorted(glyph.y1 - glyph.y0 for glyph in glyphs[:4000] if glyph.text.isalnum())
    return max(1.0, heights[len(heights) * 3 // 4]) if heights else 1.0


def words_of(glyphs: Sequence[Glyph], size: float) -> list[Word]:
    """All characters but white space, in words, in order; `size` is that of `letter_size`."""
    words: list[Word] = []
    letters: list[str] = []
    before = ""
    first, left, bottom, right, top = 0, 0.0, 0.0, 0.0, 0.0
    for at, (text, x0, y0, x1, y1) in enumerate(glyphs):
        blank = text.isspace()
        if letters:
            gap = _GAP * max(size, top - bottom)
            apart = (
                x0 - right > gap or x0 < right - _JUMP * gap or y0 > top + _SLACK * size or y1 < bottom - _SLACK * size
            )
            if not blank and not apart:
                letters.append(text)
                bottom, right, top = min(bottom, y0), max(right, x1), max(top, y1)
                continue
            words.append(Word("".join(letters), before, left, bottom, right, top, first))
            letters, before = [], ""
        if blank:
            before += text
        else:
            letters, first, left, bottom, right, top = [text], at, x0, y0, x1, y1
    if letters:
        words.append(Word("".join(letters), before, left, bottom, right, top, first))
    return words


def lines_of(words: Sequence[Word], places: Iterable[int], size: float) -> list[list[int]]:
    """The words at `places` in lines from the top, each from the left."""
    lines: list[list[int]] = []
    height = 0.0
    for place in sorted(places, key=lambda place: -words[place].middle):
        middle = words[place].middle
        if lines and height - middle < _SLACK * size:
            lines[-1].append(place)
        else:
            lines.append([place])
            height = middle
    return [sorted(line, key=lambda place: words[place].x0) for line in lines]


def cell_text(words: Sequence[Word], places: Sequence[int], size: float) -> str:
    """The words at `places`, those of one cell, on one line, in reading order."""
    ordered = sorted(places)
    if any(_goes_back(words[left], words[right], size) for left, right in pairwise(ordered)):
        ordered = [place for line in lines_of(words, places, size) for place in line]
    parts: list[str] = []
    for at, place in enumerate(ordered):
        if at:
            parts.append(_glue(words, ordered[at - 1], place, size))
        parts.append(words[place].text)
    return "".join(parts)


def _goes_back(left: Word, right: Word, size: float) -> bool:
    same_line = abs(left.middle - right.middle) < _SLACK * size
    return right.x0 < left.x0 if same_line else right.middle > left.middle


def _glue(words: Sequence[Word], left: int, right: int, size: float) -> str:
    """What stands between two words of a cell that follow each other."""
    before, after = words[left], words[right]
    if before.text.endswith(HYPHEN_BREAK):
        return ""
    if abs(before.middle - after.middle) > max(size, before.y1 - before.y0) * 0.9 or "\n" in after.before:
        return line_glue(before.text, after.text)
    follows = right == left + 1
    return " " if (after.before if follows else True) or after.x0 - before.x1 > _GAP * size else ""


def text_with_tables(words: Sequence[Word], tables: Sequence[Table], trailing: str = "") -> str:
    """The text of a page: each table, a line a row with tabs between cells, where its first word stands in the file."""
    table_of = {place: table for table in tables for place in table.words}
    told: set[int] = set()
    parts: list[str] = []
    interrupted = False
    for place, word in enumerate(words):
        table = table_of.get(place)
        if table is None:
            parts += ("\r\n" if interrupted else word.before, word.text)
            interrupted = False
        elif id(table) not in told:
            told.add(id(table))
            parts += ("\r\n" if parts else "", "\r\n".join(map(_row_line, table.rows)))
            interrupted = True
    return "".join(parts) + ("" if interrupted else trailing)


def _row_line(cells: Sequence[str]) -> str:
    """A row; one that has text in its first cell alone keeps a tab, so that it is still known as a row."""
    filled = max((at for at, cell in enumerate(cells) if cell), default=0)
    return "\t".join(cells[: max(filled + 1, 2)])
