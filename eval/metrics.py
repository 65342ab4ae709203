"""Measures of retrieval and answers; pure functions on plain values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from statistics import NormalDist

from eval.question_sets import PageRef

_TOKEN = re.compile(r"(?<![\w.])-\d+(?:\.\d+)?|\d+(?:\.\d+)?|[^\W\d_\u3400-\u9fff]+|[\u3400-\u9fff]")
_THOUSANDS = re.compile(r"(?<=\d)[,\u2009\u202f](?=\d{3}(?!\d))")
_FILLERS = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "to",
        "in",
        "on",
        "is",
        "are",
        "and",
        "or",
        "for",
        "by",
        "with",
        "at",
        "it",
        "be",
        "as",
        "的",
        "了",
        "和",
        "与",
        "或",
        "在",
        "是",
        "为",
        "、",
    ]
)
LONG_ANSWER_TOKENS = 5
LONG_ANSWER_RECALL = 0.8


def first_hit(ranked: Sequence[PageRef], relevant: set[PageRef]) -> int | None:
    """1-based rank of the first relevant page among the distinct pages of `ranked`, or None."""
    distinct = list(dict.fromkeys(ranked))
    return next((rank for rank, page in enumerate(distinct, start=1) if page in relevant), None)


def hit_at(ranks: Iterable[int | None], k: int) -> float:
    """Share of questions whose first relevant page is among the first k."""
    return mean([rank is not None and rank <= k for rank in ranks])


def reciprocal_rank(ranks: Iterable[int | None], k: int = 10) -> float:
    """Mean reciprocal rank with ranks beyond k counted as 0 (MRR@k)."""
    return mean([1 / rank if rank is not None and rank <= k else 0.0 for rank in ranks])


def mean(values: Sequence[float | bool]) -> float:
    """Arithmetic mean; not a number for no values."""
    return sum(values) / len(values) if values else float("nan")


def wilson(share: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of a share (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * ((share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def answer_tokens(text: str) -> list[str]:
    """Numbers, words and single Chinese characters, so that "2" is not found inside "12" and units stand apart."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _TOKEN.findall(_THOUSANDS.sub("", folded))


def is_right(answer: str, variants: Sequence[str]) -> bool:
    """Whether an answer states one of the accepted variants.

    A variant counts where its tokens stand in the answer in a row; a variant of five or more tokens also where 80% of
    its content tokens and all its numbers are in the answer.
    """
    given = answer_tokens(answer)
    return any(_states(given, answer_tokens(variant)) for variant in variants)


def _states(given: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return False
    n = len(wanted)
    if any(given[i : i + n] == wanted for i in range(len(given) - n + 1)):
        return True
    content = {token for token in wanted if token not in _FILLERS}
    if len(content) < LONG_ANSWER_TOKENS:
        return False
    have = set(given)
    numbers = {token for token in content if token[-1].isdigit()}
    return numbers <= have and len(content & have) / len(content) >= LONG_ANSWER_RECALL


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
