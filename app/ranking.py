"""How a candidate's keyword and vector scores become the one score that orders it. Pure, so that it can be tried out
again on candidates that were kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pool:
    """What the scores of one question's candidates are measured by: the best BM25 score (0 where no word was found),
    the least cosine, and how far the greatest cosine is above it."""

    best_bm25: float
    least_cosine: float
    spread: float

    @classmethod
    def of(cls, scores: Sequence[tuple[float, float | None]]) -> Pool:
        """The pool of at least one candidate, each (cosine, BM25 or None where no word was found)."""
        least = min(cosine for cosine, _ in scores)
        return cls(
            best_bm25=max(bm25 or 0.0 for _, bm25 in scores),
            least_cosine=least,
            spread=max(cosine for cosine, _ in scores) - least,
        )

    def score(self, cosine: float, bm25: float | None, keyword_weight: float) -> float:
        """The weighted sum (0..1) of BM25, as a share of the best one, and cosine (0 for the least similar candidate,
        1 for the most). Where no candidate shares a word with the question, cosine alone decides."""
        weight = keyword_weight if self.best_bm25 > 0 else 0.0
        keyword = (bm25 or 0.0) / self.best_bm25 if self.best_bm25 > 0 else 0.0
        similarity = (cosine - self.least_cosine) / self.spread if self.spread > 0 else 1.0
        return weight * keyword + (1 - weight) * similarity
