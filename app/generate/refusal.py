"""The model's agreed refusal sentence: told from an answer, and kept from flashing by while it streams."""

from __future__ import annotations

import re
from typing import get_args

from app.generate.prompt import REFUSAL
from app.text.sentences import split_sentences
from app.types import Language

_VARIANTS = (
    *(REFUSAL[language] for language in get_args(Language)),
    "Not stated in the manual.",
    "Not stated in the passages.",
    "Not stated.",
    "The manuals do not say.",
    "The passages do not state the answer.",
    "手册中没有说明",
    "手册没有说明",
    "手册中未说明",
    "手册未说明",
    "段落中没有说明",
    "段落没有说明",
    "段落没有写明",
)
"""The sentence as agreed and as small models bend it."""


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


_PLAIN = frozenset(_plain(variant) for variant in _VARIANTS)


class RefusalWatch:
    """Passes a stream on once it cannot be the refusal sentence any more."""

    def __init__(self) -> None:
        self._held = ""
        self._clear = False

    def pass_on(self, piece: str) -> str:
        """The text that may be shown now; empty while the beginning is still held back."""
        if self._clear:
            return piece
        self._held += piece
        beginning = _plain(self._held)
        if any(variant.startswith(beginning) or beginning.startswith(variant) for variant in _PLAIN):
            return ""
        self._clear = True
        return self._held.lstrip()

    def rest(self) -> str:
        """What is still held at the end of the stream, empty where it is the refusal."""
        return "" if self._clear or self.is_refusal(self._held) else self._held

    def is_refusal(self, written: str) -> bool:
        """Whether one of the sentences is the refusal: an answer that takes itself back is none."""
        return not written.strip() or any(_plain(sentence) in _PLAIN for sentence in split_sentences(written))
