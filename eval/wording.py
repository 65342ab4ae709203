"""What verdicts, their reasons, groups and stages are called in English and Chinese."""

from __future__ import annotations

from app.types import Language
from eval.figures import Verdict
from eval.metrics import METRICS

Words = tuple[str, str]
"""English, Chinese."""

VERDICTS: dict[Verdict, Words] = {
    "right": ("right", "正确"),
    "wrong": ("wrong", "错误"),
    "refused": ("refused, though there is an answer", "误拒"),
    "refused_rightly": ("rightly refused", "正确拒答"),
    "invented": ("invented", "编造"),
    "failed": ("failed", "出错"),
    "unlabelled": ("answered, no accepted answer given", "已回答，未提供标准答案"),
    "searched": ("searched only", "仅检索"),
}

REASONS: dict[str, Words] = {
    "page_not_found": ("search did not find the right page", "检索未找到正确页"),
    "page_too_low": ("the right page was found, but too far down to be read", "找到正确页，但排名太低，未被读取"),
    "below_threshold": ("the right page was found, but below the threshold", "找到正确页，但低于阈值"),
    "no_documents": ("there was nothing to search", "没有可检索的文档"),
    "misread": ("the right page was read, the answer is wrong", "已读到正确页，但回答错误"),
    "wrong_number": ("the right page was read, a number in the answer is wrong", "已读到正确页，但回答中的数字错误"),
    "incomplete": ("only a part of the answer was given", "只答出一部分"),
    "states_fake_answer": ("states a false answer that was laid as a trap", "说出了用作陷阱的错误答案"),
    "own_knowledge": ("answered from the model's own knowledge", "凭模型自身知识作答"),
    "answered_anyway": ("answered, though the manuals do not say", "手册中没有说明，却作了回答"),
    "extractive": (
        "the model did not write; sentences of the manual were shown instead",
        "模型未作答，改为摘录手册原句",
    ),
    "model_refused": ("the model said that the passages do not say", "模型认为所给段落没有说明"),
    "doubted": ("the model's doubt was too large", "模型的疑虑过大"),
    "not_grounded": ("no sentence stood up to the check against the manual", "没有句子通过与手册的核对"),
    "error": ("an error", "发生错误"),
}

GROUPS: dict[str, Words] = {
    "language": ("Language", "语言"),
    "type": ("Question type", "问题类型"),
    "document": ("Document", "文档"),
}

STAGES: dict[str, Words] = {
    "sources": ("passages found", "找到段落"),
    "first_token": ("first word", "首个词"),
    "total": ("complete", "完成"),
}


def verdict_name(verdict: Verdict, language: Language) -> str:
    return _in(VERDICTS[verdict], language)


def reason_name(why: str | None, language: Language) -> str:
    """The reason in words; nothing for none, and the key itself for one that a later version knows."""
    if not why:
        return ""
    return _in(REASONS[why], language) if why in REASONS else why


def metric_name(metric: str, language: Language) -> str:
    return METRICS[metric].name(language) if metric in METRICS else metric


def group_name(by: str, language: Language) -> str:
    return _in(GROUPS[by], language)


def stage_name(stage: str, language: Language) -> str:
    return _in(STAGES[stage], language)


def _in(words: Words, language: Language) -> str:
    return words[1] if language == "zh" else words[0]
