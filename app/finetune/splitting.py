"""Which pairs are learned from and which are kept to measure with: apart by document where labels name documents."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from app.finetune.likeness import KnownQuestions
from app.finetune.pairs import Pair

SplitBy = Literal["document", "question"]

_FEWEST_DOCUMENTS = 4
_FEWEST_LABELLED = 0.5
"""Share of the answerable pairs that must name their document for documents to be kept apart."""


@dataclass(frozen=True, slots=True)
class Split:
    """Pairs by side; `repeated` were dropped since they ask what another asks, or what is held out."""

    train: tuple[Pair, ...]
    heldout: tuple[Pair, ...]
    by: SplitBy
    repeated: int


def split(
    pairs: Sequence[Pair],
    share: float,
    seed: int,
    by: SplitBy | None = None,
    documents: Mapping[str, str] = MappingProxyType({}),
) -> Split:
    """Every pair on one side, about `share` of them held out; the same pairs and seed give the same sides.

    No document is on both sides where `by` is "document", which is taken where labels name enough of them. `documents`
    (by id) are those of pairs without such a label.
    A question that asks what another of its side asks is dropped, and from what is learned also one that is held out.
    """
    rng = random.Random(seed)  # noqa: S311 - a sample, no secret
    chosen = by or ("document" if _can_by_document(pairs) else "question")
    groups = _groups(pairs, chosen, documents)
    rng.shuffle(groups)
    heldout = _taken(groups, round(share * len(pairs)))
    measured, repeated = _distinct([pair for pair in pairs if pair.question.id in heldout], KnownQuestions())
    known = KnownQuestions([pair.question.question for pair in measured])
    learned, more = _distinct([pair for pair in pairs if pair.question.id not in heldout], known)
    return Split(tuple(learned), tuple(measured), chosen, repeated + more)


def _can_by_document(pairs: Sequence[Pair]) -> bool:
    answerable = [pair for pair in pairs if pair.question.answerable]
    named = [pair.document for pair in answerable if pair.document]
    return len(named) >= _FEWEST_LABELLED * len(answerable) and len(set(named)) >= _FEWEST_DOCUMENTS


def _groups(pairs: Sequence[Pair], by: SplitBy, documents: Mapping[str, str]) -> list[list[Pair]]:
    """Pairs that stay together: those of a document, each other one by itself."""
    groups: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        document = pair.document or documents.get(pair.question.id)
        known = by == "document" and document is not None
        groups[f"document {document}" if known else f"question {pair.question.id}"].append(pair)
    return list(groups.values())


def _taken(groups: Sequence[Sequence[Pair]], wanted: int) -> set[str]:
    """The ids of whole groups that together come near to `wanted`, at least one group where any are wanted."""
    taken: set[str] = set()
    left = wanted
    for group in groups:
        if left > 0 and len(group) - left <= left:
            taken.update(pair.question.id for pair in group)
            left -= len(group)
    if wanted and not taken:
        taken.update(pair.question.id for pair in min(groups, key=len))
    return taken


def _distinct(pairs: Sequence[Pair], known: KnownQuestions) -> tuple[list[Pair], int]:
    kept = []
    for pair in pairs:
        if known.has_like(pair.question.question):
            continue
        known.add(pair.question.question)
        kept.append(pair)
    return kept, len(pairs) - len(kept)
