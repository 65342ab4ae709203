"""The same questions put to both sides. They are made of passages and their stored vectors, so that no model is needed.

Cosines are the same up to rounding. BM25 scores are not: a fresh index does not count passages that were deleted, and
engines round the length of a passage. So it is looked at each side of a search alone: what is among the first on one
side has to be found on the other, unless its score is about that of the last one found there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.moving.sides import Side, Told
from app.ports import Vectors
from app.retrieve.fusion import Candidate, fuse

HITS = 8
CLOSE_COSINE = 1e-4
CLOSE_BM25 = 0.15
"""Share by which BM25 of a passage may differ. On 14 real manuals (2,000 passages, 600 questions) tantivy and
milvus-lite differed by up to 0.053."""

_WIDTH = 50
_QUESTION_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Question:
    """A question to one index: the beginning of a passage, with that passage's vector."""

    knowledge_base_id: str
    index_id: str
    text: str
    vector: Vectors


@dataclass(frozen=True, slots=True)
class Found:
    """What one side found: scores by chunk id, the last of each list, and the ids in the order of both together."""

    cosines: Mapping[str, float]
    bm25: Mapping[str, float]
    last_cosine: float
    last_bm25: float
    order: tuple[str, ...]


@dataclass(slots=True)
class Answers:
    """How the answers of both sides compare."""

    asked: int = 0
    same_first: int = 0
    same_order: int = 0
    different: int = 0
    largest_difference: float = 0.0

    def add(self, old: Found, new: Found) -> None:
        """Counts in what both sides found for one question."""
        self.asked += 1
        self.same_first += old.order[:1] == new.order[:1]
        self.same_order += old.order[:HITS] == new.order[:HITS]
        apart = [abs(old.cosines[one] - new.cosines[one]) for one in old.cosines.keys() & new.cosines.keys()]
        self.largest_difference = max([self.largest_difference, *apart])
        agree = max(apart, default=0.0) <= CLOSE_COSINE and _finds(old, new) and _finds(new, old)
        self.different += not agree


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
            yield Question(base_id, index_id, " ".join(chunk.text.split())[:_QUESTION_CHARACTERS], vectors[0])


def _found(side: Side, question: Question) -> Found:
    """Candidates as a server takes them, of what can be seen, and their order."""
    index_id, vector = question.index_id, question.vector
    by_vector = side.stores.vectors.search(index_id, vector, _WIDTH)
    by_words = side.stores.keywords.search(index_id, question.text, _WIDTH)
    ids = list(dict.fromkeys(chunk_id for chunk_id, _ in (*by_words, *by_vector)))
    visible = sorted(side.stores.contents.visible_chunks(question.knowledge_base_id, index_id, ids))
    exact = side.stores.vectors.cosines(index_id, visible, vector)
    bm25 = dict(by_words)
    return Found(
        cosines={chunk_id: exact[chunk_id] for chunk_id, _ in by_vector if chunk_id in exact},
        bm25={chunk_id: score for chunk_id, score in by_words if chunk_id in exact},
        last_cosine=by_vector[-1][1] if len(by_vector) == _WIDTH else -1.0,
        last_bm25=by_words[-1][1] if len(by_words) == _WIDTH else 0.0,
        order=tuple(
            one.candidate.chunk_id for one in fuse([Candidate(key, exact[key], bm25.get(key)) for key in exact])
        ),
    )


def _finds(one: Found, other: Found) -> bool:
    """Whether each list of `other` has what is among the first of `one`'s, or ends about where that would stand."""
    first_by_vector = sorted(one.cosines, key=lambda key: -one.cosines[key])[:HITS]
    first_by_words = sorted(one.bm25, key=lambda key: -one.bm25[key])[:HITS]
    return all(
        key in other.cosines or one.cosines[key] <= other.last_cosine + CLOSE_COSINE for key in first_by_vector
    ) and all(key in other.bm25 or one.bm25[key] <= other.last_bm25 * (1 + CLOSE_BM25) for key in first_by_words)
