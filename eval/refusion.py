"""The order in which other keyword weights would have put the passages that a search found, from what a run keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.ranking import Pool
from eval.ranking import supported_at
from eval.records import FoundPassage, Record

WEIGHTS = tuple(step / 10 for step in range(11))
"""Keyword weights that are tried; finer steps differ by less than a question of a hundred."""

_EXACT = 1e-6


def reordered(found: Sequence[FoundPassage], keyword_weight: float, pool: Pool | None = None) -> list[FoundPassage]:
    """The passages as fusion with this weight orders them, ties by id; `pool` as `pool_of` gives it."""
    if not found:
        return []
    measured = pool or pool_of(found)
    return sorted(
        found,
        key=lambda passage: (-measured.score(passage.cosine, passage.bm25, keyword_weight), passage.chunk_id),
    )


def supported_ranks(record: Record, weights: Sequence[float] = WEIGHTS) -> list[int | None]:
    """For each weight the rank among the distinct pages at which the record's question can be answered, or None."""
    relevant = record.question.pages()
    if not record.found:
        return [None for _ in weights]
    pool = pool_of(record.found)
    ranks = []
    for weight in weights:
        pages = [page for passage in reordered(record.found, weight, pool) for page in passage.pages()]
        ranks.append(supported_at(pages, relevant, record.question.needs_all))
    return ranks


def pool_of(found: Sequence[FoundPassage]) -> Pool:
    """What the scores of these passages were measured by when they were searched for.

    A run keeps the first passages of a longer list, so the least cosine may be of one that is not kept. The fused
    score is linear in cosine and BM25, and its coefficients tell the whole list's bounds and the weight: the score is
    a + b cosine + c bm25 with b = (1 - weight) / spread, c = weight / best BM25 and a = -b least. Where that does not
    give back the scores that were kept, the passages that are there are taken as the whole list.
    """
    kept = Pool.of([(passage.cosine, passage.bm25) for passage in found])
    rows = np.array([[1.0, passage.cosine, passage.bm25 or 0.0] for passage in found])
    scores = np.array([passage.fused for passage in found])
    if kept.best_bm25 <= 0:
        rows = rows[:, :2]
    if len(np.unique(rows, axis=0)) < rows.shape[1] + 1:
        return kept
    coefficients, *_ = np.linalg.lstsq(rows, scores, rcond=None)
    if np.abs(rows @ coefficients - scores).max() > _EXACT or coefficients[1] <= _EXACT:
        return kept
    weight = float(coefficients[2] * kept.best_bm25) if kept.best_bm25 > 0 else 0.0
    slope = float(coefficients[1])
    if not -_EXACT <= weight < 1:
        return kept
    return Pool(kept.best_bm25, least_cosine=-float(coefficients[0]) / slope, spread=(1 - max(0.0, weight)) / slope)
