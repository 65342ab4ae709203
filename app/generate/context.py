"""Which slices of the hits go into the prompt: the best windows within a token budget, neighbours merged."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from app.text.sentence_tokens import TokenedSentence, sentence_tokens
from app.text.sentences import Span
from app.text.table_headers import table_header
from app.text.tokens import query_tokens
from app.types import Hit

_RANK_PRIOR = 0.9
_RANK_DECAY = 0.8
"""A hit's rank counts for that much beside the share of the question found in a sentence (0..1)."""

_NEIGHBOUR = (0.5, 0.25)
"""How much of a sentence's score its next and next but one neighbours get, so that windows hang together."""

_SOURCE_TOKENS = 25
"""What a passage's first line (number, document, heading) costs."""

_TOUCHING = 2
"""Characters (white space) that a splitter may drop between two neighbouring chunks."""

_TABLE_ROW = re.compile(r"\t|\s\|\s|^\||\S {2,}\S+ {2,}\S")
_LEAST_TOKENS = 60

_ESTIMATES_KEPT = 8192
"""Of sentences, about 2 MB."""

CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Window:
    """The slice `start:end` of a hit's chunk text."""

    hit: Hit
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.hit.chunk.text[self.start : self.end]

    @property
    def table_header(self) -> str:
        """The first row of the table inside which the window begins, where the window does not show it."""
        chunk = self.hit.chunk
        inside = table_header(chunk.text, self.start)
        if inside or not chunk.table_header:
            return inside
        rows_so_far = chunk.text[: self.start + 1].split("\n")
        return chunk.table_header if all("\t" in row for row in rows_so_far[:-1]) and self._begins_with_row() else ""

    def _begins_with_row(self) -> bool:
        return "\t" in self.text.lstrip("\n").split("\n", 1)[0]

    @property
    def document_start(self) -> int:
        return self.hit.chunk.start + self.start

    @property
    def document_end(self) -> int:
        return self.hit.chunk.start + self.end


@dataclass(frozen=True, slots=True)
class Passage:
    """Windows of one document in reading order, as one numbered passage of the prompt (numbers start at 1)."""

    number: int
    windows: tuple[Window, ...]

    @property
    def best(self) -> Hit:
        return min((window.hit for window in self.windows), key=lambda hit: hit.scores.rank)

    @property
    def source(self) -> str:
        """The document's name and the heading it stands under."""
        headings = self.windows[0].hit.chunk.heading_path[-2:]
        return " > ".join([self.best.document_name, *headings])

    @property
    def text(self) -> str:
        """The windows joined; what was left out between two of them shows as an ellipsis."""
        parts: list[str] = []
        end = None
        for window in self.windows:
            if end is not None:
                gap = window.document_start - end
                parts.append("" if gap <= 0 else " " if gap <= _TOUCHING else " …\n")
            if window.table_header and window.table_header not in "".join(parts):
                parts.append(f"\n{window.table_header}\n" if parts else f"{window.table_header}\n")
            parts.append(window.text)
            end = window.document_end
        return "".join(parts).strip()


@lru_cache(maxsize=_ESTIMATES_KEPT)
def estimate_tokens(text: str) -> int:
    """Tokens of a Qwen-like vocabulary, by rule: 0.7 a Chinese character, 1 a digit, 0.25 a letter, 0.6 a mark."""
    total = 0.0
    for char in text:
        if char.isdigit():
            total += 1.0
        elif char.isalpha():
            total += 0.25 if char < "\u2e80" else 0.7
        elif not char.isspace():
            total += 0.6
        elif char == "\n":
            total += 0.4
    return math.ceil(total)


@dataclass(frozen=True, slots=True)
class _Candidate:
    hit_index: int
    sentence_index: int
    priority: float


def select_passages(
    question: str, hits: Sequence[Hit], budget_tokens: int, count_tokens: CountTokens = estimate_tokens
) -> tuple[Passage, ...]:
    """The passages for the prompt, best hit first, together at most `budget_tokens`; none only where `hits` is empty.

    Sentences are taken by the share of the question's telling words in them and around them and by their hit's rank;
    a sentence that two overlapping chunks hold is taken once.
    """
    read = [sentence_tokens(hit.chunk.text) for hit in hits]
    spans = [[sentence.span for sentence in sentences] for sentences in read]
    chosen = _choose(_candidates(question, read), hits, spans, budget_tokens, count_tokens)
    windows = [
        Window(hit, start, end)
        for index, hit in enumerate(hits)
        for start, end in _runs(hit.chunk.text, spans[index], chosen.get(index, set()))
    ]
    return _merged(windows)


def _candidates(question: str, read: Sequence[Sequence[TokenedSentence]]) -> list[_Candidate]:
    wanted = set(query_tokens(question))
    found = [[wanted & sentence.tokens for sentence in sentences] for sentences in read]
    frequency = Counter(token for sentences in found for tokens in sentences for token in tokens)
    count = sum(len(sentences) for sentences in found)
    weight = {token: math.log(1 + count / frequency[token]) for token in frequency}
    most = sum(weight.values()) or 1.0
    candidates: list[_Candidate] = []
    for i, sentences in enumerate(found):
        own = [sum(weight[token] for token in tokens) / most for tokens in sentences]
        prior = _RANK_PRIOR * _RANK_DECAY**i
        candidates.extend(_Candidate(i, j, prior + score) for j, score in enumerate(_smoothed(own)))
    return sorted(candidates, key=lambda c: (-c.priority, c.hit_index, c.sentence_index))


def _smoothed(own: Sequence[float]) -> list[float]:
    """A sentence's score or its share of a neighbour's, whichever is more, plus a little of the rest."""
    scores = []
    for j, score in enumerate(own):
        near = [
            factor * own[k]
            for distance, factor in enumerate(_NEIGHBOUR, start=1)
            for k in (j - distance, j + distance)
            if 0 <= k < len(own)
        ]
        scores.append(max([score, *near]) + 0.1 * sum(near))
    return scores


def _choose(
    candidates: Sequence[_Candidate],
    hits: Sequence[Hit],
    spans: Sequence[Sequence[Span]],
    budget: int,
    count_tokens: CountTokens,
) -> dict[int, set[int]]:
    """Sentence indexes by hit index."""
    chosen: dict[int, set[int]] = {}
    covered: dict[str, list[tuple[int, int]]] = {}
    left = budget
    for candidate in candidates:
        hit = hits[candidate.hit_index]
        span = spans[candidate.hit_index][candidate.sentence_index]
        start, end = hit.chunk.start + span.start, hit.chunk.start + span.end
        places = covered.setdefault(hit.chunk.document_id, [])
        if any(first <= start and end <= last for first, last in places):
            continue
        cost = count_tokens(span.of(hit.chunk.text)) + (0 if candidate.hit_index in chosen else _SOURCE_TOKENS)
        if cost > left and chosen:
            if left < _LEAST_TOKENS:
                break
            continue
        left -= cost
        places.append((start, end))
        chosen.setdefault(candidate.hit_index, set()).add(candidate.sentence_index)
    return chosen


def _runs(text: str, spans: Sequence[Span], chosen: set[int]) -> list[tuple[int, int]]:
    """Neighbouring sentences as one slice; a slice that begins inside a table gets the table's first row before it."""
    runs: list[tuple[int, int]] = []
    previous = None
    for j in sorted(chosen):
        if previous is not None and j == previous + 1:
            runs[-1] = (runs[-1][0], spans[j].end)
        else:
            head = _table_head(text, spans, j)
            if head is not None and (previous is None or head > previous):
                runs.append((spans[head].start, spans[head].end))
            runs.append((spans[j].start, spans[j].end))
        previous = j
    return runs


def _table_head(text: str, spans: Sequence[Span], j: int) -> int | None:
    head = j
    while head >= 0 and _TABLE_ROW.search(spans[head].of(text)):
        head -= 1
    head += 1
    return head if head < j else None


def _merged(windows: Sequence[Window]) -> tuple[Passage, ...]:
    """One passage for windows of a document that touch or come from one chunk, in the order of their best hits."""
    by_document: dict[str, list[Window]] = {}
    for window in windows:
        by_document.setdefault(window.hit.chunk.document_id, []).append(window)
    groups: list[list[Window]] = []
    for members in by_document.values():
        members.sort(key=lambda w: (w.document_start, -w.document_end))
        group: list[Window] = []
        for window in members:
            clipped = _without_overlap(window, group[-1].document_end if group else -1)
            if clipped is None:
                continue
            if group and not _belongs(group[-1], clipped):
                groups.append(group)
                group = []
            group.append(clipped)
        groups.append(group)
    groups.sort(key=lambda group: min(window.hit.scores.rank for window in group))
    return tuple(Passage(number, tuple(group)) for number, group in enumerate(groups, start=1))


def _without_overlap(window: Window, end: int) -> Window | None:
    """The part of `window` behind the document offset `end`, or None where nothing is left."""
    if window.document_start >= end:
        return window
    if window.document_end <= end:
        return None
    return Window(window.hit, end - window.hit.chunk.start, window.end)


def _belongs(before: Window, after: Window) -> bool:
    return before.hit.chunk.id == after.hit.chunk.id or after.document_start - before.document_end <= _TOUCHING
