"""Ranking measures on the distinct pages that a search found, computed by ir-measures."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from eval.metrics import HIT_DEPTHS
from eval.question_sets import PageRef
from eval.statistics import mean

DEPTH = 10
"""Ranks that MRR and nDCG look at."""


def distinct_pages(ranked: Iterable[PageRef]) -> list[PageRef]:
    """Each page once, at its best place; names compare without case and in one Unicode form."""
    return list(dict.fromkeys(page_key(page) for page in ranked))


def page_key(page: PageRef) -> PageRef:
    """What two names of the same page have in common."""
    name, number = page
    return unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1]).casefold(), number


def supported_at(ranked: Iterable[PageRef], relevant: Iterable[PageRef], needs_all: bool = False) -> int | None:
    """1-based rank among the distinct pages at which a question can be answered, or None.

    That is the first right page's, or with `needs_all` that of the last of the right pages.
    """
    places = {page: rank for rank, page in enumerate(distinct_pages(ranked), start=1)}
    ranks = [places.get(page_key(page)) for page in relevant]
    found = [rank for rank in ranks if rank is not None]
    if not found or (needs_all and len(found) < len(ranks)):
        return None
    return max(found) if needs_all else min(found)


def ranking_values(ranked: Sequence[PageRef], relevant: Iterable[PageRef], needs_all: bool = False) -> dict[str, float]:
    """hit@1, 3, 5 and 10, mrr@10 and ndcg@10 of one question; without a right page there is nothing to measure.

    Any right page is a hit and the first one gives the reciprocal rank; with `needs_all` a hit is all of them, and the
    rank is the last one's. nDCG is binary over all right pages either way (Järvelin and Kekäläinen 2002).
    """
    right = {page_key(page) for page in relevant}
    if not right:
        return {}
    measured = _measured(distinct_pages(ranked), right)
    values = {"ndcg@10": measured[f"nDCG@{DEPTH}"]}
    for k in HIT_DEPTHS:
        values[f"hit@{k}"] = float(measured[f"R@{k}"] > 1 - 1e-9) if needs_all else measured[f"Success@{k}"]
    rank = supported_at(ranked, right, needs_all)
    last = 1 / rank if rank is not None and rank <= DEPTH else 0.0
    values["mrr@10"] = last if needs_all else measured[f"RR@{DEPTH}"]
    return values


def _measured(pages: Sequence[PageRef], right: set[PageRef]) -> dict[str, float]:
    """What ir-measures says of one ranking. Pages that tie would be ordered by name, so scores fall by one a rank."""
    import ir_measures  # noqa: PLC0415 - loads compiled code that only reports need

    run = [ir_measures.ScoredDoc("q", _id(page), float(len(pages) - place)) for place, page in enumerate(pages)]
    labels = [ir_measures.Qrel("q", _id(page), 1) for page in sorted(right)]
    return {str(result.measure): float(result.value) for result in ir_measures.iter_calc(_measures(), labels, run)}


@lru_cache(maxsize=1)
def _measures() -> tuple[Any, ...]:
    from ir_measures import RR, R, Success, nDCG  # noqa: PLC0415

    return (nDCG @ DEPTH, RR @ DEPTH, *(Success @ k for k in HIT_DEPTHS), *(R @ k for k in HIT_DEPTHS))


def _id(page: PageRef) -> str:
    return f"{page[0]}#p{page[1]}"


def first_hit(ranked: Sequence[PageRef], relevant: set[PageRef]) -> int | None:
    """1-based rank of the first relevant page among the distinct pages of `ranked`, or None."""
    return supported_at(ranked, relevant)


def hit_at(ranks: Iterable[int | None], k: int) -> float:
    """Share of questions whose first relevant page is among the first k."""
    return mean([rank is not None and rank <= k for rank in ranks])


def reciprocal_rank(ranks: Iterable[int | None], k: int = DEPTH) -> float:
    """Mean reciprocal rank with ranks beyond k counted as 0 (MRR@k)."""
    return mean([1 / rank if rank is not None and rank <= k else 0.0 for rank in ranks])
