"""What an answer in the making sends out: sources, tokens as the model writes, the checked answer."""

from __future__ import annotations

from dataclasses import dataclass

from app.types import Answer, SearchResult


@dataclass(frozen=True, slots=True)
class SourcesEvent:
    """The hits the answer will be made from; sent once, before everything else."""

    result: SearchResult


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """A piece of what the model writes, not checked yet; only `DoneEvent` says what holds."""

    text: str


@dataclass(frozen=True, slots=True)
class DoneEvent:
    """The checked answer; sent once, last."""

    answer: Answer


AnswerEvent = SourcesEvent | TokenEvent | DoneEvent
