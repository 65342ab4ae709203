"""What the scripted model says to which question about the sample manuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.generate.prompt import REFUSAL
from app.text.language import detect_language
from app.types import Language


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation in one language: a question, its answer and quote, and a second question that leans on it."""

    document: str
    question: str
    reply: str
    answer: tuple[str, ...]
    page: int
    follow_up: str
    rewritten: str
    second_reply: str
    second_answer: str
    off_topic: str


TALKS: dict[Language, Talk] = {
    "en": Talk(
        document="kestrim-pavo-en.pdf",
        question="What does error E-05 mean?",
        reply=(
            "Quote: E-05 Thermoblock too hot (above 165 °C)\n"
            "Answer: E-05 means that the thermoblock is too hot (above 165 °C). "
            "Switch off and let the machine cool for 20 minutes."
        ),
        answer=(
            "E-05 means that the thermoblock is too hot (above 165 °C).",
            "Switch off and let the machine cool for 20 minutes.",
        ),
        page=12,
        follow_up="How long must it cool?",
        rewritten="How long must the machine cool after error E-05?",
        second_reply=(
            "Quote: Switch off and let the machine cool for 20 minutes.\n"
            "Answer: After error E-05 the machine must cool for 20 minutes."
        ),
        second_answer="After error E-05 the machine must cool for 20 minutes.",
        off_topic="Who won the football world cup in 1998?",
    ),
    "zh": Talk(
        document="kestrim-chengjing-zh.pdf",
        question="F-05 是什么故障？",
        reply="原文：F-05 风机转速异常\n回答：F-05 表示风机转速异常。拔下插头，检查出风口有无异物。",
        answer=("F-05 表示风机转速异常。", "拔下插头，检查出风口有无异物。"),
        page=11,
        follow_up="该怎么处理？",
        rewritten="F-05 故障该怎么处理？",
        second_reply=(
            "原文：拔下插头，检查出风口有无异物；清洗前置滤网后再试。\n"
            "回答：F-05 故障要拔下插头，检查出风口有无异物，清洗前置滤网后再试。"
        ),
        second_answer="F-05 故障要拔下插头，检查出风口有无异物，清洗前置滤网后再试。",
        off_topic="1998 年世界杯是谁赢的？",
    ),
}


class Replies:
    """Answers a prompt with passages, rewrites a question that leans on an earlier one, translates none."""

    def __init__(self) -> None:
        self.always: str | None = None

    def __call__(self, request: dict[str, Any]) -> str:
        last = str(request["messages"][-1]["content"])
        if self.is_an_answer(request):
            asked = last.rpartition("\n\n")[2]
            return self.always or self._known(asked) or REFUSAL[detect_language(asked)]
        return next((talk.rewritten for talk in TALKS.values() if talk.follow_up in last), "")

    @staticmethod
    def is_an_answer(request: dict[str, Any]) -> bool:
        """Whether it asks for an answer, not for a question in other words."""
        return "<passage " in str(request["messages"][-1]["content"])

    @staticmethod
    def _known(asked: str) -> str | None:
        for talk in TALKS.values():
            if talk.question in asked:
                return talk.reply
            if talk.rewritten in asked or talk.follow_up in asked:
                return talk.second_reply
        return None
