"""Tables without upright lines: columns are what stable gaps divide, between horizontal rules or without any."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from app.ingest.parsers.column_gaps import Gap, Line, common_gaps, free_stretches, gaps_of, intersection
from app.ingest.parsers.page_words import Table, Word, cell_text, lines_of
from app.ingest.parsers.ruled_tables import Rule

_SAME_ENDS = 4.0
"""Points by which the rules of one table may differ at their ends."""
_SHORTEST_RULE = 60.0
_MOST_RULES = 200
_RULED_GAP, _BARE_GAP = 0.75, 1.4
"""Least width of the gap between columns, in letter sizes: rules are evidence too."""
_LINE_PITCH = 3.2
"""Letter sizes between the lines of a table at most, where no rule holds it together."""
_CELL_PITCH = 1.8
"""How much further than elsewhere in the table lines of one cell may stand from each other."""
_CUT_GAP = 6.0
"""Points between two words of a line that are enough to part them where other lines have a gap."""
_TALLEST_BARE = 300.0
"""Points between two rules that have none between them, at most; further apart they are those of page head and foot."""
_LONG_CELL = 24
_LONGEST_CELL = 300
_ALIGNED = 0.8
_MARKER = re.compile(r"\W*|[-–—•●▪■◦○*·➢✓]|\(?[0-9a-zA-Z]{1,3}[.)、）:：]|[\d.]+\.?|[①-⑳]|第.{1,4}[章节步条]")
_PAGE_NUMBER = re.compile(r"[\divxlc]{1,5}")
_LEADERS = re.compile(r"[.·…](?: ?[.·…]){2,}")


@dataclass(frozen=True, slots=True)
class _Row:
    """The words of a line by column."""

    cells: tuple[tuple[int, ...], ...]

    @property
    def filled(self) -> int:
        return sum(map(bool, self.cells))


def tables_between_rules(words: Sequence[Word], rules: Sequence[Rule], taken: set[int], size: float) -> list[Table]:
    """Tables between horizontal rules of the same width that meet no upright ones; `taken` words are left out."""
    tables: list[Table] = []
    gone = set(taken)
    for group in _groups(rules):
        for found in _tables_of_group(words, group, gone, size):
            tables.append(found)
            gone |= found.words
    return tables


def borderless_tables(
    words: Sequence[Word], taken: set[int], size: float, is_code: Callable[[Word], bool]
) -> list[Table]:
    """Three or more lines of short texts that the same gaps divide, and that are neither lists, contents nor code.

    After lines that are no table the search goes on in their middle: linear, all in all, on pages made to be slow.
    """
    lines = lines_of(words, (place for place in range(len(words)) if place not in taken), size)
    tables: list[Table] = []
    at = 0
    while at < len(lines):
        end, gaps = _aligned_lines(words, lines, at, size)
        rows = [_row(words, line, gaps) for line in lines[at:end]]
        if gaps and _is_bare_table(words, rows, size) and not is_code(words[lines[at + 1][0]]):
            tables.append(_table(words, _merged(rows), size))
            at = end
        else:
            at += max(1, (end - at) // 2)
    return tables


def may_stand_between(rules: Sequence[Rule]) -> bool:
    """Whether merged horizontal rules could be the top, the middle and the foot of a table."""
    return any(len(group) > 1 for group in _groups(rules))


# --- between rules ----------------------------------------------------------------------------------------------------


def _groups(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Rules with the same ends, each group from the top; at least two."""
    groups: list[list[Rule]] = []
    for rule in sorted(rules, key=lambda rule: -rule.at)[:_MOST_RULES]:
        if rule.end - rule.start < _SHORTEST_RULE:
            continue
        for group in groups:
            if abs(group[0].start - rule.start) <= _SAME_ENDS and abs(group[0].end - rule.end) <= _SAME_ENDS:
                group.append(rule)
                break
        else:
            groups.append([rule])
    return [
        group for group in groups if len(group) > 2 or (len(group) == 2 and group[0].at - group[1].at <= _TALLEST_BARE)
    ]


def _tables_of_group(words: Sequence[Word], group: Sequence[Rule], taken: set[int], size: float) -> list[Table]:
    """The tables from the first to the last rule of a group: bands between rules that the same gaps divide."""
    bands = _bands(words, group, taken, size)
    tables: list[Table] = []
    at = 0
    while at < len(bands):
        end, gaps = at, list[Gap]()
        while end < len(bands):
            common = common_gaps(words, lines := list(chain(*bands[at : end + 1])), _RULED_GAP * size, len(lines) // 8)
            fewer = len(common) < 0.5 * len(gaps) or not common
            if fewer or not _is_divided(words, bands[end], common):
                break
            end, gaps = end + 1, common
        table = _between(words, bands[at:end], gaps, size) if gaps else None
        if table:
            tables.append(table)
        at = end if table else at + max(1, (end - at) // 2)
    return tables


def _bands(words: Sequence[Word], group: Sequence[Rule], taken: set[int], size: float) -> list[list[Line]]:
    """The lines between each two rules."""
    bands: list[list[int]] = [[] for _ in group[1:]]
    heights = [-rule.at for rule in group]
    left, right = group[0].start - _SAME_ENDS, group[0].end + _SAME_ENDS
    for place, word in enumerate(words):
        if place not in taken and left <= (word.x0 + word.x1) / 2 <= right:
            band = bisect_right(heights, -word.middle) - 1
            if 0 <= band < len(bands):
                bands[band].append(place)
    return [lines_of(words, band, size) for band in bands if band]


def _is_divided(words: Sequence[Word], band: Sequence[Line], gaps: Sequence[Gap]) -> bool:
    if any(_has_leaders(words, line) for line in band):
        return False
    return sum(_row(words, line, gaps).filled > 1 for line in band) >= 0.5 * len(band)


def _between(words: Sequence[Word], bands: Sequence[list[Line]], gaps: Sequence[Gap], size: float) -> Table | None:
    cut = [[_row(words, line, gaps) for line in band] for band in bands]
    rows = _rows_of_bands(words, cut)
    if sum(row.filled > 1 for row in rows) < max(2, 0.5 * len(rows)) or (len(bands) < 2 and len(rows) < 3):
        return None
    lines = [row for band in cut for row in band]
    return None if _is_list(words, lines) or _reads_as_prose(words, lines) else _table(words, rows, size)


def _rows_of_bands(words: Sequence[Word], bands: Sequence[list[_Row]]) -> list[_Row]:
    """A row for each band where rules stand between rows; elsewhere a line that begins in the first column begins a
    row, and the first band is the head."""
    lines = sum(map(len, bands))
    later = [line.filled >= band[0].filled for band in bands for line in band[1:]]
    if len(bands) >= 3 and (lines <= 2.5 * len(bands) or (lines <= 6 * len(bands) and sum(later) <= 0.3 * len(later))):
        pitches = [_pitch(words, *pair) for band in bands for pair in pairwise(band)]
        most = _CELL_PITCH * min(pitches, default=0.0)
        return [_together(part) for band in bands for part in _close(words, band, most)]
    if len(bands) >= 2 and 1 < len(bands[0]) <= 3 < len(bands[1]):
        return [_together(bands[0]), *(row for band in bands[1:] for row in _merged(band))]
    return [row for band in bands for row in _merged(band)]


def _close(words: Sequence[Word], band: Sequence[_Row], most: float) -> list[list[_Row]]:
    """The lines of a band, parted where they stand too far from each other for lines of one cell."""
    parts = [[band[0]]]
    for above, row in pairwise(band):
        if _pitch(words, above, row) > most:
            parts.append([row])
        else:
            parts[-1].append(row)
    return parts


def _pitch(words: Sequence[Word], above: _Row, below: _Row) -> float:
    return words[_first(above)].middle - words[_first(below)].middle


def _first(row: _Row) -> int:
    return next(place for cell in row.cells for place in cell)


# --- without rules ----------------------------------------------------------------------------------------------------


def _aligned_lines(words: Sequence[Word], lines: Sequence[Line], at: int, size: float) -> tuple[int, list[Gap]]:
    """Where the lines from `at` on end that the same gaps divide, and these gaps; none for fewer than three lines."""
    gaps = [] if _has_leaders(words, lines[at]) else gaps_of(words, lines[at], _BARE_GAP * size)
    end = at + 1
    while gaps and end < len(lines):
        line = lines[end]
        far = words[lines[end - 1][0]].middle - words[line[0]].middle > _LINE_PITCH * size
        if far or _has_leaders(words, line):
            break
        own = gaps_of(words, line, _BARE_GAP * size)
        left = min(words[place].x0 for place in line)
        if not own and left < gaps[0][1] - size:
            break
        common = intersection(gaps, free_stretches(words, line), _BARE_GAP * size)
        if len(common) < len(gaps) and end - at >= 3:
            break
        if not common:
            break
        gaps = common
        end += 1
    return (end, gaps) if end - at >= 3 else (end, [])


def _is_bare_table(words: Sequence[Word], rows: Sequence[_Row], size: float) -> bool:
    columns = len(rows[0].cells)
    whole = [row for row in rows if row.filled > 1]
    if any(row.filled < columns or not _is_level(words, row) for row in rows):
        return False  # cells of several lines: without rules nothing tells which rows they belong to
    if _is_list(words, whole) or _is_contents(words, whole) or _reads_as_prose(words, rows):
        return False
    if columns == 2 and sum(_length(words, row.cells[0]) > _LONG_CELL for row in whole) > 0.5 * len(whole):
        return False
    return all(_is_aligned(words, whole, column, size) for column in range(columns))


def _is_level(words: Sequence[Word], row: _Row) -> bool:
    """Whether the words of a line stand beside each other, and none half a line higher."""
    line = [words[place] for cell in row.cells for place in cell]
    tallest = max(line, key=lambda word: word.y1 - word.y0)
    return all(min(word.y1, tallest.y1) - max(word.y0, tallest.y0) >= 0.5 * (word.y1 - word.y0) for word in line)


def _is_list(words: Sequence[Word], rows: Sequence[_Row]) -> bool:
    """Whether there is nothing but markers in the first column beside one other."""
    first = [_text(words, row.cells[0]) for row in rows if row.cells[0]]
    return len(rows[0].cells) == 2 and sum(bool(_MARKER.fullmatch(text)) for text in first) >= 0.5 * len(first)


def _is_contents(words: Sequence[Word], rows: Sequence[_Row]) -> bool:
    """Whether the last column holds page numbers that never fall."""
    last = [_text(words, row.cells[-1]) for row in rows if row.cells[-1]]
    numbers = [int(text) for text in last if text.isdecimal()]
    if sum(bool(_PAGE_NUMBER.fullmatch(text)) for text in last) < 0.8 * len(last):
        return False
    return len(rows[0].cells) <= 3 and all(left <= right for left, right in pairwise(numbers))


def _has_leaders(words: Sequence[Word], line: Line) -> bool:
    """Whether dots lead from one end of a line to the other, as in a table of contents."""
    dotted = [words[place].text for place in line if not words[place].text.strip(".·…")]
    return len(dotted) >= 4 or bool(_LEADERS.search(_text(words, line)))


def _is_aligned(words: Sequence[Word], rows: Sequence[_Row], column: int, size: float) -> bool:
    """Whether the texts of a column begin, end or are centred at the same place."""
    spans = [
        (min(words[place].x0 for place in row.cells[column]), max(words[place].x1 for place in row.cells[column]))
        for row in rows
        if row.cells[column]
    ]
    sides = ([x0 for x0, _ in spans], [x1 for _, x1 in spans], [(x0 + x1) / 2 for x0, x1 in spans])
    return len(spans) >= 2 and any(
        sum(abs(x - sorted(side)[len(side) // 2]) <= 0.4 * size for x in side) >= _ALIGNED * len(side) for side in sides
    )


# --- columns ----------------------------------------------------------------------------------------------------------


def _reads_as_prose(words: Sequence[Word], rows: Sequence[_Row]) -> bool:
    """Whether two columns or more hold long lines, as columns of a newspaper do, or a cell is a page of its own."""
    long_columns = 0
    for column in zip(*(row.cells for row in rows), strict=True):
        lengths = sorted(_length(words, cell) for cell in column if cell)
        long_columns += bool(lengths) and lengths[len(lengths) // 2] > _LONG_CELL
        if lengths and lengths[-1] > _LONGEST_CELL:
            return True
    return long_columns >= 2 and len(rows) >= 3


def _row(words: Sequence[Word], line: Line, gaps: Sequence[Gap]) -> _Row:
    """A line cut at the gaps that it leaves free."""
    middles = [(a + b) / 2 for a, b in gaps]
    cells: list[list[int]] = [[] for _ in range(len(gaps) + 1)]
    column, reached = 0, float("-inf")
    for place in line:
        own = sum(middle <= (words[place].x0 + words[place].x1) / 2 for middle in middles)
        least = min(0.5 * (gaps[own - 1][1] - gaps[own - 1][0]), _CUT_GAP) if own else 0.0
        crossed = own > column and words[place].x0 - reached < least
        column = column if crossed else max(own, column)
        reached = max(reached, words[place].x1)
        cells[column].append(place)
    return _Row(tuple(map(tuple, cells)))


def _merged(rows: Sequence[_Row]) -> list[_Row]:
    """Lines with nothing in the first column continue the row above."""
    merged: list[_Row] = []
    for row in rows:
        if merged and not row.cells[0]:
            merged[-1] = _together([merged[-1], row])
        else:
            merged.append(row)
    return merged


def _together(rows: Sequence[_Row]) -> _Row:
    return _Row(
        tuple(
            tuple(place for cell in column for place in cell)
            for column in zip(*(row.cells for row in rows), strict=True)
        )
    )


def _table(words: Sequence[Word], rows: Sequence[_Row], size: float) -> Table:
    texts = tuple(tuple(cell_text(words, cell, size) for cell in row.cells) for row in rows)
    return Table(texts, frozenset(place for row in rows for cell in row.cells for place in cell))


def _text(words: Sequence[Word], cell: Sequence[int]) -> str:
    return " ".join(words[place].text for place in cell)


def _length(words: Sequence[Word], cell: Sequence[int]) -> int:
    return sum(len(words[place].text) for place in cell) + max(len(cell) - 1, 0)
