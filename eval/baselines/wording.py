"""The usual prompt of a stock pipeline in both languages, and which of its replies are refusals."""

from __future__ import annotations

import re

from app.types import Language

CANNOT: dict[Language, str] = {
    "en": "I cannot answer this question from the reference information.",
    "zh": "根据参考信息无法回答该问题。",
}
"""What the model is told to say where the reference information has no answer."""

SYSTEM: dict[Language, str] = {
    "en": (
        "Answer the question strictly from the reference information below. If the reference information does not "
        f"contain the answer, say: {CANNOT['en']}\n\nReference information:\n{{context}}"
    ),
    "zh": (
        f"请严格根据下面的参考信息回答问题。如果参考信息中没有答案，请回答：{CANNOT['zh']}\n\n参考信息：\n{{context}}"
    ),
}

_TOLD = re.compile(
    r"(?:cannot|can not|can't|could not|couldn't|unable to|not able to) (?:be )?answer(?:ed)?\b[^.!?]*\binformation"
    r"|\bnot (?:\w+ly )?(?:mentioned|specified|stated|provided|given|included|contained|available|found)\b[^.!?]*"
    r"\b(?:reference|provided|given) (?:information|text|context)"
    r"|(?:无法|無法|不能|没法)(?:直接)?(?:回答|解答|答覆)(?:该|这个|此|您的|你的|該|這個)?(?:问题|問題)",
    re.IGNORECASE,
)
"""The told sentence in the model's own words, wherever it stands."""

_SORRY = re.compile(
    r"(?:(?:i'm |i am )?sorry|i apologi[sz]e|unfortunately|很?抱歉|对不起|對不起)\W*(?:but )?", re.IGNORECASE
)
_OPENING = re.compile(
    r"i (?:cannot|can't|do not|don't|am unable|am not able|could not|couldn't) "
    r"(?:to )?(?:answer|know|have|find|provide|determine|see)\b"
    r"|(?:the )?(?:(?:given|provided|available) )?(?:reference )?(?:information|text|context)"
    r"(?: (?:provided|given|above))? "
    r"(?:(?:does|do|did) not|doesn't|don't|has no|contains no|provides no)"
    r"|(?:there is )?no (?:\w+ ){0,3}information\b"
    r"|(?:根据|根據|在|从|從)?(?:所?提供的|给出的|給出的|上述|以上)?(?:参考|參考)?(?:信息|資訊|资料|資料|内容|文本|文档)"
    r"(?:中|里|裡)?[，,]?(?:并|並)?(?:没有|沒有|未|無|无法|無法)"
    r"|(?:无法|無法|不能|没有|沒有|未)(?:回答|确定|確定|提供|提及|提到|说明|說明|找到|得知|相关|相關)",
    re.IGNORECASE,
)
"""A reply that begins by saying that it has no answer."""


def is_refusal(reply: str) -> bool:
    """Whether a reply says that it cannot answer, in the told words, in others like them, or by saying nothing."""
    text = re.sub(r"\s+", " ", reply.replace("’", "'")).strip(" \"'“”「」*")
    sorry = _SORRY.match(text)
    return not text or bool(_TOLD.search(text) or _OPENING.match(text, sorry.end() if sorry else 0))
