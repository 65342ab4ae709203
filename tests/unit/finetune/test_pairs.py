"""Pairs from files: what is read, what is refused and where, what is left out."""

from __future__ import annotations

import json

import pytest

from app.errors import TrainingPairsInvalid
from app.finetune.pairs import read_pairs


def lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def test_json_lines_with_quotes_pages_and_parts() -> None:
    text = lines(
        {
            "id": "a",
            "question": "Which oil?",
            "answers": ["FG-32", "oil FG-32"],
            "quote": "Use oil FG-32.",
            "lang": "en",
        },
        {
            "id": "b",
            "question": "What is in it?",
            "answer_parts": ["lid", "cable"],
            "file": "p/k.pdf",
            "page": 3,
        },
        {"id": "c", "question": "价格是多少？", "answerable": False},
    )
    one, two, three = read_pairs(text, "jsonl", "set").pairs
    assert (one.answer, one.quote, one.document) == ("FG-32", "Use oil FG-32.", None)
    assert (two.answer, two.quote, two.document) == ("- lid\n- cable", "", "k.pdf")
    assert (three.answer, three.question.answerable, three.question.lang) == ("", False, "zh")


def test_csv_with_chinese_headings() -> None:
    text = "\ufeff问题,答案,原文,文件,页码\r\n转几圈？,3 圈,拧 3 圈。,泵.pdf,7\r\n"
    (pair,) = read_pairs(text, "csv", "set").pairs
    assert (pair.answer, pair.quote, pair.document) == ("3 圈", "拧 3 圈。", "泵.pdf")
    assert pair.question.pages() == {("泵.pdf", 7)}


def test_drafts_are_left_out_unless_asked_for() -> None:
    text = lines(
        {"question": "Which oil?", "answers": ["FG-32"], "draft": True},
        {"question": "  "},
        {"question": "Which cable?", "answers": ["USB"]},
    )
    kept = read_pairs(text, "jsonl", "set")
    assert ([pair.answer for pair in kept.pairs], kept.drafts, kept.skipped) == (["USB"], 1, (2,))
    assert len(read_pairs(text, "jsonl", "set", with_drafts=True).pairs) == 2


@pytest.mark.parametrize(
    ("text", "english", "chinese"),
    [
        ('{"question": "a b?", "answers": ["c"]}\n{"question": "d e?"}\n', "line 2: an answerable question", "第 2 行"),
        ('{"question": "a b?", "answers": ["c"]}\n\nno\n', "line 3: not valid JSON", "第 3 行"),
        (lines({"question": "a?", "answers": ["b"], "quote": "x" * 2001}), "line 1: quote must have 2000", "最多"),
        (lines({"question": "a?", "answers": ["b"], "draft": True}), "nobody has reviewed", "未经审核"),
        ("", "it is empty", "文件为空"),
    ],
)
def test_a_bad_file_is_refused_with_the_lines(text: str, english: str, chinese: str) -> None:
    with pytest.raises(TrainingPairsInvalid) as refused:
        read_pairs(text, "jsonl", "my set")
    assert english in refused.value.message("en")
    assert chinese in refused.value.message("zh")
    assert "my set" in refused.value.message("en")
