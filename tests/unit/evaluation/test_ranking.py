"""Ranking measures against cases worked out by hand."""

from __future__ import annotations

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.ranking import first_hit, hit_at, ranking_values, reciprocal_rank, supported_at


def on(*pages: int) -> list[tuple[str, int]]:
    return [("a.pdf", page) for page in pages]


def test_pages_count_once_each() -> None:
    ranked = [("a.pdf", 1), ("a.pdf", 1), ("a.pdf", 2), ("b.pdf", 9)]
    assert first_hit(ranked, {("b.pdf", 9)}) == 3
    assert first_hit(ranked, {("b.pdf", 1)}) is None


def test_a_name_is_the_same_with_its_folder_or_in_another_case_or_form() -> None:
    assert supported_at([("Cafe\u0301.PDF", 3)], [("pdf/caf\u00e9.pdf", 3)]) == 1


def test_one_right_page_on_rank_three() -> None:
    assert ranking_values(on(5, 5, 6, 7), on(7)) == pytest.approx(
        {"hit@1": 0, "hit@3": 1, "hit@5": 1, "hit@10": 1, "mrr@10": 1 / 3, "ndcg@10": 1 / log2(4)}
    )


def test_any_of_two_right_pages() -> None:
    values = ranking_values(on(9, 7, 1, 8), on(7, 8))
    ideal = 1 + 1 / log2(3)
    assert values["ndcg@10"] == pytest.approx((1 / log2(3) + 1 / log2(5)) / ideal)
    assert (values["hit@1"], values["hit@3"], values["mrr@10"]) == (0, 1, 0.5)


def test_all_of_two_right_pages() -> None:
    values = ranking_values(on(7, 1, 2, 8), on(7, 8), needs_all=True)
    assert (values["hit@1"], values["hit@3"], values["hit@5"], values["mrr@10"]) == (0, 0, 1, 0.25)
    assert ranking_values(on(7, 1), on(7, 8), needs_all=True)["mrr@10"] == 0


def test_not_found_beyond_ten_and_nothing_to_find() -> None:
    assert set(ranking_values(on(1, 2), on(3)).values()) == {0}
    assert set(ranking_values([], on(3)).values()) == {0}
    beyond = ranking_values(on(*range(1, 12)), on(11))
    assert (beyond["hit@10"], beyond["mrr@10"], beyond["ndcg@10"]) == (0, 0, 0)
    assert ranking_values(on(1), []) == {}


def test_the_order_of_pages_decides_and_never_their_names() -> None:
    for right in range(1, 11):
        ranked = on(*range(10, 0, -1))
        assert ranking_values(ranked, on(right))["mrr@10"] == pytest.approx(1 / (11 - right))


def test_hit_and_reciprocal_rank_of_many() -> None:
    ranks = [1, 2, 6, None]
    assert hit_at(ranks, 1) == 0.25
    assert hit_at(ranks, 5) == 0.5
    assert reciprocal_rank(ranks) == pytest.approx((1 + 1 / 2 + 1 / 6) / 4)
    assert reciprocal_rank([11]) == 0


@given(st.lists(st.integers(1, 15), max_size=20), st.sets(st.integers(1, 15), min_size=1, max_size=4))
def test_the_library_agrees_with_the_definition(ranked: list[int], right: set[int]) -> None:
    distinct = list(dict.fromkeys(ranked))
    values = ranking_values(on(*ranked), on(*right))
    first = next((rank for rank, page in enumerate(distinct, start=1) if page in right), None)
    assert values["mrr@10"] == pytest.approx(1 / first if first and first <= 10 else 0)
    for k in (1, 3, 5, 10):
        assert values[f"hit@{k}"] == (first is not None and first <= k)
    gain = sum(1 / log2(rank + 1) for rank, page in enumerate(distinct[:10], start=1) if page in right)
    assert values["ndcg@10"] == pytest.approx(gain / sum(1 / log2(rank + 1) for rank in range(1, len(right) + 1)))
