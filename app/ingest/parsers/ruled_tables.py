"""Tables drawn with lines: rules of a page become a grid, the words inside become its cells."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from app.ingest.parsers.page_words import Table, Word, cell_text, lines_of

_SNAP = 2.5
"""Points by which rules that are meant as one may differ."""
_REACH = 4.0
"""Points by which a rule may end short of one that it meets."""
_SHORTEST = 5.0
_NARROW = 10.0
_MOST_PAIRS = 60_000
_MOST_SQUARES = 20_000
_LONGEST_CELL = 1500
"""Characters; what holds more is a frame around text."""
_FEWEST_FILLED = 0.3


class Rule(NamedTuple):
    """A straight line of a page in points: `at` a height from left to right, or `at` an x from bottom to top."""

    at: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class _Grid:
    """`xs` from the left, `ys` from the top; the rules between are walls."""

    xs: list[float]
    ys: list[float]
    across: list[Rule]
    upright: list[Rule]


def merged_rules(rules: Iterable[Rule]) -> list[Rule]:
    """The rules with those that lie on each other, or continue each other, put together; short rests go."""
    merged: list[Rule] = []
    for group in _near(sorted(rules)):
        at = sum(rule.at for rule in group) / len(group)
        begin, end = float("inf"), float("-inf")
        for rule in sorted(group, key=lambda rule: rule.start):
            if rule.start > end + _REACH:
                if end - begin >= _SHORTEST:
                    merged.append(Rule(at, begin, end))
                begin, end = rule.start, rule.end
            else:
                end = max(end, rule.end)
        if end - begin >= _SHORTEST:
            merged.append(Rule(at, begin, end))
    return merged


def ruled_tables(
    words: Sequence[Word], across: Sequence[Rule], upright: Sequence[Rule], size: float
) -> tuple[list[Table], list[Rule]]:
    """The tables of merged rules, and the horizontal rules that meet no upright one."""
    if len(across) * len(upright) > _MOST_PAIRS:
        return [], []
    parts, lonely = _components(across, upright)
    grids = sorted((_grid(*part) for part in parts), key=lambda grid: _area(grid.xs, grid.ys))
    taken: set[int] = set()
    tables: list[Table] = []
    for grid in grids:
        table = _table(words, taken, grid, size)
        if table:
            taken |= table.words
            tables.append(table)
    return tables, lonely


def may_be_ruled(across: Sequence[Rule], upright: Sequence[Rule]) -> bool:
    """Whether merged rules are enough for two rows and two columns: one rule has to meet two of the others' kind."""
    if len(across) * len(upright) > _MOST_PAIRS:
        return False
    return any(len(flat) + len(tall) >= 4 for flat, tall in _components(across, upright)[0])


def _near(rules: Sequence[Rule]) -> list[list[Rule]]:
    groups: list[list[Rule]] = []
    for rule in rules:
        if groups and rule.at - groups[-1][0].at <= _SNAP:
            groups[-1].append(rule)
        else:
            groups.append([rule])
    return groups


def _components(
    across: Sequence[Rule], upright: Sequence[Rule]
) -> tuple[list[tuple[list[Rule], list[Rule]]], list[Rule]]:
    """Rules that meet, directly or through others, together; then the horizontal ones that meet none."""
    parents = list(range(len(across) + len(upright)))
    met: set[int] = set()
    for i, flat in enumerate(across):
        for j, tall in enumerate(upright, len(across)):
            if (
                tall.start - _REACH <= flat.at <= tall.end + _REACH
                and flat.start - _REACH <= tall.at <= flat.end + _REACH
            ):
                met.update((i, j))
                _unite(parents, i, j)
    groups: dict[int, tuple[list[Rule], list[Rule]]] = defaultdict(lambda: ([], []))
    for place in met:
        flat_or_tall, index = (0, place) if place < len(across) else (1, place - len(across))
        groups[_root(parents, place)][flat_or_tall].append((across, upright)[flat_or_tall][index])
    return list(groups.values()), [flat for i, flat in enumerate(across) if i not in met]


def _root(parents: list[int], place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place


def _unite(parents: list[int], left: int, right: int) -> None:
    parents[_root(parents, left)] = _root(parents, right)


def _grid(across: list[Rule], upright: list[Rule]) -> _Grid:
    """Where rules stand, and where they end on sides that have none (tables open at the left and right)."""
    xs = _places([rule.at for rule in upright], [rule.start for rule in across], [rule.end for rule in across])
    ys = _places([rule.at for rule in across], [rule.start for rule in upright], [rule.end for rule in upright])
    return _Grid(xs, ys[::-1], across, upright)


def _places(at: list[float], starts: list[float], ends: list[float]) -> list[float]:
    found: list[float] = []
    for place in sorted(at):
        if not found or place - found[-1] > _SNAP:
            found.append(place)
    if min(starts) < found[0] - 2 * _SHORTEST:
        found.insert(0, min(starts))
    if max(ends) > found[-1] + 2 * _SHORTEST:
        found.append(max(ends))
    return found


def _area(xs: list[float], ys: list[float]) -> float:
    return (xs[-1] - xs[0]) * (ys[0] - ys[-1])


def _table(words: Sequence[Word], taken: set[int], grid: _Grid, size: float) -> Table | None:
    """What the grid holds, if it is a table: two rows and two columns with text, and no page inside a frame."""
    columns, rows = len(grid.xs) - 1, len(grid.ys) - 1
    if columns < 2 or rows < 2 or columns * rows > _MOST_SQUARES:
        return None
    region = _regions(grid)
    inside = _words_by_region(words, taken, grid, region)
    texts = {home: cell_text(words, places, size) for home, places in inside.items()}
    if not texts or max(map(len, texts.values())) > _LONGEST_CELL:
        return None
    if len(texts) < _FEWEST_FILLED * len(set(region)):
        return None
    cells = [
        [
            "" if region[row * columns + column] != row * columns + column else texts.get(row * columns + column, "")
            for column in range(columns)
        ]
        for row in range(rows)
    ]
    tall = _unruled_rows(words, inside, grid, region, size)
    if tall:
        at, lines = tall
        cells[at : at + 1] = lines
    kept = _columns_with_text(cells, [right - left for left, right in pairwise(grid.xs)])
    if not kept or len(kept[0]) < 2 or sum(sum(map(bool, row)) > 1 for row in kept) < 2:
        return None
    return Table(kept, frozenset(place for places in inside.values() for place in places))


def _columns_with_text(cells: Sequence[Sequence[str]], widths: Sequence[float]) -> tuple[tuple[str, ...], ...]:
    """The rows with text without empty columns; a narrow column, such as the margin that a shaded cell leaves, is one
    with its neighbour where no row has text in both."""
    columns: list[tuple[float, list[str]]] = []
    for width, texts in zip(widths, map(list, zip(*cells, strict=True)), strict=True):
        before = columns[-1] if columns else None
        narrow = before is not None and min(before[0], width) < _NARROW
        if before and narrow and not any(left and right for left, right in zip(before[1], texts, strict=True)):
            merged = [left or right for left, right in zip(before[1], texts, strict=True)]
            columns[-1] = (max(before[0], width), merged)
        else:
            columns.append((width, texts))
    filled = [texts for _, texts in columns if any(texts)]
    return tuple(row for row in zip(*filled, strict=True) if any(row))


def _regions(grid: _Grid) -> list[int]:
    """For each square of the grid, row by row, the first square of the cell that it belongs to."""
    columns, rows = len(grid.xs) - 1, len(grid.ys) - 1
    parents = list(range(columns * rows))
    right_walls = _walls(grid.upright, grid.xs, [(top + low) / 2 for top, low in pairwise(grid.ys)])
    low_walls = _walls(grid.across, grid.ys, [(a + b) / 2 for a, b in pairwise(grid.xs)])
    for square in range(columns * rows):
        row, column = divmod(square, columns)
        if column + 1 < columns and (column + 1, row) not in right_walls:
            _unite(parents, square + 1, square)
        if row + 1 < rows and (row + 1, column) not in low_walls:
            _unite(parents, square + columns, square)
    first: dict[int, int] = {}
    return [first.setdefault(_root(parents, square), square) for square in range(columns * rows)]


def _walls(rules: Sequence[Rule], places: Sequence[float], middles: Sequence[float]) -> set[tuple[int, int]]:
    """(place, middle) for each of `places` that a rule stands at while it passes one of `middles`."""
    return {
        (place, middle)
        for rule in rules
        for place, at in enumerate(places)
        if abs(at - rule.at) <= _SNAP
        for middle, passed in enumerate(middles)
        if rule.start <= passed <= rule.end
    }


def _words_by_region(
    words: Sequence[Word], taken: set[int], grid: _Grid, region: Sequence[int]
) -> dict[int, list[int]]:
    """The words inside the grid by the first square of their cell; a word belongs where its middle is."""
    columns = len(grid.xs) - 1
    heights = [-y for y in grid.ys]
    inside: dict[int, list[int]] = defaultdict(list)
    for place, word in enumerate(words):
        if place in taken or not heights[0] <= -word.middle < heights[-1]:
            continue
        x = (word.x0 + word.x1) / 2
        if grid.xs[0] <= x < grid.xs[-1]:
            column = bisect_right(grid.xs, x) - 1
            row = bisect_right(heights, -word.middle) - 1
            inside[region[row * columns + column]].append(place)
    return inside


def _unruled_rows(
    words: Sequence[Word], inside: dict[int, list[int]], grid: _Grid, region: Sequence[int], size: float
) -> tuple[int, list[list[str]]] | None:
    """The one row of the grid that holds many rows with no rules between them, and these rows.

    So it is where the table has no more than a head beside it, and nearly each of three or more lines has text in
    every column that does not fill the column.
    """
    columns, rows = len(grid.xs) - 1, len(grid.ys) - 1
    filled = {home // columns for home in inside}
    if len(filled) > 2:
        return None
    for row in sorted(filled):
        squares = range(row * columns, (row + 1) * columns)
        if any(region[square] != square for square in squares) or (
            row + 1 < rows and any(region[square + columns] == region[square] for square in squares)
        ):
            continue
        column_of = {place: square - row * columns for square in squares for place in inside.get(square, ())}
        used = len(set(column_of.values()))
        lines = lines_of(words, column_of, size)
        by_line = [
            {column: [place for place in line if column_of[place] == column] for column in range(columns)}
            for line in lines
        ]
        full = sum(sum(map(bool, line.values())) == used for line in by_line)
        if len(lines) >= 3 and used >= 2 and full >= 0.7 * len(lines) and not _wrapped(words, by_line, grid):
            return row, [[cell_text(words, line[column], size) for column in range(columns)] for line in by_line]
    return None


def _wrapped(words: Sequence[Word], lines: Sequence[dict[int, list[int]]], grid: _Grid) -> bool:
    """Whether lines fill a column, as those of a paragraph do."""
    full = 0
    for line in lines:
        for column, places in line.items():
            room = grid.xs[column + 1] - grid.xs[column]
            full += bool(places) and max(words[place].x1 for place in places) > grid.xs[column] + 0.8 * room
    return full >= max(2, 0.3 * len(lines))
