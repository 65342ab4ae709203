"""When the answers of two sides count as the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.moving.questions import Answers, Found

SIDE = Found({"a": 1.0, "b": 0.5}, {"a": 9.0, "c": 2.0}, -1.0, 0.0, ("a", "b", "c"))


def differs(old: Found, new: Found) -> bool:
    answers, other_way = Answers(), Answers()
    answers.add(old, new)
    other_way.add(new, old)
    assert answers.different == other_way.different
    return answers.different == 1


@pytest.mark.parametrize(
    "other",
    [
        SIDE,
        replace(SIDE, cosines={"a": 0.99995, "b": 0.5}),
        replace(SIDE, bm25={"a": 8.0, "c": 2.5}, order=("a", "c", "b")),
        replace(SIDE, bm25={"a": 9.0}, last_bm25=1.9),  # its list is full, and ends about there
        replace(SIDE, cosines={"a": 1.0}, last_cosine=0.49999),
    ],
)
def test_what_rounding_and_the_ends_of_lists_change_is_the_same(other: Found) -> None:
    assert not differs(SIDE, other)


@pytest.mark.parametrize(
    "other",
    [
        replace(SIDE, cosines={"a": 0.9998, "b": 0.5}),
        replace(SIDE, cosines={"a": 1.0}),
        replace(SIDE, cosines={"a": 1.0}, last_cosine=0.4),
        replace(SIDE, bm25={"a": 9.0}),
        replace(SIDE, bm25={"a": 9.0}, last_bm25=1.5),
        Found({}, {}, -1.0, 0.0, ()),
    ],
)
def test_what_one_side_does_not_find_is_a_difference(other: Found) -> None:
    assert differs(SIDE, other)


def test_order_is_counted_and_no_difference() -> None:
    answers = Answers()
    answers.add(SIDE, SIDE)
    answers.add(SIDE, replace(SIDE, order=("a", "c", "b")))
    answers.add(SIDE, replace(SIDE, order=("c", "a", "b")))
    assert (answers.asked, answers.same_first, answers.same_order, answers.different) == (3, 2, 1, 0)
