"""The same questions put to both sides. They are made of passages and their stored vectors, so that no model is needed.

Each side searches as a server does, with no threshold. Cosines are the same up to rounding. BM25 scores are not: a
fresh index does not count passages that were deleted, and engines round the length of a passage. So a hit may change
places with one whose score is near it, and with no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from app.moving.sides import Side, Told
from app.ports import Vectors
from app.retrieve.search import Searcher
from app.types import SearchResult

HITS = 8
CLOSE_COSINE = 1e-4
CLOSE_SCORE = 0.1
"""Of 1: largest difference of fused scores, and how far apart two hits may be that changed places."""

_WIDTH = 50
_QUESTION_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Question:
    """A question to one index: the beginning of a passage, with that passage's vector."""

    knowledge_base_id: str
    index_id: str
    chunk_id: str
    text: str
    vector: Vectors


@dataclass(slots=True)
class Answers:
    """How the answers of both sides compare."""

    asked: int = 0
    same_first: int = 0
    same_order: int = 0
    different: int = 0
    largest_difference: float = 0.0

    def add(self, old: SearchResult, new: SearchResult) -> None:
        """Counts in what both sides found for one question."""
        before, after = _ids(old), _ids(new)
        self.asked += 1
        self.same_first += before[:1] == after[:1]
        self.same_order += before[:HITS] == after[:HITS]
        old_cosines, new_cosines = _cosines(old), _cosines(new)
        apart = [abs(old_cosines[one] - new_cosines[one]) for one in old_cosines.keys() & new_cosines.keys()]
        self.largest_difference = max([self.largest_difference, *apart])
        wrong = max(apart, default=0.0) > CLOSE_COSINE or not (_keeps(old, new) and _keeps(new, old))
        self.different += wrong


def ask_both(source: Side, target: Side, most: int, told: Told) -> Answers:
    """Puts `most` questions, or as many as there are passages, to both sides."""
    answers = Answers()
    questions = list(_questions(source, most))
    told("questions", 0, len(questions))
    for number, question in enumerate(questions, start=1):
        answers.add(_found(source, question), _found(target, question))
        told("questions", number, len(questions))
    return answers


def _questions(side: Side, most: int) -> Iterator[Question]:
    """Passages that are spread evenly over all that can be found."""
    live = [(base.id, base.index_id) for base in side.stores.bases.all()]
    places = [(base_id, index_id, one) for base_id, index_id in live for one in side.facts.searchable_chunks(index_id)]
    places.sort()
    wanted = min(most, len(places))
    for number in range(wanted):
        base_id, index_id, chunk_id = places[number * len(places) // wanted]
        _, vectors = side.stores.vectors.vectors(index_id, [chunk_id])
        chunk, _ = side.stores.contents.visible_chunks(base_id, index_id, [chunk_id])[chunk_id]
        if len(vectors):
            yield Question(base_id, index_id, chunk_id, " ".join(chunk.text.split())[:_QUESTION_CHARACTERS], vectors[0])


def _found(side: Side, question: Question) -> SearchResult:
    searcher = Searcher(side.stores.vectors, side.stores.keywords, side.stores.contents, _WIDTH)
    embedder = _Given(question.vector)
    return searcher.search(
        embedder, question.knowledge_base_id, question.index_id, question.text, _WIDTH, threshold=-1.0
    )


def _ids(found: SearchResult) -> list[str]:
    return [hit.chunk.id for hit in found.hits]


def _cosines(found: SearchResult) -> dict[str, float]:
    return {hit.chunk.id: hit.scores.cosine for hit in found.hits}


def _keeps(one: SearchResult, other: SearchResult) -> bool:
    """Whether each of the first hits of one side is among the other's, or would be with a score that is near."""
    scores = {hit.chunk.id: hit.scores.fused for hit in other.hits}
    last = min((hit.scores.fused for hit in other.hits[:HITS]), default=0.0)
    return all(
        hit.chunk.id in scores
        and scores[hit.chunk.id] >= last - CLOSE_SCORE
        and abs(scores[hit.chunk.id] - hit.scores.fused) <= CLOSE_SCORE
        for hit in one.hits[:HITS]
    )


class _Given:
    """Port `Embedder` for one question whose vector is known."""

    fingerprint = "given"
    max_tokens = 512

    def __init__(self, vector: Vectors) -> None:
        self._vector = np.asarray(vector, np.float32)

    @property
    def dimensions(self) -> int:
        return len(self._vector)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [0 for _ in texts]

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        rows: Vectors = np.stack([self._vector for _ in texts])
        return rows

    embed_passages = embed_queries
