"""Names and codes of a question that its passages never mention: a sign that they speak of something else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from app.generate.context import Passage
from app.text.tokens import index_tokens
from app.types import Language

_WORD = re.compile(r"[A-Za-z0-9_]+(?:[-+./][A-Za-z0-9_]+)*")
_SENTENCE_START = re.compile(r"(?:^|[.!?。！？:：]\s*)[\"'“‘(（]*$")


def missing_names(question: str, passages: Sequence[Passage], language: Language) -> list[str]:
    """Names of the question that occur neither in a passage nor in its document's name and headings."""
    asked = names(question, language)
    if not asked:
        return []
    there = {token for passage in passages for text in _texts(passage) for token in index_tokens(text)}
    return [name for name in asked if not _mentioned(name, there)]


def names(question: str, language: Language) -> list[str]:
    """Words that name something: any Latin word in a Chinese question; in an English one those with capitals inside a
    sentence or with digits (`TinyBee`, `HTTPS`, `ESP32`), but not its first word."""
    found = []
    for match in _WORD.finditer(question):
        word = match.group()
        if len(word) < 2 or not any(char.isalpha() for char in word):
            continue
        starts = _SENTENCE_START.search(question[: match.start()]) is not None
        if (
            language == "zh"
            or any(char.isdigit() or char.isupper() for char in word[1:])
            or (word[0].isupper() and not starts)
        ):
            found.append(word)
    return found


def _texts(passage: Passage) -> Iterable[str]:
    yield passage.text
    for window in passage.windows:
        yield window.hit.document_name
        yield from window.hit.chunk.heading_path


def _mentioned(name: str, there: set[str]) -> bool:
    """The name itself or all that it is made of."""
    whole, *parts = index_tokens(name)
    return whole in there or bool(parts and all(part in there for part in parts[-2:]))
