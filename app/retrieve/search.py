"""Search: candidates from both sides, a cosine for every one, one order, the threshold, and the reasons for it all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from app import tracing
from app.ports import ChunkReader, Embedder, KeywordIndex, Vectors, VectorStore
from app.retrieve.fusion import KEYWORD_WEIGHT, Candidate, Fused, fuse, shares
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
        With other wordings of the question in `also`, a passage's cosine and BM25 are the weighted means of what it has
        for each wording; see `app.retrieve.fusion.shares`.
        """
        started = time.perf_counter()
        wordings = [question, *also]
        with tracing.within("embed", wordings=len(wordings)):
            vectors = embedder.embed_queries(wordings)
        embedded = time.perf_counter()
        with tracing.within("search", knowledge_base_id=knowledge_base_id) as span:
            found = self._find(knowledge_base_id, index_id, wordings, vectors, limit)
            ordered = fuse(found.candidates, keyword_weight)
            span.note(candidates=len(ordered))
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

    def _find(
        self, knowledge_base_id: str, index_id: str, wordings: Sequence[str], vectors: Vectors, limit: int
    ) -> _Found:
        """Candidates that are visible; taken more widely while too few of them are and there are more to take."""
        width = max(self._candidates, limit)
        while True:
            found = self._candidates_within(width, knowledge_base_id, index_id, wordings, vectors)
            if len(found.candidates) >= limit or not found.more or width >= _MOST_WIDENED * self._candidates:
                return found
            width *= 2

    def _candidates_within(
        self, width: int, knowledge_base_id: str, index_id: str, wordings: Sequence[str], vectors: Vectors
    ) -> _Found:
        words_each = [self._keywords.search(index_id, wording, width) for wording in wordings]
        by_each = [self._vectors.search(index_id, vector, width) for vector in vectors]
        weights = shares(_values(by_each), _values(words_each))
        ids = list(dict.fromkeys(chunk_id for found in (*words_each, *by_each) for chunk_id, _ in found))
        chunks = self._chunks.visible_chunks(knowledge_base_id, index_id, ids)
        visible = [chunk_id for chunk_id in ids if chunk_id in chunks]
        each = [self._vectors.cosines(index_id, visible, vector) for vector in vectors]
        cosines = _weighted(each, weights)
        bm25 = _weighted([dict(found) for found in words_each], weights)
        bm25_ranks = _ranks(words_each, bm25)
        vector_ranks = _ranks(by_each, cosines)
        candidates = [
            Candidate(chunk_id, cosine, bm25.get(chunk_id), bm25_ranks.get(chunk_id), vector_ranks.get(chunk_id))
            for chunk_id, cosine in cosines.items()
        ]
        return _Found(candidates, chunks, more=any(len(found) == width for found in (*words_each, *by_each)))


def _values(each: Sequence[list[tuple[str, float]]]) -> list[list[float]]:
    return [[value for _, value in found] for found in each]


def _weighted(each: Sequence[Mapping[str, float]], weights: Sequence[float]) -> dict[str, float]:
    """The weighted sum for every chunk that any wording has a value for; no value counts as nothing."""
    ids = dict.fromkeys(chunk_id for one in each for chunk_id in one)
    pairs = list(zip(each, weights, strict=True))
    return {chunk_id: sum(weight * one.get(chunk_id, 0.0) for one, weight in pairs) for chunk_id in ids}


def _ranks(by_each: Sequence[list[tuple[str, float]]], values: Mapping[str, float]) -> dict[str, int]:
    """The ranks of what a side found: in its own order for one wording, else by the value that holds for all."""
    if len(by_each) == 1:
        ordered = [chunk_id for chunk_id, _ in by_each[0]]
    else:
        found = {chunk_id for one in by_each for chunk_id, _ in one if chunk_id in values}
        ordered = sorted(found, key=lambda chunk_id: (-values[chunk_id], chunk_id))
    return {chunk_id: rank for rank, chunk_id in enumerate(ordered, start=1)}


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
