"""Search: candidates from both sides, a cosine for every one, one order, the threshold, and the reasons for it all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from app.ports import ChunkReader, Embedder, KeywordIndex, Vectors, VectorStore
from app.retrieve.fusion import KEYWORD_WEIGHT, Candidate, Fused, fuse
from app.retrieve.threshold import passes
from app.types import Chunk, Hit, Scores, SearchResult

log = structlog.get_logger(__name__)

REJECTED_SHOWN = 3
_MOST_WIDENED = 8
"""How many times `candidates` are taken at most where documents that are not visible crowd the index."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The candidates that may be shown, and whether a wider search could find more."""

    candidates: list[Candidate]
    chunks: Mapping[str, tuple[Chunk, str]]
    more: bool


class Searcher:
    """Finds the passages of one knowledge base that a question is about. Raises `Unavailable` errors of its parts."""

    def __init__(
        self,
        vectors: VectorStore,
        keywords: KeywordIndex,
        chunks: ChunkReader,
        candidates: int,
    ) -> None:
        self._vectors = vectors
        self._keywords = keywords
        self._chunks = chunks
        self._candidates = candidates

    def search(
        self,
        embedder: Embedder,
        knowledge_base_id: str,
        index_id: str,
        question: str,
        limit: int,
        threshold: float,
        keyword_weight: float = KEYWORD_WEIGHT,
        also: Sequence[str] = (),
    ) -> SearchResult:
        """At most `limit` hits that pass `threshold`, best first, and the nearest few that do not.

        Only chunks that are visible at this moment appear, whatever the indexes still or already hold. An empty index
        gives an empty result. `embedder` is the one that built the index. `seconds` is the time of the whole search.
        With other wordings of the question in `also`, words of any are looked for, and a passage's cosine is the mean
        of its cosines to all wordings.
        """
        started = time.perf_counter()
        wordings = [question, *also]
        vectors = embedder.embed_queries(wordings)
        embedded = time.perf_counter()
        found = self._find(knowledge_base_id, index_id, "\n".join(wordings), vectors, limit)
        ordered = fuse(found.candidates, keyword_weight)
        hits = [_hit(item, rank, found.chunks, threshold) for rank, item in enumerate(ordered, start=1)]
        passed = tuple(hit for hit in hits if hit.scores.passed)[:limit]
        rejected = sorted((hit for hit in hits if not hit.scores.passed), key=lambda hit: -hit.scores.cosine)
        seconds = time.perf_counter() - started
        log.info(
            "searched",
            knowledge_base_id=knowledge_base_id,
            candidates=len(hits),
            hits=len(passed),
            best_cosine=round(max((hit.scores.cosine for hit in hits), default=0.0), 4),
            embed_seconds=round(embedded - started, 4),
            seconds=round(seconds, 4),
        )
        return SearchResult(passed, tuple(rejected[:REJECTED_SHOWN]), threshold, seconds, tuple(also))

    def _find(self, knowledge_base_id: str, index_id: str, words: str, vectors: Vectors, limit: int) -> _Found:
        """Candidates that are visible; taken more widely while too few of them are and there are more to take."""
        width = max(self._candidates, limit)
        while True:
            found = self._candidates_within(width, knowledge_base_id, index_id, words, vectors)
            if len(found.candidates) >= limit or not found.more or width >= _MOST_WIDENED * self._candidates:
                return found
            width *= 2

    def _candidates_within(
        self, width: int, knowledge_base_id: str, index_id: str, words: str, vectors: Vectors
    ) -> _Found:
        by_words = self._keywords.search(index_id, words, width)
        by_each = [self._vectors.search(index_id, vector, width) for vector in vectors]
        ids = list(dict.fromkeys(chunk_id for found in (by_words, *by_each) for chunk_id, _ in found))
        chunks = self._chunks.visible_chunks(knowledge_base_id, index_id, ids)
        visible = [chunk_id for chunk_id in ids if chunk_id in chunks]
        each = [self._vectors.cosines(index_id, visible, vector) for vector in vectors]
        cosines = {chunk_id: sum(one[chunk_id] for one in each) / len(each) for chunk_id in each[0]}
        by_vector = by_each[0] if len(by_each) == 1 else _ranked(by_each, cosines)
        bm25 = dict(by_words)
        bm25_ranks = {chunk_id: rank for rank, chunk_id in enumerate(bm25, start=1)}
        vector_ranks = {chunk_id: rank for rank, (chunk_id, _) in enumerate(by_vector, start=1)}
        candidates = [
            Candidate(chunk_id, cosine, bm25.get(chunk_id), bm25_ranks.get(chunk_id), vector_ranks.get(chunk_id))
            for chunk_id, cosine in cosines.items()
        ]
        return _Found(candidates, chunks, more=width in (len(by_words), *(len(found) for found in by_each)))


def _ranked(by_each: Sequence[list[tuple[str, float]]], cosines: Mapping[str, float]) -> list[tuple[str, float]]:
    """What any wording found, by the cosine that holds for it."""
    found = {chunk_id for one in by_each for chunk_id, _ in one if chunk_id in cosines}
    return sorted(((chunk_id, cosines[chunk_id]) for chunk_id in found), key=lambda item: (-item[1], item[0]))


def _hit(item: Fused, rank: int, chunks: Mapping[str, tuple[Chunk, str]], threshold: float) -> Hit:
    candidate = item.candidate
    chunk, document_name = chunks[candidate.chunk_id]
    scores = Scores(
        cosine=candidate.cosine,
        fused=item.score,
        rank=rank,
        bm25=candidate.bm25,
        bm25_rank=candidate.bm25_rank,
        vector_rank=candidate.vector_rank,
        passed=passes(candidate.cosine, threshold),
    )
    return Hit(chunk, document_name, scores)
