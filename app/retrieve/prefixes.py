"""What an embedding model must see before a question and before a passage."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Prefixes:
    """What a model was trained to see before a question and before a passage."""

    query: str = ""
    passage: str = ""
    overridden: bool = False

    @property
    def mark(self) -> str:
        """What these prefixes add to an embedder's fingerprint: nothing, unless a setting took the table's place."""
        if not self.overridden:
            return ""
        return "+" + hashlib.sha256(f"{self.query}\0{self.passage}".encode()).hexdigest()[:8]


_E5 = Prefixes("query: ", "passage: ")
_BGE_EN = Prefixes("Represent this sentence for searching relevant passages: ")
_BGE_ZH = Prefixes("为这个句子生成表示以用于检索相关文章：")
PREFIXES: Mapping[str, Prefixes] = MappingProxyType(
    {
        "multilingual-e5-small": _E5,
        "multilingual-e5-base": _E5,
        "multilingual-e5-large": _E5,
        "e5-small-v2": _E5,
        "e5-base-v2": _E5,
        "e5-large-v2": _E5,
        "bge-small-en-v1.5": _BGE_EN,
        "bge-base-en-v1.5": _BGE_EN,
        "bge-large-en-v1.5": _BGE_EN,
        "bge-small-zh-v1.5": _BGE_ZH,
        "bge-base-zh-v1.5": _BGE_ZH,
        "bge-large-zh-v1.5": _BGE_ZH,
    }
)
"""By the last part of a model's name, from the models' own pages; a model that is not here gets no prefix."""


def prefixes_for(model: str, query: str | None = None, passage: str | None = None) -> Prefixes:
    """The prefixes of a model by its known name or hub id (`intfloat/multilingual-e5-small`).

    `query` and `passage` are the user's own and win where they are given.
    """
    known = PREFIXES.get(model.rstrip("/").rsplit("/", 1)[-1].casefold(), Prefixes())
    if query is None and passage is None:
        return known
    mine = Prefixes(known.query if query is None else query, known.passage if passage is None else passage)
    return known if mine == known else replace(mine, overridden=True)
