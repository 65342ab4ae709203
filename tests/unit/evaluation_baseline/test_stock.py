"""The stock pipeline's results as runs: kept, taken up again, and honest about what failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eval.baselines.environment import StockPipelineError
from eval.baselines.stock import ModelPlace, Reply, StockPipeline, key_of, record_of
from eval.baselines.wording import CANNOT
from eval.question_sets import LabelledQuestion
from eval.summary import summarise
from tests.fixtures.pdfs import a_pdf

MODEL = ModelPlace("tiny", "http://127.0.0.1:9/v1", "secret")
PROGRAM = """#!{python}
import json, sys
order = json.load(sys.stdin)
print(json.dumps({{"event": "index", "chunks": 1, "unreadable": []}}))
for place, question in enumerate(order["questions"]):
    with open({asked!r}, "a") as file:
        file.write(question["question"] + "\\n")
    if question["question"] == "die":
        sys.exit(3)
    if question["question"] == "fail":
        line = {{"error": "boom"}}
    else:
        line = {{"found": [["pump.pdf", 7, 3], ["pump.pdf", 8, 4]], "seconds": 1.5, "seconds_to_sources": 0.1}}
        if order["model"]:
            line |= {{"answer": "Hold it for 5 seconds.", "prompt_tokens": 900, "completion_tokens": 7}}
    print(json.dumps({{"event": "question", "key": question["key"], **line}}), flush=True)
"""


def a_question(words: str = "How long?", **fields: object) -> LabelledQuestion:
    return LabelledQuestion.model_validate(
        {"id": words, "question": words, "answers": ["5 seconds"], "relevant_pages": [["pump.pdf", 7]], **fields}
    )


@pytest.fixture
def pipeline(tmp_path: Path) -> StockPipeline:
    """A pipeline whose program is a stand-in that says the same of every question."""
    program, pdf = tmp_path / "program", tmp_path / "pump.pdf"
    program.write_text(PROGRAM.format(python=sys.executable, asked=str(tmp_path / "asked")))
    program.chmod(0o755)
    pdf.write_bytes(a_pdf())
    return StockPipeline(program, tmp_path / "minilm", "abc", (pdf,), tmp_path / "work")


def asked(pipeline: StockPipeline) -> list[str]:
    file = pipeline.work.parent / "asked"
    return file.read_text().splitlines() if file.exists() else []


def test_a_run_is_judged_as_the_services_own(pipeline: StockPipeline) -> None:
    heard: list[int] = []
    questions = [a_question(), a_question("Until when?", id="u", answers=[], relevant_pages=[], answerable=False)]
    summary = summarise(pipeline.run("x", questions, MODEL, heard.append))
    assert summary.verdicts == {"right": 1, "invented": 1}
    assert summary.figures["hit@1"].value == 1.0
    assert summary.figures["prompt_tokens"].value == 900
    assert "citation_precision" not in summary.figures
    assert heard[-1] == 2


def test_without_a_model_only_the_search_is_measured(pipeline: StockPipeline) -> None:
    run = pipeline.run("x", [a_question()], None)
    assert run.settings.mode == "retrieval"
    assert [passage.pages() for passage in run.records[0].found] == [[("pump.pdf", 7)], [("pump.pdf", 8)]]
    assert "answer_accuracy" not in summarise(run).figures


def test_a_second_run_asks_only_what_is_missing(pipeline: StockPipeline) -> None:
    pipeline.run("x", [a_question("a")], MODEL)
    run = pipeline.run("x", [a_question("a"), a_question("b")], MODEL)
    assert asked(pipeline) == ["a", "b"]
    assert [record.answer for record in run.records] == ["Hold it for 5 seconds."] * 2


def test_answers_of_another_model_and_other_files_are_not_taken_over(pipeline: StockPipeline) -> None:
    pipeline.run("x", [a_question("a")], MODEL)
    pipeline.run("x", [a_question("a")], ModelPlace("large", MODEL.base_url, "secret"))
    other = StockPipeline(pipeline.python, pipeline.embedder, "def", pipeline.pdfs, pipeline.work)
    other.run("x", [a_question("a")], MODEL)
    assert asked(pipeline) == ["a", "a", "a"]


def test_what_came_before_a_program_broke_off_is_kept(pipeline: StockPipeline) -> None:
    with pytest.raises(StockPipelineError, match="2 questions"):
        pipeline.run("x", [a_question("a"), a_question("die"), a_question("b")], MODEL)
    pipeline.run("x", [a_question("a"), a_question("b")], MODEL)
    assert asked(pipeline) == ["a", "die", "b"]


def test_a_line_that_was_cut_off_is_asked_again(pipeline: StockPipeline) -> None:
    pipeline.run("x", [a_question("a"), a_question("b")], MODEL)
    (kept,) = pipeline.folder.glob("answers-*.jsonl")
    kept.write_text(kept.read_text()[:-20])
    run = pipeline.run("x", [a_question("a"), a_question("b")], MODEL)
    assert asked(pipeline) == ["a", "b", "b"]
    assert all(record.error is None for record in run.records)


def test_an_error_is_a_failed_question_and_asked_again(pipeline: StockPipeline) -> None:
    run = pipeline.run("x", [a_question("fail")], MODEL)
    assert summarise(run).verdicts == {"failed": 1}
    assert run.records[0].error_message == "boom"
    pipeline.run("x", [a_question("fail")], MODEL)
    assert asked(pipeline) == ["fail", "fail"]


def test_the_key_of_the_model_stays_out_of_the_files(pipeline: StockPipeline) -> None:
    pipeline.run("x", [a_question()], MODEL)
    files = [path for path in pipeline.work.rglob("*") if path.is_file()]
    assert files
    assert not any("secret" in path.read_text() for path in files)


def test_a_reply_in_the_told_words_is_a_refusal() -> None:
    record = record_of(0, a_question(lang="zh-Hant"), Reply(key="k", answer=CANNOT["zh"]), MODEL)
    assert (record.refused, record.mode, record.reason) == (True, "refused", "not_in_manuals")


def test_the_language_of_the_prompt_belongs_to_the_question() -> None:
    assert key_of(a_question(lang="zh")) == key_of(a_question(lang="zh-Hant"))
    assert key_of(a_question(lang="zh")) != key_of(a_question(lang="de"))
