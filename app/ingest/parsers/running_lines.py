"""Running heads, running feet and page numbers: lines that belong to the paper and not to the text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

_LEAST_PAGES = 6
_SHARE_OF_PAGES = 0.5
_DEPTH = 2
"""How many lines from the top and from the bottom a running line may be."""
_MOST_CHARACTERS = 120
_NUMBER = re.compile(r"\d+")
_BARE_NUMBER = re.compile(r"\W*(\d{1,4})\W*")

Place = tuple[bool, int]
"""(from the top, lines away from that edge)"""


def without_running_lines(pages: Sequence[str]) -> list[str]:
    """`pages` without the lines that stand at the same edge of at least half of them.

    Two lines are the same where they differ only in numbers. A line that is nothing but a number goes only where
    numbers at this place count up with the pages, so that the last cell of a table stays. Short documents are left as
    they are: there, what repeats may be text. A line with a tab, a row of a table, always stays.
    """
    lines = [page.split("\n") for page in pages]
    if len(pages) < _LEAST_PAGES:
        return list(pages)
    running = _running_shapes(lines)
    steps = _page_number_steps(lines)
    return ["\n".join(_kept(page, index, running, steps)) for index, page in enumerate(lines)]


def _running_shapes(lines: Sequence[list[str]]) -> set[tuple[bool, str]]:
    counts: Counter[tuple[bool, str]] = Counter()
    for page in lines:
        counts.update({(place[0], _shape(line)) for place, line in _edges(page) if _is_candidate(line)})
    return {key for key, count in counts.items() if count >= len(lines) * _SHARE_OF_PAGES}


def _page_number_steps(lines: Sequence[list[str]]) -> set[tuple[bool, int]]:
    """(from the top, printed number minus page index) where bare numbers count up with the pages on most of them."""
    counts: Counter[tuple[bool, int]] = Counter()
    for index, page in enumerate(lines):
        found = {(place[0], int(match[1]) - index) for place, line in _edges(page) if (match := _bare(line))}
        counts.update(found)
    return {key for key, count in counts.items() if count >= len(lines) * _SHARE_OF_PAGES}


def _kept(page: list[str], index: int, running: set[tuple[bool, str]], steps: set[tuple[bool, int]]) -> Iterable[str]:
    dropped = set()
    for (top, away), line in _edges(page):
        number = _bare(line)
        gone = (
            (top, int(number[1]) - index) in steps if number else _is_candidate(line) and (top, _shape(line)) in running
        )
        if gone:
            dropped.add(away if top else len(page) - 1 - away)
    return (line for at, line in enumerate(page) if at not in dropped)


def _edges(page: list[str]) -> list[tuple[Place, str]]:
    depth = min(_DEPTH, len(page))
    top = [((True, away), page[away]) for away in range(depth)]
    bottom = [((False, away), page[-1 - away]) for away in range(min(depth, len(page) - depth))]
    return top + bottom


def _shape(line: str) -> str:
    return _NUMBER.sub("#", " ".join(line.split()))


def _is_candidate(line: str) -> bool:
    return 0 < len(line) <= _MOST_CHARACTERS and "\t" not in line and not _bare(line)


def _bare(line: str) -> re.Match[str] | None:
    return None if "\t" in line else _BARE_NUMBER.fullmatch(line.strip())
