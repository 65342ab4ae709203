"""One order out of two: how BM25 and cosine are put together. Pure; the constants are measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KEYWORD_WEIGHT = 0.5
"""Share of the keyword side in the fused score; the rest is the vector side's."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that at least one side found. `cosine` is known for every one, `bm25` where the keyword side found it."""

    chunk_id: str
    cosine: float
    bm25: float | None = None
    bm25_rank: int | None = None
    vector_rank: int | None = None


@dataclass(frozen=True, slots=True)
class Fused:
    """A candidate with the score (0..1) that orders it."""

    candidate: Candidate
    score: float


def fuse(candidates: Sequence[Candidate], keyword_weight: float = KEYWORD_WEIGHT) -> list[Fused]:
    """The candidates, best first: the weighted sum of BM25 (as a share of the best one) and cosine (0 for the least
    similar candidate, 1 for the most). Equal scores stand in order of id.

    Where the keyword side found nothing, cosine alone decides.
    """
    if not candidates:
        return []
    best_bm25 = max((candidate.bm25 or 0.0 for candidate in candidates), default=0.0)
    weight = keyword_weight if best_bm25 > 0 else 0.0
    least = min(candidate.cosine for candidate in candidates)
    spread = max(candidate.cosine for candidate in candidates) - least

    def score(candidate: Candidate) -> float:
        keyword = (candidate.bm25 or 0.0) / best_bm25 if best_bm25 > 0 else 0.0
        similarity = (candidate.cosine - least) / spread if spread > 0 else 1.0
        return weight * keyword + (1 - weight) * similarity

    fused = [Fused(candidate, score(candidate)) for candidate in candidates]
    return sorted(fused, key=lambda item: (-item.score, item.candidate.chunk_id))
