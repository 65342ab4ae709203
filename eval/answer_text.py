"""The words of an answer as they are compared: numbers, words, single Chinese characters, in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from eval.quantity_text import plain_quantities

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(
    rf"(?:(?<![a-z0-9_.)])[-±])?\d+(?:\.\d+)*|[^\W\d_{_HAN}]+|[{_HAN}]|~|°",
)
_FILLERS = frozenset(
    "the a an of to in on is are and or for by with at it be as from ~ 的 了 和 与 或 在 是 为 从 到".split()
)
_ARTICLES = frozenset({"a", "an", "the"})
_NEGATIONS = frozenset("not no never without 不 未 无 無 非 勿 没 沒 莫".split())
_BETWEEN_NEGATION = frozenset("a an the at in on to be 是 有 为 為 要 能 可 应 應 会 會 得".split())
"""What may stand between "not" and what is denied: "is not the 5 V port", "不是 5 V"."""

_VERSION_LETTERS = frozenset({"v", "ver"})


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text in order; `glued` are the places of numbers that end a name, such as the 2 of WPA2."""

    tokens: tuple[str, ...]
    glued: frozenset[int]

    def places(self, wanted: Sequence[str]) -> list[int]:
        """Where `wanted` begins, its words in a row; a number by itself is not found in a name."""
        n = len(wanted)
        alone = n == 1 and is_number(wanted[0])
        first = wanted[0] if wanted else ""
        return [
            place
            for place, token in enumerate(self.tokens)
            if token == first
            and self.tokens[place : place + n] == tuple(wanted)
            and not (alone and place in self.glued)
        ]

    def denied(self, place: int) -> bool:
        """Whether what begins at `place` follows a "not"."""
        before = place - 1
        if before > 0 and self.tokens[before] in _BETWEEN_NEGATION:
            before -= 1
        return before >= 0 and self.tokens[before] in _NEGATIONS

    @property
    def negations(self) -> int:
        return sum(token in _NEGATIONS for token in self.tokens)

    @property
    def content(self) -> frozenset[str]:
        """The distinct words that say something."""
        return frozenset(self.tokens) - _FILLERS

    @property
    def without_articles(self) -> tuple[str, ...]:
        return tuple(token for token in self.tokens if token not in _ARTICLES)


@lru_cache(maxsize=4096)
def words(text: str) -> Words:
    """The words of `text`, folded: see `eval.quantity_text` for numbers and units."""
    plain = plain_quantities(text)
    tokens: list[str] = []
    glued = set()
    end = -1
    for match in _TOKEN.finditer(plain):
        if match.start() == end and is_number(match.group()) and _is_latin(tokens[-1]):
            glued.add(len(tokens))
        tokens.append(match.group())
        end = match.end()
    return Words(tuple(tokens), frozenset(glued))


def is_number(token: str) -> bool:
    return token[-1:].isdigit()


def _is_latin(token: str) -> bool:
    return token[0].isalpha() and not re.match(f"[{_HAN}]", token) and token not in _VERSION_LETTERS
