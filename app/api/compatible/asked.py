"""What the messages of a chat ask: the last user message, after the turns before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.api.compatible.completion import spoken
from app.api.compatible.schemas import ChatIn, MessageIn
from app.errors import ParameterUnsupported, QuestionEmpty
from app.generate.rewrite import EarlierTurn


@dataclass(frozen=True, slots=True)
class Asked:
    """The question as it was asked, and the earlier turns that it may refer to."""

    question: str
    earlier: tuple[EarlierTurn, ...]


def check_supported(body: ChatIn) -> None:
    """Raises `ParameterUnsupported` for what would change the answer's form, and would be missed."""
    if body.n not in (None, 1):
        raise ParameterUnsupported(parameter="n", reason="a question gets one answer")
    if body.tools or body.functions:
        parameter = "tools" if body.tools else "functions"
        raise ParameterUnsupported(parameter=parameter, reason="answers come from the manuals and call no tools")
    if body.response_format is not None and body.response_format.type != "text":
        raise ParameterUnsupported(parameter="response_format", reason="answers are text")
    if body.modalities not in (None, ["text"]):
        raise ParameterUnsupported(parameter="modalities", reason="answers are text")
    if body.logprobs:
        raise ParameterUnsupported(parameter="logprobs", reason="probabilities of tokens are not told")


def asked_of(messages: Sequence[MessageIn], longest: int) -> Asked:
    """The question; earlier ones are cut to `longest` characters. Raises `QuestionEmpty`, `ParameterUnsupported`.

    Messages of the system, of developers and of tools are not read: nothing but our own rules instructs the model.
    """
    said = [(message.role, _text(message)) for message in messages if message.role in ("user", "assistant")]
    places = [place for place, (role, _) in enumerate(said) if role == "user"]
    if not places:
        raise QuestionEmpty
    turns: list[EarlierTurn] = []
    for role, text in said[: places[-1]]:
        if role == "user" and text.strip():
            turns.append(EarlierTurn(text[:longest]))
        elif role == "assistant" and turns:
            turns[-1] = replace(turns[-1], answer=spoken(text)[:longest])
    return Asked(said[places[-1]][1], tuple(turns))


def _text(message: MessageIn) -> str:
    if not isinstance(message.content, list):
        return message.content or ""
    if any(part.type != "text" for part in message.content):
        raise ParameterUnsupported(parameter="messages", reason="only text can be asked")
    return "\n".join(part.text or "" for part in message.content)
