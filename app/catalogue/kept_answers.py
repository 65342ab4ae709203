"""Answers as the catalogue keeps them: JSON."""

from __future__ import annotations

from pydantic import TypeAdapter

from app.types import Answer

_answers: TypeAdapter[Answer] = TypeAdapter(Answer)


def kept(answer: Answer) -> str:
    """An answer to be kept."""
    return _answers.dump_json(answer).decode()


def answer_of(text: str | None) -> Answer | None:
    """An answer that was kept; None where there was none."""
    return None if text is None else _answers.validate_json(text)
