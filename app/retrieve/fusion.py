"""One order out of two: how BM25 and cosine are put together. Pure; the constants are measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.ranking import Pool

KEYWORD_WEIGHT = 0.5
"""Share of the keyword side in the fused score; the rest is the vector side's.

Measured with multilingual-e5-small, hit@1 / hit@5 by page or passage; 0.4 to 0.6 differ by one or two questions:

    set (questions)     BM25 alone      cosine alone    RRF, k 10       this, 0.5
    manuals zh (60)     0.800 / 0.967   0.583 / 0.867   0.750 / 0.983   0.817 / 1.000
    manuals en (60)     0.617 / 0.917   0.567 / 0.883   0.733 / 0.950   0.733 / 0.950
    xquad zh (528)      0.907 / 0.989   0.915 / 0.992   0.938 / 0.992   0.949 / 1.000
    xquad en (528)      0.943 / 0.985   0.945 / 0.998   0.953 / 0.994   0.960 / 0.994
    phone manual (50)   0.800 / 0.960   0.680 / 0.840   0.760 / 0.920   0.820 / 0.940
    ohr manuals (214)   0.864 / 0.981   0.813 / 0.958   0.850 / 0.986   0.888 / 0.986
"""


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
    """The candidates, best first, by the score of `app.ranking.Pool`. Equal scores stand in order of id."""
    if not candidates:
        return []
    pool = Pool.of([(candidate.cosine, candidate.bm25) for candidate in candidates])
    fused = [Fused(c, pool.score(c.cosine, c.bm25, keyword_weight)) for c in candidates]
    return sorted(fused, key=lambda item: (-item.score, item.candidate.chunk_id))
