"""An answer without the model: the best passages' own sentences, quoted and cited, or none where nothing fits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import structlog

from app.errors import EmbedderUnavailable
from app.generate.context import Passage
from app.generate.evidence import Evidence, Weights, citation_of, evidence_of, widened
from app.ports import Embedder
from app.text.tokens import query_tokens
from app.types import Sentence

log = structlog.get_logger(__name__)

LEAST_SHARE = 0.35
"""Share of the question's telling words that the best sentence and its surroundings must hold."""

LEAST_COSINE = 0.86
"""Where words do not meet (another language), the nearest sentence by meaning is quoted from this cosine on."""

_MOST_SENTENCES = 3
_NEAR_BEST = 0.7
_SHORT = 40
_MOST_EMBEDDED = 8


def extract(question: str, passages: Sequence[Passage], embedder: Embedder | None = None) -> tuple[Sentence, ...]:
    """Up to three sentences in the order of their score, each its own citation; empty below the floor."""
    asked = query_tokens(question)
    evidence = evidence_of(passages)
    if not evidence:
        return ()
    weights = Weights(evidence)
    shares = [
        weights.share(asked, _context_tokens(item)) * 0.5 + weights.share(asked, item.tokens) for item in evidence
    ]
    ranked = sorted(range(len(evidence)), key=lambda i: (-shares[i], i))
    best = evidence[ranked[0]]
    if weights.share(asked, _context_tokens(best)) < LEAST_SHARE:
        nearest = _nearest(question, [evidence[i] for i in ranked[:_MOST_EMBEDDED]], embedder)
        return () if nearest is None else (_quoted(nearest),)
    chosen = [evidence[i] for i in ranked[:_MOST_SENTENCES] if shares[i] >= _NEAR_BEST * shares[ranked[0]]]
    sentences = {sentence.text: sentence for sentence in map(_quoted, chosen)}
    return tuple(s for s in sentences.values() if not any(s.text != o and s.text in o for o in sentences))


def _context_tokens(item: Evidence) -> frozenset[str]:
    return widened(item, 1, 1).tokens | frozenset(query_tokens(item.around))


def _quoted(item: Evidence) -> Sentence:
    """The sentence as it stands; a heading or a table's label takes the line behind it along."""
    text = item.text.strip()
    whole = widened(item, 0, 1) if len(text) < _SHORT or text.endswith((":", "：")) else item
    citation = citation_of(whole)
    return Sentence(" ".join(citation.quote.split()), (citation,), grounded=True)


def _nearest(question: str, evidence: Sequence[Evidence], embedder: Embedder | None) -> Evidence | None:
    if embedder is None:
        return None
    try:
        near = embedder.embed_passages([item.text for item in evidence]) @ embedder.embed_queries([question])[0]
    except EmbedderUnavailable as error:
        log.warning("extract_without_embedder", reason=error.detail)
        return None
    best = int(np.argmax(near))
    return evidence[best] if near[best] >= LEAST_COSINE else None
