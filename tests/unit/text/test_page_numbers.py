"""Numbers of pages as people write them."""

from __future__ import annotations

import pytest

from app.text.page_numbers import page_numbers


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [([], ""), ([3], "3"), ([3, 4], "3-4"), ([3, 7, 8, 9, 11], "3, 7-9, 11")],
)
def test_neighbours_are_one_run(numbers: list[int], shown: str) -> None:
    assert page_numbers(numbers) == shown


def test_many_end_in_an_ellipsis() -> None:
    shown = page_numbers(range(1, 1000, 2))
    assert shown.startswith("1, 3, 5")
    assert shown.endswith(", …")
    assert len(shown) < 60
