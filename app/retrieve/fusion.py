"""One order out of two: how BM25 and cosine are put together. Pure; the constants are measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

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


OWN_LEAST, OTHERS_LEAST = 0.3, 0.2
"""What the question as it was asked has of the weight at least, and what its other wordings have together at least."""

_COSINES_APART, _BM25_APART, _OWN_AHEAD = 0.006, 0.6, 1.0
"""How far two wordings' evidence is apart where it counts e-fold, and what the question as asked is ahead by.

Measured over manuals in both languages with a model's translation, hit@1 / hit@5 by page; shares that are fixed at 0.6
are beside it, and values between half and twice these differ by one or two questions. See docs/quality.md.

    questions (n)                  as asked alone     fixed 0.6          these shares
    English manual, English (60)   0.717 / 0.950      0.633 / 0.983      0.683 / 0.983
    Chinese manual, Chinese (60)   0.817 / 0.983      0.783 / 1.000      0.817 / 1.000
    Chinese manual, English (12)   0.250 / 0.750      0.750 / 1.000      0.750 / 1.000
    English manual, Chinese (12)   0.167 / 0.417      0.333 / 0.500      0.417 / 0.667
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


def shares(cosines: Sequence[Sequence[float]], bm25: Sequence[Sequence[float]]) -> list[float]:
    """How much each wording of a question counts, the one that was asked first; together 1.

    Given what each wording found on either side. A wording in the language of the passage that answers finds one that
    stands out; in another language all that it finds is about equally near, so the wording with the greater evidence
    (best cosine above the mean, best BM25 as a multiple of the mean) gets the greater share.
    """
    if len(cosines) == 1:
        return [1.0]
    evidence = [_evidence(*found) for found in zip(cosines, bm25, strict=True)]
    evidence[0] += _OWN_AHEAD
    greatest = max(evidence)
    powers = [math.exp(value - greatest) for value in evidence]
    free = (1 - OWN_LEAST - OTHERS_LEAST) / sum(powers)
    least = [OWN_LEAST, *[OTHERS_LEAST / (len(evidence) - 1)] * (len(evidence) - 1)]
    return [bound + free * power for bound, power in zip(least, powers, strict=True)]


def _evidence(cosines: Sequence[float], bm25: Sequence[float]) -> float:
    ahead = max(cosines) - fmean(cosines) if cosines else 0.0
    mean = fmean(bm25) if bm25 else 0.0
    return ahead / _COSINES_APART + (max(bm25) / mean if mean > 0 else 1.0) / _BM25_APART
