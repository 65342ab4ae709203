"""What people read where there is no answer, or one that the model did not write."""

from __future__ import annotations

from app.types import Language, RefusalReason

REFUSALS: dict[RefusalReason, dict[Language, str]] = {
    RefusalReason.NO_DOCUMENTS: {
        "en": "There is no manual to answer from yet. Add one and wait until it is ready.",
        "zh": "这里还没有可供提问的手册。请先添加手册，并等待处理完成。",
    },
    RefusalReason.BELOW_THRESHOLD: {
        "en": "The manuals do not answer this: no passage is close enough to the question.",
        "zh": "手册中没有答案：找不到与问题足够接近的段落。",
    },
    RefusalReason.NOT_IN_MANUALS: {
        "en": "The manuals do not answer this: the passages found do not state it.",
        "zh": "手册中没有答案：找到的段落没有说明这一点。",
    },
    RefusalReason.NOT_GROUNDED: {
        "en": "The manuals do not answer this: no answer was found that their text proves.",
        "zh": "手册中没有答案：没有找到能由手册原文证实的回答。",
    },
}

UNSHOWN: dict[Language, str] = {
    "en": "(A sentence that is not shown: it has an address, markup or rules that the manuals do not have.)",
    "zh": "（一句不予显示：其中有手册没有的网址、标记或规则。）",
}
"""Stands for a sentence of the model that is not even shown as withheld."""


def refusal_text(reason: RefusalReason, language: Language) -> str:
    """The sentence to show for `reason`."""
    return REFUSALS[reason][language]
