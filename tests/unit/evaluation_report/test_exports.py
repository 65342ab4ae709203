"""Reports for programs, spreadsheets and terminals."""

from __future__ import annotations

import csv
import inspect
import io
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from app.generate import answer, grounding
from app.types import Language
from eval.records import RunSettings
from eval.report import csv_text, json_text, terminal
from eval.report.export import COLUMNS
from eval.report.formats import change_of, probability, share, value_of
from eval.report.inert import one_line, plain, spreadsheet_cell
from eval.report.words import WITHHELD, WORDS, Words
from eval.summary import summarise
from tests.unit.evaluation_report.factories import a_big_run, a_question, a_record, a_summary


def printed(summary, language: Language) -> str:  # noqa: ANN001
    console = Console(width=140, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(terminal(summary, language))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_json_has_the_documented_keys() -> None:
    summary = summarise(a_big_run(20))
    content = json.loads(json_text(summary))
    assert set(content) == {
        "schema",
        "run",
        "figures",
        "groups",
        "verdicts",
        "reasons",
        "risk_coverage",
        "latencies",
        "judge",
        "questions",
    }
    assert content["schema"] == 1
    assert "records" not in content["run"]
    assert content["run"]["set_hash"] == "ab" * 32
    figure = summary.figures["answer_accuracy"]
    assert content["figures"]["answer_accuracy"] == {
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "n": figure.n,
    }
    assert sum(content["verdicts"].values()) == len(content["questions"]) == 20
    assert set(content["questions"][0]) == {"verdict", "why", "exact", "token_f1", "rank", "metrics", "record"}
    assert content["questions"][3]["record"]["question"]["id"] == "made-0003"
    assert {group["by"] for group in content["groups"]} == {"language", "type", "document"}


def test_csv_is_one_line_a_question() -> None:
    text = csv_text(a_summary(a_record(0), a_record(1, answer='two "lines"\nof, text')), "en")
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text[1:], newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["number"] for row in rows] == ["1", "2"]
    assert rows[0]["verdict"] == "right"
    assert rows[1]["answer"] == 'two "lines"\nof, text'
    assert rows[0]["right_pages"] == "pavo.pdf, 7"
    assert rows[0]["seconds"] == "4.5"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\n=", "\r=", " =", "＝", "＋", "－", "＠"])
def test_no_cell_is_a_formula(start: str) -> None:
    evil = f"{start}HYPERLINK(1)"
    question = a_question(id=evil.strip() or "x", question=evil, answers=(evil,), type=evil)
    text = csv_text(a_summary(a_record(question=question, answer=evil, error_message=evil)), "en")
    row = next(csv.DictReader(io.StringIO(text[1:], newline="")))
    for name in ("question", "answer", "accepted_answers", "type"):
        assert row[name].startswith("'"), name


@given(st.text())
def test_a_spreadsheet_cell_never_starts_a_formula(text: str) -> None:
    assert not spreadsheet_cell(text).lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@given(st.text(st.characters(codec=None)))
def test_plain_text_can_be_written_and_steers_nothing(text: str) -> None:
    safe = plain(text)
    safe.encode()
    assert "\x1b" not in safe
    assert not set(safe) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert "\n" not in one_line(text)


def test_ordinary_text_stays_as_it_is() -> None:
    assert plain("水箱容量：1.8 升\n\tMAX – 5 °C 👩‍🔧") == "水箱容量：1.8 升\n\tMAX – 5 °C 👩‍🔧"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_terminal_shows_figures_groups_reasons_and_what_is_wrong(language: Language) -> None:
    summary = summarise(a_big_run(120))
    text = printed(summary, language)
    words = Words(language)
    assert value_of("answer_accuracy", summary.figures["answer_accuracy"].value, language) in text
    assert "chengjing-净水器.pdf" in text
    assert words("worst_reasons") in text
    wrong = sum(summary.verdicts.get(verdict, 0) for verdict in ("wrong", "refused", "invented", "failed"))
    assert words("more_wrong", count=wrong - 10) in text


def test_the_terminal_takes_text_as_text() -> None:
    question = a_question(question="[bold red]x[/] [link=http://evil]y[/link] \x1b]0;title\x07 \u202eabc")
    text = printed(a_summary(a_record(question=question, answer="[/nonsense] 9 kg"), name="[red]N[/red]"), "en")
    assert "[bold red]x[/] [link=http://evil]y[/link]" in text
    assert "[/nonsense] 9 kg" in text
    assert "[red]N[/red]" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_run_with_nothing_in_it_prints() -> None:
    assert "0 of 5" in printed(a_summary(questions=5), "en")


def test_words_are_complete_in_both_languages() -> None:
    for key, (english, chinese) in WORDS.items():
        assert english, key
        assert chinese, key
        fields = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (english, chinese)]
        assert fields[0] == fields[1], key
    assert [name for name in RunSettings.model_fields if f"setting_{name}" not in WORDS] == []


def test_reasons_for_withholding_are_those_of_the_service_and_said_in_both_languages() -> None:
    source = inspect.getsource(grounding) + inspect.getsource(answer)
    assert [reason for reason in WITHHELD if f'"{reason}' not in source] == []
    assert Words("zh").withheld("not in the cited text: 12 V") == "引用的原文中没有：12 V"
    assert Words("en").withheld("not in the cited text: 12 V") == "not in the cited text: 12 V"
    assert Words("zh").withheld("something new") == "something new"


def test_figures_are_written_as_people_read_them() -> None:
    assert [share(value) for value in (0.0, 0.875, 0.9996, 1.0)] == ["0%", "87.5%", "100.0%", "100%"]
    assert value_of("seconds_p50", 4.256, "en") == "4.26 s"
    assert value_of("prompt_tokens", 1234.4, "zh") == "1,234"
    assert value_of("answer_accuracy", None, "en") == "–"
    assert change_of("answer_accuracy", -0.0312, "en") == "−3.1"
    assert change_of("answer_accuracy", 0.0, "en") == "0"
    assert change_of("seconds_p95", 1.5, "zh") == "+1.50 秒"
    assert [probability(p) for p in (None, 0.0001, 0.0123, 0.5)] == ["–", "< 0.001", "0.012", "0.50"]
