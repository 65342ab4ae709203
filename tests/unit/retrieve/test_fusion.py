"""Fusion: the order of hits out of BM25 and cosine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.retrieve.fusion import KEYWORD_WEIGHT, OTHERS_LEAST, OWN_LEAST, Candidate, fuse, shares


def a_candidate(chunk_id: str, cosine: float, bm25: float | None = None) -> Candidate:
    return Candidate(chunk_id, cosine, bm25)


def order(*candidates: Candidate) -> list[str]:
    return [item.candidate.chunk_id for item in fuse(candidates)]


def test_nothing_gives_nothing() -> None:
    assert fuse([]) == []


def test_best_on_both_sides_is_first_with_score_one() -> None:
    first, *_ = fuse([a_candidate("c1", 0.8, 2.0), a_candidate("c2", 0.9, 7.0), a_candidate("c3", 0.85)])
    assert first.candidate.chunk_id == "c2"
    assert first.score == pytest.approx(1.0)


def test_score_is_the_weighted_sum() -> None:
    scores = {
        item.candidate.chunk_id: item.score
        for item in fuse([a_candidate("c1", 0.90, 4.0), a_candidate("c2", 0.85, 8.0), a_candidate("c3", 0.80)])
    }
    w = KEYWORD_WEIGHT
    assert scores == pytest.approx({"c1": w / 2 + (1 - w), "c2": w + (1 - w) / 2, "c3": 0.0})


def test_without_keyword_matches_cosine_decides() -> None:
    """A Chinese question on an English manual shares no word with it."""
    assert order(a_candidate("c1", 0.80), a_candidate("c2", 0.84), a_candidate("c3", 0.82)) == ["c2", "c3", "c1"]


def test_where_all_cosines_are_equal_keywords_decide() -> None:
    assert order(a_candidate("c1", 0.8, 1.0), a_candidate("c2", 0.8, 3.0), a_candidate("c3", 0.8)) == ["c2", "c1", "c3"]


def test_equal_scores_stand_in_order_of_id() -> None:
    assert order(*(a_candidate(name, 0.8, 1.0) for name in ("c2", "c3", "c1"))) == ["c1", "c2", "c3"]


def test_a_keyword_match_outweighs_a_slightly_nearer_vector() -> None:
    """E-04 and E-05 are near neighbours for an embedder; the code decides."""
    other = [a_candidate(f"c{i}", 0.80 + i / 1000) for i in range(3, 9)]
    assert order(a_candidate("c1", 0.86, 9.0), a_candidate("c2", 0.87, 1.0), *other)[0] == "c1"


_CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.text("abc", min_size=1, max_size=3),
        st.floats(-1, 1),
        st.none() | st.floats(0.001, 1000),
    ),
    unique_by=lambda candidate: candidate.chunk_id,
)


@given(_CANDIDATES)
def test_every_candidate_once_scores_within_bounds_and_falling(candidates: list[Candidate]) -> None:
    fused = fuse(candidates)
    assert sorted(item.candidate.chunk_id for item in fused) == sorted(c.chunk_id for c in candidates)
    assert all(-1e-9 <= item.score <= 1 + 1e-9 for item in fused)
    assert [item.score for item in fused] == sorted((item.score for item in fused), reverse=True)


@given(_CANDIDATES)
def test_the_order_they_come_in_does_not_matter(candidates: list[Candidate]) -> None:
    assert fuse(candidates) == fuse(candidates[::-1])


@given(_CANDIDATES)
def test_better_on_both_sides_is_never_later(candidates: list[Candidate]) -> None:
    place = {item.candidate.chunk_id: i for i, item in enumerate(fuse(candidates))}
    for a in candidates:
        for b in candidates:
            if a.cosine > b.cosine and (a.bm25 or 0) > (b.bm25 or 0):
                assert place[a.chunk_id] < place[b.chunk_id] or _same_score(candidates, a, b)


def _same_score(candidates: list[Candidate], a: Candidate, b: Candidate) -> bool:
    """Differences below what a float holds may vanish in the sum."""
    scores = {item.candidate.chunk_id: item.score for item in fuse(candidates)}
    return scores[a.chunk_id] == pytest.approx(scores[b.chunk_id], abs=1e-12)


ABOUT_EQUAL, ONE_STANDS_OUT = [0.85, 0.849, 0.848], [0.9, 0.84, 0.83]


def test_one_wording_has_all_of_the_weight() -> None:
    assert shares([ABOUT_EQUAL], [[3.0, 1.0]]) == [1.0]


def test_the_wording_that_finds_what_stands_out_counts_for_more() -> None:
    own, other = shares([ONE_STANDS_OUT, ABOUT_EQUAL], [[9.0, 1.0], [2.0, 2.0]])
    assert own == pytest.approx(1 - OTHERS_LEAST, abs=0.01)
    own, other = shares([ABOUT_EQUAL, ONE_STANDS_OUT], [[2.0, 2.0], [9.0, 1.0]])
    assert own == pytest.approx(OWN_LEAST, abs=0.01)
    assert own + other == pytest.approx(1)


def test_with_equal_evidence_the_question_as_asked_is_ahead() -> None:
    own, first, second = shares([ABOUT_EQUAL] * 3, [[2.0, 1.0]] * 3)
    assert own > first + second
    assert first == second


def test_a_side_that_found_nothing_is_no_evidence() -> None:
    assert shares([ABOUT_EQUAL, ABOUT_EQUAL], [[], []]) == pytest.approx(shares([[], []], [[], []]))
