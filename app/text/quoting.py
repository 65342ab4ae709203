"""Where a quote stands in a longer text that was written down in another way: other spaces, hyphens, line ends, order.

Only letters and digits are compared, without their case, marks and shapes. What the cleaning of pages changes (white
space, hyphens at line ends, ligatures, rows of dots, bullets) is none of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from app.text.normalise import clean_characters

_LEAST_PIECE = 4
"""Letters of a piece that is looked for by itself; a shorter one stands everywhere."""

_LEAST_FOUND = 0.6
"""Share of a quote's letters that must be found, in pieces, for the quote to be there."""

_SURE_PIECE = 10
_MOST_AWAY = 2
"""Short pieces must lie near the long ones: no farther than the quote is long, so many times."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters and digits of pieces of text, and of which piece each is."""

    text: str
    sources: tuple[int, ...]


def letters_of(pieces: Iterable[str]) -> Letters:
    """All that is compared of these pieces of text, such as the characters of a page."""
    found: list[str] = []
    sources: list[int] = []
    for place, piece in enumerate(pieces):
        bare = _bare(piece) if len(piece) == 1 else "".join(map(_bare, piece))
        found.append(bare)
        sources += [place] * len(bare)
    return Letters("".join(found), tuple(sources))


@lru_cache(maxsize=20_000)
def _bare(character: str) -> str:
    """The letters and digits that a character is made of: "ﬁ" is "fi", "é" is "e", "㎏" is "kg"."""
    folded = unicodedata.normalize("NFKD", clean_characters(character)).casefold()
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", folded)))


def places_of(quote: str, page: str, near: int | None = None) -> list[Span]:
    """Spans of `page` that make up `quote`, in the quote's order; both are letters only. None where it is not there.

    The whole quote in one span where it stands so, the occurrence nearest to `near`; else the pieces that do, such as
    the cells of a table that the page has in another order.
    """
    if not quote:
        return []
    whole = _nearest(page, quote, near)
    if whole is not None:
        return [(whole, whole + len(quote))]
    pieces = _gathered(list(_pieces(quote, page, near)), len(quote))
    found = sum(end - start for start, end in pieces)
    return pieces if found >= _LEAST_FOUND * len(quote) else []


def _nearest(page: str, piece: str, near: int | None) -> int | None:
    """Where `piece` begins; the first place, or the one nearest to `near`."""
    if near is None:
        at = page.find(piece)
        return None if at < 0 else at
    after, before = page.find(piece, max(0, near)), page.rfind(piece, 0, max(0, near) + len(piece) - 1)
    places = [at for at in (before, after) if at >= 0]
    return min(places, key=lambda at: abs(at - near)) if places else None


def _pieces(quote: str, page: str, near: int | None) -> Iterator[Span]:
    """The longest pieces of the quote that the page has, in order; each where it follows the one before."""
    at = 0
    while at < len(quote):
        length = _longest(quote, at, page)
        piece = quote[at : at + length]
        goes_on = near is not None and page.startswith(piece, max(0, near))
        start = near if goes_on else _nearest(page, piece, near)
        if start is None or not length or (length < _LEAST_PIECE and not goes_on):
            at += 1
            continue
        yield start, start + length
        at += length
        near = start + length


def _longest(quote: str, at: int, page: str) -> int:
    """How many letters of the quote from `at` on stand together on the page."""
    low, high = 0, 1
    while at + high <= len(quote) and quote[at : at + high] in page:
        low, high = high, high * 2
    high = min(high, len(quote) - at + 1)
    while high - low > 1:
        middle = (low + high) // 2
        if quote[at : at + middle] in page:
            low = middle
        else:
            high = middle
    return low


def _gathered(pieces: list[Span], length: int) -> list[Span]:
    """The pieces without short ones that lie far from all long ones."""
    sure = [piece for piece in pieces if piece[1] - piece[0] >= min(_SURE_PIECE, length / 2)]
    reach = _MOST_AWAY * length
    return [
        piece for piece in pieces if any(start - reach <= piece[0] and piece[1] <= end + reach for start, end in sure)
    ]
