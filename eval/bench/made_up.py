"""Made-up manuals of any number: words as frequent as in a language, vectors as close together as an embedder's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.ports import Vectors

DIMENSIONS = 384
CHUNKS_A_DOCUMENT = 500
"""Those of a manual of about 200 pages."""

_WORDS = 60_000
_WORDS_A_CHUNK = 120
_ZIPF_SHIFT = 2.7
_TOPICS = 2000
_COMMON, _OF_TOPIC, _OWN = 1.0, 0.6, 0.5
"""Weights of what all chunks have in common, a topic's share, and a chunk's own: cosines of 0.6 to 0.9, like e5's."""

_RARE_ASKED, _COMMON_ASKED = 3, 2
_ASKED_NOISE = 0.35
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in ("a", "e", "i", "o", "u", "ai", "ou")]


@dataclass(frozen=True, slots=True)
class MadeDocument:
    """Texts and unit vectors of the chunks of one document, shape (chunks, `DIMENSIONS`)."""

    number: int
    texts: list[str]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class MadeQuestion:
    """A question with its unit vector, and the chunk that it is about."""

    text: str
    vector: Vectors
    document: int
    ordinal: int


class MadeUp:
    """Documents and questions by number; the same seed gives the same ones in any order.

    Words follow Zipf's law with Mandelbrot's shift: frequency in proportion to 1 / (rank + 2.7).
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def document(self, number: int) -> MadeDocument:
        """The document of this number."""
        rng = np.random.default_rng((self._seed, 1, number))
        drawn = np.searchsorted(self._shares, rng.random((CHUNKS_A_DOCUMENT, _WORDS_A_CHUNK)))
        texts = [" ".join(self._words[drawn_word] for drawn_word in row) for row in drawn]
        topics = rng.integers(0, _TOPICS, CHUNKS_A_DOCUMENT)
        own = _unit(rng.normal(size=(CHUNKS_A_DOCUMENT, DIMENSIONS)))
        return MadeDocument(number, texts, _unit(self._topics[topics] + _OWN * own))

    def question(self, number: int, documents: int) -> MadeQuestion:
        """A question about one of the first so many documents: its rarest words, and a vector near its chunk's."""
        rng = np.random.default_rng((self._seed, 2, number))
        document = self.document(int(rng.integers(documents)))
        ordinal = int(rng.integers(CHUNKS_A_DOCUMENT))
        words = sorted(set(document.texts[ordinal].split(" ")), key=self._rank.__getitem__)
        asked = [*words[-_RARE_ASKED:], *words[:_COMMON_ASKED]]
        noise = _unit(rng.normal(size=(1, DIMENSIONS)))
        vector = _unit(document.vectors[ordinal : ordinal + 1] + _ASKED_NOISE * noise)[0]
        return MadeQuestion(" ".join(asked), vector, document.number, ordinal)

    @cached_property
    def _words(self) -> list[str]:
        rng = np.random.default_rng((self._seed, 3))
        words: dict[str, None] = {}
        while len(words) < _WORDS:
            words["".join(_SYLLABLES[i] for i in rng.integers(0, len(_SYLLABLES), int(rng.integers(1, 5))))] = None
        return list(words)

    @cached_property
    def _rank(self) -> dict[str, int]:
        return {word: rank for rank, word in enumerate(self._words)}

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        """The share of all words that the first so many have."""
        frequencies = 1.0 / (np.arange(_WORDS) + 1 + _ZIPF_SHIFT)
        shares: NDArray[np.float64] = np.cumsum(frequencies) / np.sum(frequencies)
        return shares

    @cached_property
    def _topics(self) -> Vectors:
        rng = np.random.default_rng((self._seed, 4))
        common = _unit(rng.normal(size=(1, DIMENSIONS)))
        topics: Vectors = _COMMON * common + _OF_TOPIC * _unit(rng.normal(size=(_TOPICS, DIMENSIONS)))
        return topics


def _unit(rows: NDArray[np.floating]) -> Vectors:
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit
