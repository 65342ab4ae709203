"""The metrics of a run: their names, what each one means in both languages, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.types import Language

Kind = Literal["share", "seconds", "tokens"]


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """A metric's name for people and the sentence that says what is counted.

    `kind` "share" is between 0 and 1; `better` says which way an improvement goes.
    """

    en: str
    zh: str
    better: Literal["higher", "lower"]
    kind: Kind
    means_en: str
    means_zh: str

    def name(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en

    def means(self, language: Language) -> str:
        return self.means_zh if language == "zh" else self.means_en


def _share(en: str, zh: str, means_en: str, means_zh: str, better: Literal["higher", "lower"] = "higher") -> MetricInfo:
    return MetricInfo(en, zh, better, "share", means_en, means_zh)


def _hit(k: int) -> MetricInfo:
    return _share(
        f"Hit@{k}",
        f"命中率@{k}",
        f"Share of answerable questions with a right page (all pages, where all are needed) among the first {k}.",
        f"正确页（需要多页时为全部页）排在前 {k} 页之内的可回答问题所占比例。",
    )


HIT_DEPTHS = (1, 3, 5, 10)

METRICS: dict[str, MetricInfo] = {
    **{f"hit@{k}": _hit(k) for k in HIT_DEPTHS},
    "mrr@10": _share(
        "MRR@10",
        "MRR@10",
        "Mean of 1 / rank of the first right page; 0 beyond rank 10.",
        "首个正确页排名倒数的平均值；排名超过 10 计 0。",
    ),
    "ndcg@10": _share(
        "nDCG@10",
        "nDCG@10",
        "Discounted gain of all right pages among the first 10, as a share of the best order.",
        "前 10 页中所有正确页的折损增益，占理想排序的比例。",
    ),
    "answer_accuracy": _share(
        "Answer accuracy",
        "回答正确率",
        "Right answers among the answerable questions; refusals and errors are not right.",
        "可回答问题中回答正确的比例；拒答和出错均不算正确。",
    ),
    "exact_match": _share(
        "Exact match",
        "完全匹配率",
        "Answers that are an accepted answer word for word (as in SQuAD).",
        "与某个标准答案逐词相同的回答所占比例（同 SQuAD）。",
    ),
    "token_f1": _share(
        "Token F1",
        "词元 F1",
        "Overlap of answer and best accepted answer in words, Chinese in characters (as in SQuAD).",
        "回答与最接近的标准答案的重合度，按词计算，中文按字（同 SQuAD）。",
    ),
    "refusal_precision": _share(
        "Refusal precision",
        "拒答准确率",
        "Refusals that were due: the manuals have no answer.",
        "拒答中确实无答案的比例。",
    ),
    "refusal_recall": _share(
        "Refusal recall",
        "拒答召回率",
        "Unanswerable questions that were refused.",
        "不可回答的问题中被拒答的比例。",
    ),
    "false_refusal_rate": _share(
        "False refusals",
        "误拒率",
        "Answerable questions that were refused.",
        "可回答的问题中被拒答的比例。",
        "lower",
    ),
    "invented_rate": _share(
        "Invented answers",
        "编造率",
        "Unanswerable questions that were answered.",
        "不可回答的问题中被作答的比例。",
        "lower",
    ),
    "citation_precision": _share(
        "Citation precision",
        "引文准确率",
        "Share of an answer's citations whose page holds the quote.",
        "回答的引文中，所引页面确有原文的比例。",
    ),
    "citation_page_precision": _share(
        "Citations on a right page",
        "引用页准确率",
        "Share of an answer's citations that lie on a page labelled as right.",
        "回答的引文中，位于标注的正确页上的比例。",
    ),
    "groundedness": _share(
        "Groundedness",
        "有据率",
        "Share of the sentences the model wrote that the passages carry.",
        "模型所写句子中有原文依据的比例。",
    ),
    "failed_rate": _share(
        "Failed",
        "出错率",
        "Questions without an answer because of an error.",
        "因出错而没有得到回答的问题所占比例。",
        "lower",
    ),
    "judge_accuracy": _share(
        "Accuracy by the judge",
        "评审正确率",
        "Answerable questions whose answer a language model calls right; refusals are not right.",
        "可回答问题中，由语言模型评为正确的比例；拒答不算正确。",
    ),
    "seconds_p50": MetricInfo(
        "Seconds, median",
        "用时中位数（秒）",
        "lower",
        "seconds",
        "Half of the answers take no longer.",
        "一半的回答不超过此时长。",
    ),
    "seconds_p95": MetricInfo(
        "Seconds, 95th percentile",
        "用时第 95 百分位（秒）",
        "lower",
        "seconds",
        "95% of the answers take no longer.",
        "95% 的回答不超过此时长。",
    ),
    "prompt_tokens": MetricInfo(
        "Prompt tokens",
        "提示词元数",
        "lower",
        "tokens",
        "Mean tokens the model read for an answer.",
        "每个回答平均读入的词元数。",
    ),
    "completion_tokens": MetricInfo(
        "Completion tokens",
        "生成词元数",
        "lower",
        "tokens",
        "Mean tokens the model wrote for an answer.",
        "每个回答平均生成的词元数。",
    ),
}
"""Every metric, in the order in which they are shown."""

PERCENTILES: dict[str, float] = {"seconds_p50": 0.5, "seconds_p95": 0.95}
"""The metrics that are a percentile of `Record.seconds` and no mean."""
