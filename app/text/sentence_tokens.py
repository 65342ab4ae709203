"""The sentences of a text with their search tokens, kept for the texts that were read last."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from app.text.sentences import Span, sentence_spans
from app.text.tokens import index_tokens

_TEXTS_KEPT = 1024
"""An answer reads its chunks several times, and what many ask about comes again: about 10 MB."""


@dataclass(frozen=True, slots=True)
class TokenedSentence:
    """The span of a sentence and its tokens, each once."""

    span: Span
    tokens: frozenset[str]


@lru_cache(maxsize=_TEXTS_KEPT)
def sentence_tokens(text: str) -> tuple[TokenedSentence, ...]:
    """The sentences of a chunk's text in order."""
    return tuple(TokenedSentence(span, frozenset(index_tokens(span.of(text)))) for span in sentence_spans(text))
