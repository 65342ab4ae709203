"""Where in a document's text each heading of its outline stands, and which headings a place is under."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.types import Heading, Page

_LEAST_SQUEEZED = 2
_LONGEST_NUMBER = 12
"""Characters before the title on its line: `Chapter 12.`, `附录 A`, `3.2.10`."""
_MOST_TRIES = 20
_NUMBERED_LINE = re.compile(r"^(\d{1,3}(?:\.\d{1,3}){1,5})\.?[ \t]+([^\W\d_][^\n]{0,70})$", re.MULTILINE)
_ENDS_IN_NUMBER = re.compile(r"\s\d{1,4}$")
_LEAST_CONTENTS = 3
_LEAST_HEADINGS = 3
_LATE_FIRST = 3
_NUMBERING = re.compile(
    r"^\W*(?:(?:chapter|appendix|section)\s+)?(?:[A-Z]|\d{1,3})?(?:\.?\d{1,3}){0,6}[.:、]?\s+", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Place:
    """A heading at `offset` of the document's text; `path` are the titles from the top down to it."""

    offset: int
    path: tuple[str, ...]


class Places:
    """The headings of a document in the order of the text."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._places = sorted(places, key=lambda place: place.offset)
        self.offsets = [place.offset for place in self._places]

    def path_at(self, offset: int) -> tuple[str, ...]:
        """The headings over the text at `offset`; none before the first."""
        index = bisect_right(self.offsets, offset) - 1
        return self._places[index].path if index >= 0 else ()


def place_headings(outline: Sequence[Heading], pages: Sequence[Page], page_offsets: Sequence[int]) -> Places:
    """Each heading at its line where its title is found on its page, else at the top of the page.

    `page_offsets` are the places of the pages in the document's text. A heading never stands before the one ahead of
    it on the same page.
    """
    index_of = {page.number: index for index, page in enumerate(pages)}
    squeezed: dict[int, _Squeezed] = {}
    last_on_page: dict[int, int] = defaultdict(int)
    stack: list[tuple[int, str]] = []
    places = []
    for heading in outline:
        stack = [*(entry for entry in stack if entry[0] < heading.level), (heading.level, heading.title)]
        index = index_of.get(heading.page)
        if index is None:
            continue
        at = heading.offset
        if at is None:
            page = squeezed.setdefault(index, _Squeezed(pages[index].text))
            at = page.line_of(heading.title, last_on_page[index])
        at = last_on_page[index] if at is None else at
        last_on_page[index] = max(last_on_page[index], at)
        places.append(Place(page_offsets[index] + at, tuple(title for _, title in stack)))
    return Places(places)


def numbered_headings(pages: Sequence[Page]) -> tuple[Heading, ...]:
    """Headings for a document without an outline: lines like `2.2.1 Title` whose numbers follow on each other.

    A number counts only if it comes next after the last one taken (`2.2.1` after `2.2`, `2.1.9` or `1.4`), so that a
    version, a value or a row of a table does not; tables of contents are passed over.
    """
    found: list[Heading] = []
    last: tuple[int, ...] = ()
    for page in pages:
        lines = _numbered_lines(page.text)
        if sum(bool(_ENDS_IN_NUMBER.search(title)) for _, title, _ in lines) > max(_LEAST_CONTENTS, len(lines) // 2):
            continue
        for number, title, offset in lines:
            if _follows(number, last):
                found.append(Heading(len(number), title, page.number, offset))
                last = number
    return tuple(found) if len(found) >= _LEAST_HEADINGS else ()


def _numbered_lines(text: str) -> list[tuple[tuple[int, ...], str, int]]:
    return [
        (tuple(map(int, match[1].split("."))), match[0].strip(), match.start())
        for match in _NUMBERED_LINE.finditer(text)
        if "…" not in match[2]
    ]


def _follows(number: tuple[int, ...], last: tuple[int, ...]) -> bool:
    """Whether a section with this number may come right after the one numbered `last`."""
    if not last:
        return len(number) > 1 and number[0] <= _LATE_FIRST and all(part == 1 for part in number[1:])
    if number[:-1] == last and number[-1] == 1:
        return True
    depth = len(number)
    if depth <= len(last) and number[:-1] == last[: depth - 1]:
        return number[-1] == last[depth - 1] + 1
    return depth <= len(last) + 1 and number[0] == last[0] + 1 and all(part == 1 for part in number[1:])


class _Squeezed:
    """A page's text folded and without white space, with the way back to the page."""

    def __init__(self, text: str) -> None:
        self._text = text
        letters: list[str] = []
        self._back: list[int] = []
        for index, character in enumerate(text):
            for letter in _squeeze(character):
                letters.append(letter)
                self._back.append(index)
        self._letters = "".join(letters)

    def line_of(self, title: str, after: int) -> int | None:
        """Where the line that is this title begins, at `after` or later; None if there is none."""
        found = self._line_of(_squeeze(title), after)
        return self._line_of(_squeeze(_NUMBERING.sub("", title)), after) if found is None else found

    def _line_of(self, wanted: str, after: int) -> int | None:
        if len(wanted) < _LEAST_SQUEEZED:
            return None
        at_line_start = None
        found = self._letters.find(wanted)
        for _ in range(_MOST_TRIES):
            if found == -1:
                break
            begin, end = self._back[found], self._back[found + len(wanted) - 1] + 1
            line_begin = self._text.rfind("\n", 0, begin) + 1
            if line_begin >= after and begin - line_begin <= _LONGEST_NUMBER:
                if not self._text[end : end + 1].strip():
                    return line_begin
                at_line_start = line_begin if at_line_start is None else at_line_start
            found = self._letters.find(wanted, found + 1)
        return at_line_start


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()
