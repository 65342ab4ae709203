"""Sentence borders in the two languages, with offsets that slice the text exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.sentences import sentence_spans, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Press [A]. Wait 5 s.", ["Press [A].", "Wait 5 s."]),
        ("It runs on 3.3V. See No. 5 for more.", ["It runs on 3.3V.", "See No. 5 for more."]),
        ("Use a cable, e.g. USB. Then start.", ["Use a cable, e.g. USB.", "Then start."]),
        ("Set v1.0.3 or newer? Yes! Done.", ["Set v1.0.3 or newer?", "Yes!", "Done."]),
        ("长按五秒。指示灯变红！完成了吗？是；否", ["长按五秒。", "指示灯变红！", "完成了吗？", "是；", "否"]),
        ("他说“停止。”然后离开。", ["他说“停止。”", "然后离开。"]),
        ("配置 GRUB.然后重启", ["配置 GRUB.", "然后重启"]),
        ("1. Open the lid.\n2. Press OK.", ["1. Open the lid.", "2. Press OK."]),
        ("Steps:\n- open\n- close", ["Steps:", "- open", "- close"]),
        ("E01\tno water\nE02\tlid open", ["E01\tno water", "E02\tlid open"]),
        ("代码 0 无校验\n代码 2 偶校验", ["代码 0 无校验", "代码 2 偶校验"]),
        ("First.\n\nSecond", ["First.", "Second"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_splits(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_a_wrapped_line_does_not_end_a_sentence() -> None:
    text = (
        "The sensor terminal is a voltage measurement input that is connected\n"
        "to the supply through a resistor, which makes it fit for sensors of\n"
        "many kinds. Use it with a thermistor or a photo transistor, but never\n"
        "with a source of its own."
    )
    assert len(split_sentences(text)) == 2


def test_a_wall_of_text_is_cut_at_blanks() -> None:
    spans = sentence_spans("word " * 500)
    assert len(spans) > 3
    assert max(span.end - span.start for span in spans) <= 500


@given(st.text(alphabet=st.sampled_from("ab1.。!？\n -·;；“”()V3 ，、①:\t|第步"), max_size=200))
def test_spans_are_in_order_and_leave_out_only_white_space(text: str) -> None:
    end = 0
    for span in sentence_spans(text):
        assert text[end : span.start].strip() == ""
        assert span.of(text) == span.of(text).strip() != ""
        end = span.end
    assert text[end:].strip() == ""
