"""The gaps that divide lines of words, and those that several lines have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from app.ingest.parsers.page_words import Word

Line = list[int]
"""Places of words on the page, from the left."""
Gap = tuple[float, float]
"""Its left and its right end in points."""


def common_gaps(words: Sequence[Word], lines: Sequence[Line], least: float, crossing: int) -> list[Gap]:
    """Gaps at least `least` wide that all but `crossing` lines leave free."""
    steps = sorted(step for line in lines for x0, x1 in _segments(words, line, least) for step in ((x0, 1), (x1, -1)))
    gaps: list[Gap] = []
    depth = 0
    for (x, step), (following, _) in pairwise(steps):
        depth += step
        if depth <= crossing and gaps and gaps[-1][1] >= x:
            gaps[-1] = (gaps[-1][0], following)
        elif depth <= crossing:
            gaps.append((x, following))
    begin = sorted(words[line[0]].x0 for line in lines)[len(lines) // 2]
    end = sorted(max(words[place].x1 for place in line) for line in lines)[len(lines) // 2]
    return [(a, b) for a, b in gaps if b - a >= least and a > begin and b < end + least]


def _segments(words: Sequence[Word], line: Line, least: float) -> list[Gap]:
    """The stretches of a line that gaps of `least` divide."""
    segments: list[Gap] = []
    for place in line:
        x0, x1 = words[place].x0, words[place].x1
        if segments and x0 - segments[-1][1] < least:
            segments[-1] = (segments[-1][0], max(segments[-1][1], x1))
        else:
            segments.append((x0, x1))
    return segments


def gaps_of(words: Sequence[Word], line: Line, least: float) -> list[Gap]:
    return [(left[1], right[0]) for left, right in pairwise(_segments(words, line, least))]


def free_stretches(words: Sequence[Word], line: Line) -> list[Gap]:
    """All of the page's width that a line leaves free."""
    segments = _segments(words, line, 0.1)
    return [(float("-inf"), segments[0][0]), *gaps_of(words, line, 0.1), (segments[-1][1], float("inf"))]


def intersection(left: Iterable[Gap], right: Sequence[Gap], least: float) -> list[Gap]:
    both = ((max(a, c), min(b, d)) for a, b in left for c, d in right)
    return [(begin, end) for begin, end in both if end - begin >= least]
