"""Which replies of a stock pipeline are refusals."""

from __future__ import annotations

import pytest

from eval.baselines.wording import CANNOT, SYSTEM, is_refusal


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_prompt_tells_the_sentence_that_counts_as_a_refusal(language: str) -> None:
    told = CANNOT[language]  # type: ignore[index]
    assert told in SYSTEM[language]  # type: ignore[index]
    assert "{context}" in SYSTEM[language]  # type: ignore[index]
    assert is_refusal(told)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "  \n",
        "I can’t answer this question based on the provided reference information.",
        "I'm sorry, but I cannot find it.",
        "Unfortunately, the provided information does not mention a price.",
        "The weight is not specified in the reference information.",
        "There is no relevant information on this.",
        "“根据参考信息无法回答该问题。”",
        "抱歉，参考信息中没有提到保修期。",
        "根据提供的参考信息，无法确定具体日期。",
        "無法回答此問題。",
        "没有相关说明。",
    ],
)
def test_words_like_the_told_ones_are_refusals(reply: str) -> None:
    assert is_refusal(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "Hold the button for 5 seconds.",
        "No, the battery is not available in that country.",
        "The alarm cannot be answered before it rings.",
        "The information screen does not open unless you press OK.",
        "没有水时按下按钮。",
        "根据参考信息，按住 5 秒。",
        "不能在水下使用。",
        "无法开机时请更换保险丝。",
    ],
)
def test_answers_with_a_no_in_them_are_answers(reply: str) -> None:
    assert not is_refusal(reply)
