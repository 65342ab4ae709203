"""The tables of the quality benchmark, and its samples."""

from __future__ import annotations

import pytest

from eval.bench.quality import Plan, sample_of
from eval.bench.quality_table import Measured, figures, markdown
from eval.question_sets import LabelledQuestion, draw
from eval.records import FoundPassage, Record, Run, RunSettings


def a_question(number: int, lang: str, answerable: bool = True) -> LabelledQuestion:
    labels = {"answers": ["5"], "relevant_pages": [["pump.pdf", 7]]} if answerable else {"answerable": False}
    return LabelledQuestion.model_validate({"id": f"{lang}{number}", "question": f"Q{number}?", "lang": lang, **labels})


def a_run(languages: str, page: int, asked_for: str = "retrieval", **answer: object) -> Run:
    """A question a letter, e or z; each finds `page` alone."""
    passage = FoundPassage(document="pump.pdf", page_start=page, page_end=page, chunk_id="c", cosine=0.8)
    asked = [a_question(number, {"e": "en", "z": "zh"}[one]) for number, one in enumerate(languages)]
    records = tuple(
        Record.model_validate({"index": number, "question": question, "found": (passage,), **answer})
        for number, question in enumerate(asked)
    )
    return Run(
        id="r",
        name="r",
        knowledge_base="k",
        question_set="x",
        set_hash="h",
        settings=RunSettings.model_validate({"mode": asked_for}),
        started_at="2026-01-01T00:00:00+00:00",
        questions=len(records),
        records=records,
    )


def row(text: str, *starts: str) -> list[str]:
    """The cells of the first table row that begins so."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    return next(cells for cells in rows if cells[: len(starts)] == list(starts))


def test_each_language_has_a_row_beside_the_row_of_all() -> None:
    text = markdown([Measured("x", a_run("eez", 7)), Measured("y", a_run("zz", 9))])
    assert row(text, "x", "en")[2:4] == ["2", "1.000 (0.34-1.00)"]  # Wilson: 1 / (1 + 1.96² / 2)
    assert row(text, "x", "zh")[2] == "1"
    assert row(text, "x", "all")[2] == "3"
    assert row(text, "y", "zh")[3].startswith("0.000")
    assert "LangChain" not in text


def test_the_stock_pipeline_is_compared_over_the_questions_of_both() -> None:
    text = markdown([Measured("x", a_run("e" * 10, 7), stock_retrieval=a_run("e" * 8, 9))])
    cells = row(text, "x", "en", "hit@1")
    assert cells[3] == "8"
    assert cells[4].startswith("0.000")
    assert cells[5].startswith("1.000")
    assert cells[6].startswith("+1.000")
    assert cells[7] == "0.008"  # exact McNemar of 8 to 0: 2 * 0.5 ** 8


def test_answers_count_answerable_and_unanswerable_questions_apart() -> None:
    asked = a_run("ee", 7, "answers", answer="5", mode="generated")
    refused = Record(index=2, question=a_question(2, "en", answerable=False), refused=True, mode="refused")
    run = asked.model_copy(update={"records": (*asked.records, refused)})
    cells = row(markdown([Measured("x", a_run("e", 7), run)]).split("### Answers")[1], "x", "en")
    assert cells[2] == "2+1"
    assert cells[3].startswith("1.000")


def test_every_figure_is_kept_as_a_value() -> None:
    kept = figures([Measured("x", a_run("ez", 7), stock_retrieval=a_run("ez", 7))])["x"]
    assert kept["retrieval"]["ours"]["all"]["figures"]["hit@5"]["value"] == 1.0
    assert {one["language"] for one in kept["retrieval"]["paired"]} == {"all", "en", "zh"}
    assert kept["answers"] == {"ours": {}, "stock": {}, "paired": []}


def test_a_sample_is_read_from_its_form() -> None:
    assert sample_of("rgb_en=15+10") == ("rgb_en", (15, 10))
    assert sample_of("*=0+3") == ("*", (0, 3))
    assert sample_of("manuals_gold=all") == ("manuals_gold", (None, None))


def test_a_plan_changes_only_the_samples_that_are_named() -> None:
    plan = Plan.chosen(["rgb_en"], ["rgb_en=3+2"], None)
    assert plan.sets == ("rgb_en",)
    assert plan.samples == {**Plan().samples, "rgb_en": (3, 2)}
    assert plan.baseline_samples == Plan().baseline_samples


@pytest.mark.parametrize("text", ["rgb_en", "=1+1", "rgb_en=5", "rgb_en=-1+2", "rgb_en=some"])
def test_a_sample_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not of the form"):
        sample_of(text)


def test_the_sample_of_the_stock_pipeline_lies_within_the_services() -> None:
    questions = [a_question(number, "zh" if number % 3 else "en", answerable=number % 2 == 0) for number in range(60)]
    ours = draw(questions, 12, 8, seed=1)
    stock = draw(ours, 6, 4, seed=1)
    assert {one.id for one in stock} <= {one.id for one in ours}
    assert len(stock) == 10
