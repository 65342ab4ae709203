"""The order under other keyword weights, out of what a run keeps."""

from __future__ import annotations

import random

import pytest

from app.ranking import Pool
from app.retrieve.fusion import Candidate, fuse
from eval.refusion import WEIGHTS, pool_of, reordered, supported_ranks
from tests.unit.evaluation_calibration.factories import a_passage, a_record, fused


def many(seed: int, count: int = 90) -> list[tuple[str, float, float | None]]:
    rng = random.Random(seed)
    return [
        (f"c{n:02d}", rng.uniform(0.7, 0.9), rng.uniform(1, 20) if rng.random() < 0.6 else None) for n in range(count)
    ]


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("searched_with", [0.0, 0.3, 0.5])
def test_the_order_is_that_of_a_search_with_this_weight(weight: float, searched_with: float) -> None:
    """Also where the run kept only the first passages of a longer list."""
    candidates = many(7)
    kept = fused([a_passage(i, c, bm25=b) for i, c, b in candidates], searched_with, kept=50)
    ids = {passage.chunk_id for passage in kept}
    live = [item.candidate.chunk_id for item in fuse([Candidate(*row) for row in candidates], weight)]
    best = max(passage.bm25 or 0 for passage in kept)
    assert best == max(bm25 or 0 for _, _, bm25 in candidates), "the case is about passages that lack the least cosine"
    assert [p.chunk_id for p in reordered(kept, weight, pool_of(kept))] == [i for i in live if i in ids]


def test_the_bounds_of_the_whole_list_are_found_again() -> None:
    everything = [a_passage(i, c, bm25=b) for i, c, b in many(3)]
    whole = Pool.of([(p.cosine, p.bm25) for p in everything])
    found = pool_of(fused(everything, 0.5, kept=40))
    assert found.least_cosine == pytest.approx(whole.least_cosine, abs=1e-6)
    assert found.spread == pytest.approx(whole.spread, abs=1e-6)


def test_scores_of_another_formula_fall_back_to_what_is_kept() -> None:
    passages = [
        a_passage(f"c{n}", 0.7 + n / 50, bm25=n + 1.0).model_copy(update={"fused": 1 / (n + 1)}) for n in range(6)
    ]
    assert pool_of(passages) == Pool.of([(p.cosine, p.bm25) for p in passages])


def test_a_rank_is_found_for_each_weight() -> None:
    """The words know the right page, the vectors another."""
    record = a_record(1, found=(a_passage("right", 0.70, 1, bm25=9.0), a_passage("wrong", 0.90, 2, bm25=1.0)))
    ranks = dict(zip(WEIGHTS, supported_ranks(record), strict=True))
    assert (ranks[0.0], ranks[1.0]) == (2, 1)


def test_nothing_found_has_no_rank() -> None:
    assert supported_ranks(a_record(1, found=())) == [None] * len(WEIGHTS)
