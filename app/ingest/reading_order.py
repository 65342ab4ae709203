"""Pieces of text found on the image of a page, put together as people read them: columns, rows, paragraphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from app.text.normalise import HYPHEN_BREAK

_STEPS = 100
"""Places over the width of a block at which a gutter between two columns is looked for."""

_COLUMNS_DEEP = 3
_MOST_CROSSING = 0.25
_LEAST_ROWS = 3
_COLUMN_CHARACTERS = 16
_COLUMN_FILLED = 0.6
_WIDE_GAP = 1.2
_NARROW_GAP = 0.25
_PARAGRAPH = 1.45
_LEVEL_WIDTH = 5
_FOLD = 0.06
"""Share of the width at the middle of a spread where the fold between its two pages may lie."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Piece:
    """Text in a box (left, top, right, bottom) of one unit for both directions; `rise` is how far it falls per unit."""

    text: str
    box: Box
    confidence: float
    rise: float = 0.0

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def middle(self) -> float:
        return (self.box[1] + self.box[3]) / 2


Row = list[Piece]


def in_reading_order(pieces: Sequence[Piece], spread_width: float | None = None) -> tuple[str, list[Row]]:
    """The text of a page and its rows; `spread_width` is the width of an image that may show two pages.

    One line a row, a blank line between paragraphs, a tab between cells of a table's row; a word broken at the end of a
    row carries `HYPHEN_BREAK`, as text read by pdfium does.
    """
    slope = _slope(pieces)
    fold = _fold(pieces, spread_width) if spread_width else None
    blocks = [_rows(block, slope) for block in _blocks(list(pieces), slope, _COLUMNS_DEEP, fold)]
    texts = [_text_of(rows, slope) for rows in blocks]
    return "\n\n".join(texts), [row for rows in blocks for row in rows]


def text_of_row(row: Row) -> str:
    """The pieces of a row side by side; a wide gap is a tab."""
    parts = [row[0].text]
    for left, right in pairwise(row):
        gap, height = right.box[0] - left.box[2], min(left.height, right.height)
        between = "\t" if gap > _WIDE_GAP * height else " "
        if gap < _NARROW_GAP * height and not (left.text[-1:] + right.text[:1]).isascii():
            between = ""
        parts += [between, right.text]
    return "".join(parts)


def _slope(pieces: Iterable[Piece]) -> float:
    """How far lines fall for each unit to the right: a sheet lies a little askew on the scanner."""
    rises = [piece.rise for piece in pieces if piece.width > _LEVEL_WIDTH * piece.height]
    return median(rises) if rises else 0.0


def _level(piece: Piece, slope: float) -> float:
    """The height of a piece's middle on the straightened page."""
    return piece.middle - slope * (piece.box[0] + piece.box[2]) / 2


# --- columns ----------------------------------------------------------------------------------------------------------


def _blocks(pieces: list[Piece], slope: float, depth: int, fold: float | None = None) -> list[list[Piece]]:
    """Pieces that are read one after the other from top to bottom: a page of one column is one block.

    Where two columns stand side by side, what crosses the gutter between them (a title, a wide picture's caption)
    parts the page into bands, and in each band the left column comes before the right one.
    """
    gutter = fold or (_gutter(pieces) if depth else None)
    if gutter is None:
        return [pieces] if pieces else []
    found: list[list[Piece]] = []
    left: list[Piece] = []
    right: list[Piece] = []
    crossing: list[Piece] = []

    def close() -> None:
        for side in (left, right):
            found.extend(_blocks(list(side), slope, depth - 1))
            side.clear()

    for piece in sorted(pieces, key=lambda piece: _level(piece, slope)):
        if piece.box[0] < gutter < piece.box[2]:
            if left or right:
                close()
            crossing.append(piece)
            continue
        if crossing:
            found.append(crossing)
            crossing = []
        (left if piece.box[2] <= gutter else right).append(piece)
    close()
    return [*found, crossing] if crossing else found


def _fold(pieces: Sequence[Piece], width: float) -> float | None:
    """The fold of two pages side by side: near the middle, crossed by nothing, with lines on both sides."""
    places = [width * (0.5 + _FOLD * step / 10) for step in sorted(range(-10, 11), key=abs)]
    for place in places:
        left = [piece for piece in pieces if piece.box[2] <= place]
        right = [piece for piece in pieces if piece.box[0] >= place]
        if len(left) + len(right) == len(pieces) and min(map(_prose, (left, right))) >= _LEAST_ROWS:
            return place
    return None


def _prose(pieces: Iterable[Piece]) -> int:
    """How many pieces are as long as lines of prose."""
    return sum(_length(piece.text) >= _COLUMN_CHARACTERS for piece in pieces)


def _length(text: str) -> int:
    """Characters of `text`; those of Chinese say twice as much."""
    return len(text) + sum(not letter.isascii() for letter in text)


def _gutter(pieces: list[Piece]) -> float | None:
    """Where the best gutter between two columns of prose lies; None where the page has one column or a table."""
    if len(pieces) < 2 * _LEAST_ROWS:
        return None
    start = min(piece.box[0] for piece in pieces)
    width = max(piece.box[2] for piece in pieces) - start
    places = [start + width * step / _STEPS for step in range(_STEPS // 5, _STEPS - _STEPS // 5)]
    crossed = [(sum(piece.box[0] < place < piece.box[2] for piece in pieces), place) for place in places]
    fewest = min(count for count, _ in crossed)
    if fewest > _MOST_CROSSING * len(pieces):
        return None
    best = [place for count, place in crossed if count == fewest]
    place = best[len(best) // 2]
    left = [piece for piece in pieces if piece.box[2] <= place]
    right = [piece for piece in pieces if piece.box[0] >= place]
    return place if _is_column(left) and _is_column(right) and _side_by_side(left, right) else None


def _is_column(pieces: list[Piece]) -> bool:
    """Whether these are lines of prose; the cells of a table are shorter and leave most of their column empty."""
    if len(pieces) < _LEAST_ROWS:
        return False
    width = max(piece.box[2] for piece in pieces) - min(piece.box[0] for piece in pieces)
    characters = median(_length(piece.text) for piece in pieces)
    return characters >= _COLUMN_CHARACTERS and median(piece.width for piece in pieces) >= _COLUMN_FILLED * width


def _side_by_side(left: list[Piece], right: list[Piece]) -> bool:
    top = max(min(piece.box[1] for piece in side) for side in (left, right))
    bottom = min(max(piece.box[3] for piece in side) for side in (left, right))
    shorter = min(max(p.box[3] for p in side) - min(p.box[1] for p in side) for side in (left, right))
    return bottom - top > shorter / 2


# --- rows and paragraphs ----------------------------------------------------------------------------------------------


def _rows(pieces: list[Piece], slope: float) -> list[Row]:
    """Pieces on one line together, from left to right; rows from top to bottom."""
    rows: list[Row] = []
    for piece in sorted(pieces, key=lambda piece: _level(piece, slope)):
        if rows and _on_one_line(rows[-1], piece, slope):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [sorted(row, key=lambda piece: piece.box[0]) for row in rows]


def _on_one_line(row: Row, piece: Piece, slope: float) -> bool:
    away = abs(_level(piece, slope) - median(_level(other, slope) for other in row))
    overlaps = any(min(p.box[2], piece.box[2]) - max(p.box[0], piece.box[0]) > piece.height / 2 for p in row)
    return away < min(piece.height, *(other.height for other in row)) / 2 and not overlaps


def _text_of(rows: list[Row], slope: float) -> str:
    levels = [median(_level(piece, slope) for piece in row) for row in rows]
    steps = [lower - upper for upper, lower in pairwise(levels)]
    usual = median(steps) if steps else 0.0
    parts = [text_of_row(rows[0])]
    for row, step in zip(rows[1:], steps, strict=True):
        text = text_of_row(row)
        if step > _PARAGRAPH * usual:
            parts.append("\n\n")
        elif _is_broken(parts[-1], text):
            parts[-1] = parts[-1][:-1]
            parts.append(HYPHEN_BREAK)
        else:
            parts.append("\n")
        parts.append(text)
    return "".join(parts)


def _is_broken(line: str, following: str) -> bool:
    """Whether a word goes on from the end of a line to the next."""
    return line[-1:] == "-" and line[-2:-1].isalpha() and following[:1].isalpha()
