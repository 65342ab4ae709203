"""Where one is in a long list."""

from __future__ import annotations

import pytest

from app.api.web.listing import Listing, Paging


@pytest.mark.parametrize(
    ("total", "wanted", "page", "first", "last", "offset"),
    [(0, 1, 1, 0, 0, 0), (1, 1, 1, 1, 1, 0), (50, 1, 1, 1, 50, 0), (51, 2, 2, 51, 51, 50), (51, 9, 2, 51, 51, 50)],
)
def test_a_page_of_a_list(total: int, wanted: int, page: int, first: int, last: int, offset: int) -> None:
    paging = Paging(total, 50, wanted)
    assert (paging.page, paging.first, paging.last, paging.offset) == (page, first, last, offset)


def test_addresses_keep_what_was_asked_for() -> None:
    listing = Listing("/x", {"q": "a&b", "state": "", "sort": "name"}, Paging(100, 50, 1))
    assert listing.address(2) == "/x?q=a%26b&sort=name&page=2"
    assert listing.narrowed
    assert not Listing("/x", {"q": "", "state": "", "sort": "name"}, Paging(0, 50, 1)).narrowed
