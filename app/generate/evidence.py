"""Sentences of the passages as evidence: found again by words or by meaning, quoted with their page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from app.generate.context import Passage
from app.text.sentence_tokens import sentence_tokens
from app.text.tokens import index_tokens
from app.types import Citation, Hit

_MOST_QUOTED = 600
"""Characters of a quote; a sentence is shorter, a run of table rows may not be."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sentence that the model was shown: the slice `start:end` of its hit's chunk text."""

    hit: Hit
    start: int
    end: int
    tokens: frozenset[str]

    @property
    def text(self) -> str:
        return self.hit.chunk.text[self.start : self.end]

    @property
    def around(self) -> str:
        """What stands over the sentence: the document's name and headings. True of it, though not part of a quote."""
        return " ".join([self.hit.document_name, *self.hit.chunk.heading_path])

    @property
    def document_start(self) -> int:
        return self.hit.chunk.start + self.start


def evidence_of(passages: Iterable[Passage]) -> list[Evidence]:
    """Every whole sentence of the windows, in the order of the passages, each place of a document once."""
    found: list[Evidence] = []
    seen: set[tuple[str, int]] = set()
    for passage in passages:
        for window in passage.windows:
            chunk = window.hit.chunk
            for sentence in sentence_tokens(chunk.text):
                span = sentence.span
                place = (chunk.document_id, chunk.start + span.end)
                if span.start >= window.end or span.end <= window.start or place in seen:
                    continue
                seen.add(place)
                found.append(Evidence(window.hit, span.start, span.end, sentence.tokens))
    return found


class Weights:
    """How telling a token is among these sentences: one that stands in all of them says little."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._count = len(evidence)
        self._frequency = Counter(token for item in evidence for token in item.tokens)

    def of(self, token: str) -> float:
        return math.log(1 + self._count / max(1, self._frequency[token]))

    def share(self, wanted: Collection[str], there: Collection[str]) -> float:
        """The share (0..1) of `wanted`, by weight, that is in `there`; 0 where nothing is wanted."""
        total = sum(self.of(token) for token in wanted)
        return sum(self.of(token) for token in wanted if token in there) / total if total else 0.0


def widened(evidence: Evidence, sentences_before: int, sentences_after: int) -> Evidence:
    """The same with neighbouring sentences of its chunk taken in, as one slice that is still quotable."""
    text = evidence.hit.chunk.text
    spans = [sentence.span for sentence in sentence_tokens(text)]
    here = next((i for i, span in enumerate(spans) if span.start <= evidence.start < span.end), None)
    if here is None:
        return evidence
    start = min(evidence.start, spans[max(0, here - sentences_before)].start)
    end = max(evidence.end, spans[min(len(spans) - 1, here + sentences_after)].end)
    if end - start > _MOST_QUOTED:
        return evidence
    return replace(evidence, start=start, end=end, tokens=frozenset(index_tokens(text[start:end])))


def citation_of(evidence: Evidence) -> Citation:
    """The quote, an exact slice of the chunk's text on one page: of two pages, the larger part."""
    chunk = evidence.hit.chunk
    borders = [offset for offset, _ in chunk.page_starts if evidence.start < offset < evidence.end]
    cuts = [evidence.start, *borders, evidence.end]
    start, end = max(pairwise(cuts), key=lambda part: part[1] - part[0])
    quote = chunk.text[start:end]
    shift = len(quote) - len(quote.lstrip())
    return Citation(
        document_id=chunk.document_id,
        document_name=evidence.hit.document_name,
        chunk_id=chunk.id,
        page=chunk.page_at(start + shift),
        quote=quote.strip(),
        cosine=evidence.hit.scores.cosine,
    )
