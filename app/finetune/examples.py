"""What an adapter learns from: a prompt as the service writes it, and the reply that is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.ports import Message
from app.types import Language


class ExampleKind(StrEnum):
    """What an example teaches: to answer, to refuse what the manuals do not say, to refuse what the passages do not.

    A `WITHHELD` one is an answerable question whose answer was taken out of the passages.
    """

    ANSWERED = "answered"
    UNANSWERABLE = "unanswerable"
    WITHHELD = "withheld"


class ChatMessage(BaseModel):
    """A message as it is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str


class Example(BaseModel):
    """One prompt and its completion. `id` is that of the question, `document` names the manual where it is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    messages: tuple[ChatMessage, ...]
    completion: str
    kind: ExampleKind
    language: Language
    document: str | None
    question: str


def stored_messages(messages: Iterable[Message]) -> tuple[ChatMessage, ...]:
    """The messages of a prompt as an example keeps them."""
    return tuple(ChatMessage(role=message.role, content=message.content) for message in messages)


def example_lines(examples: Iterable[Example]) -> str:
    """One JSON object a line; `read_examples` reads them back."""
    return "".join(example.model_dump_json() + "\n" for example in examples)


def read_examples(text: str) -> Iterator[Example]:
    """The examples of such lines; raises pydantic's ValidationError."""
    return (Example.model_validate_json(line) for line in text.split("\n") if line)


def data_hash(train: Iterable[Example], heldout: Iterable[Example]) -> str:
    """One sha256 of all that is learned from and measured on."""
    return sha256(f"{example_lines(train)}\n{example_lines(heldout)}".encode()).hexdigest()
