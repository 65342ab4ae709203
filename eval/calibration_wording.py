"""What the warnings of a calibration say, in both languages."""

from __future__ import annotations

from typing import Final

from app.types import Language
from eval.calibration import Warned

_KINDS: Final[dict[str, tuple[str, str]]] = {
    "false_refusals": ("false refusals", "误拒"),
    "invented": ("answers to unanswerable questions", "对无答案问题的作答"),
}

WORDING: Final[dict[str, tuple[str, str]]] = {
    "few_answerable": (
        "Only {n} answerable questions could be used; below {least} the shares below are rough.",
        "可用的可回答问题只有 {n} 个；少于 {least} 个时，下列比例只是粗略值。",
    ),
    "few_unanswerable": (
        "Only {n} unanswerable questions could be used; below {least} nothing reliable can be said of refusal.",
        "可用的无答案问题只有 {n} 个；少于 {least} 个时，无法可靠地评价拒答。",
    ),
    "many_errors": (
        "{n} of {of} questions ended in an error and were left out.",
        "{of} 个问题中有 {n} 个出错，未计入。",
    ),
    "not_finished": (
        "Only {n} of {of} questions were put.",
        "{of} 个问题中只提出了 {n} 个。",
    ),
    "no_doubts": (
        (
            "The run has no doubts of the model: the limits of doubt stay. They need a run with answers and "
            "`keep_doubtful`."
        ),
        "此次评测没有模型疑虑值，疑虑上限保持不变；需要在评测时生成回答并设置 `keep_doubtful`。",
    ),
    "cosine_no_separation": (
        (
            "The cosine hardly tells answerable from unanswerable questions (AUC {auc:.2f}, 95% interval {low:.2f} to "
            "{high:.2f}): the threshold stays as it is."
        ),
        "余弦相似度难以区分可回答与无答案的问题（AUC {auc:.2f}，95% 区间 {low:.2f} 至 {high:.2f}），阈值保持不变。",
    ),
    "doubt_no_separation": (
        (
            "The model's doubt hardly tells answerable from unanswerable questions (AUC {auc:.2f}, 95% interval "
            "{low:.2f} to {high:.2f}): the limits of doubt stay as they are."
        ),
        "模型疑虑值难以区分可回答与无答案的问题（AUC {auc:.2f}，95% 区间 {low:.2f} 至 {high:.2f}），疑虑上限保持不变。",
    ),
    "target_not_reachable": (
        "No values keep {kind} within {most:.1%}: nothing was changed.",
        "没有任何取值能使{kind}不超过 {most:.1%}，未作改动。",
    ),
    "held_out_misses_target": (
        "On held-out questions the target of at most {most:.1%} {kind} is missed; expect the same of new questions.",
        "在留出的问题上，{kind}超过了 {most:.1%} 的目标；对新问题也会如此。",
    ),
    "own_threshold": (
        "The knowledge base has a threshold of its own ({threshold}), which wins over the calibrated one.",
        "知识库自身设置了阈值（{threshold}），优先于校准得到的阈值。",
    ),
}


def warning_text(warned: Warned, language: Language) -> str:
    """The sentence of a warning."""
    english, chinese = WORDING[warned.code]
    words = {**warned.values}
    if "kind" in words:
        words["kind"] = _KINDS[words["kind"]][language == "zh"]
    return (chinese if language == "zh" else english).format(**words)
