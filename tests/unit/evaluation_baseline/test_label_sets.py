"""Which questions and PDFs make a labelled set, and on which pages the labelled passages really stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from eval.bench.label_sets import SETS, find, standing_on
from tests.fixtures.pdfs import a_pdf

PASSAGE = "Hold the button for five seconds and then release it slowly."


def a_folder(folder: Path, name: str, passages: list[dict[str, Any]], pages: tuple[str, ...]) -> None:
    place = folder / "sets" / name
    (place / "pdf").mkdir(parents=True)
    (place / "pdf" / "pump.pdf").write_bytes(a_pdf(pages))
    question = {
        "id": "q1",
        "question": "How long?",
        "answers": ["5"],
        "relevant_doc_ids": [p["doc_id"] for p in passages],
    }
    rows = {"qa.jsonl": [question], "corpus.jsonl": passages}
    for file, lines in rows.items():
        (place / file).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def a_corpus_row(pages: list[int], text: str = PASSAGE) -> dict[str, Any]:
    return {"doc_id": "d1", "text": text, "source_file": "sets/x/pdf/pump.pdf", "page": pages[0], "pages": pages}


def test_pages_that_hold_nothing_of_the_passage_are_left_out(tmp_path: Path) -> None:
    a_folder(tmp_path, "x", [a_corpus_row([1, 2, 3])], ("Contents", "Something else", PASSAGE))
    (found,), missing = find(tmp_path, ["x"])
    assert missing == []
    assert found.questions[0].pages() == {("pump.pdf", 3)}


def test_a_label_of_one_page_is_left_as_it_is(tmp_path: Path) -> None:
    a_folder(tmp_path, "x", [a_corpus_row([2])], ("Contents", "Something else", PASSAGE))
    (found,), _ = find(tmp_path, ["x"])
    assert found.questions[0].pages() == {("pump.pdf", 2)}


def test_sets_that_are_not_there_are_named(tmp_path: Path) -> None:
    a_folder(tmp_path, "x", [a_corpus_row([1])], (PASSAGE,))
    found, missing = find(tmp_path, ["y", "x", "manuals_gold"])
    assert [one.name for one in found] == ["x"]
    assert missing == ["y", "manuals_gold"]


def test_a_passage_over_a_page_end_stands_on_both_pages() -> None:
    first, second = (
        "按住电源键五秒直到指示灯变为绿色然后松开，设备会重新启动并连接网络",
        "等待三分钟后再次打开应用程序查看状态是否正常如果没有请检查路由器",
    )
    assert standing_on(first + second, {4: "页眉\n" + first, 5: second, 6: "别的内容"}) == [4, 5]


def test_a_page_that_only_repeats_a_piece_does_not_count() -> None:
    start = PASSAGE[:30]
    assert standing_on(PASSAGE * 2, {1: f"... {start} ...", 2: PASSAGE * 2}) == [2]


def test_without_any_trace_all_labelled_pages_stay() -> None:
    assert standing_on(PASSAGE, {7: "$x^2$", 8: ""}) == [7, 8]


def test_breaks_and_hyphens_of_a_pdf_do_not_hide_a_passage() -> None:
    assert standing_on(
        PASSAGE, {1: "", 2: "Hold the but-\nton for five sec\u00adonds\nand then release it slowly."}
    ) == [2]


@pytest.mark.real_manuals
def test_every_answerable_question_of_the_open_sets_has_pages_that_exist(real_manuals: Path) -> None:
    found, missing = find(real_manuals)
    assert not missing
    assert [one.name for one in found] == list(SETS)
    for labels in found:
        last = {pdf.name: len(pypdfium2.PdfDocument(pdf)) for pdf in labels.pdfs}
        for question in labels.questions:
            assert bool(question.pages()) == question.answerable, (labels.name, question.id)
            assert all(page <= last[file] for file, page in question.pages()), (labels.name, question.id)
    by_name = {labels.name: labels for labels in found}
    spans = [len(question.pages()) for question in by_name["emanual_s10"].questions if question.answerable]
    assert max(spans) <= 3  # its corpus says twelve pages and more
