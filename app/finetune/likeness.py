"""Which questions ask the same, so that nothing is learned twice and nothing that is measured is learned."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from app.text.tokens import query_tokens

_ALIKE = 0.8
"""Shared telling words against all of both questions, from which on they ask the same."""

_VALUES = re.compile(r"(?:[A-Za-z]+[-_/]?)?\d+(?:[.,/]\d+)*")


class KnownQuestions:
    """Questions to compare others with."""

    def __init__(self, questions: Sequence[str] = ()) -> None:
        self._questions: list[tuple[frozenset[str], frozenset[str]]] = []
        self._having: defaultdict[str, list[int]] = defaultdict(list)
        for question in questions:
            self.add(question)

    def add(self, question: str) -> None:
        tokens = frozenset(query_tokens(question))
        for token in tokens:
            self._having[token].append(len(self._questions))
        self._questions.append((tokens, _values(question)))

    def has_like(self, question: str) -> bool:
        """Whether one of them has nearly the same words and the same numbers and codes."""
        tokens, values = frozenset(query_tokens(question)), _values(question)
        shared = Counter(index for token in tokens for index in self._having.get(token, ()))
        return any(
            self._questions[index][1] == values and count >= _ALIKE * len(tokens | self._questions[index][0])
            for index, count in shared.items()
        )


def _values(question: str) -> frozenset[str]:
    return frozenset(value.casefold() for value in _VALUES.findall(question))
