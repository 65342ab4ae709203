"""Question files: what is read as it is, and what is refused with the numbers of its lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import QuestionSetInvalid
from eval import question_sets
from eval.question_sets import LabelledQuestion, canonical, draw, parse, read
from tests.unit.evaluation.factories import a_question, an_unanswerable


def line(**fields: object) -> str:
    return json.dumps({"id": "a", "question": "How heavy?", "answers": ["3 kg"]} | fields, ensure_ascii=False)


def fault_of(text: str, form: question_sets.Format = "jsonl") -> QuestionSetInvalid:
    with pytest.raises(QuestionSetInvalid) as caught:
        parse(text, form, "set")
    return caught.value


def test_a_line_with_everything() -> None:
    [question] = parse(
        line(
            lang="en",
            type="spec",
            source_file="pdf/pump.pdf",
            page=3,
            pages=[3],
            alt_pages=[9],
            relevant_doc_ids=["pump#p3", "pump#p9"],
            withheld_answer=None,
            fake_answer="4 kg",
            product="ignored",
        ),
        "jsonl",
        "set",
    ).questions
    assert question.answers == ("3 kg",)
    assert question.fake_answer == ("4 kg",)
    assert question.relevant_pages == (("pump.pdf", 3), ("pump.pdf", 9))
    assert question.pages() == {("pump.pdf", 3), ("pump.pdf", 9)}


def test_where_all_pages_are_needed_other_places_of_a_fact_do_not_count() -> None:
    [question] = parse(line(file="a.pdf", pages=[1, 2], alt_pages=[8], needs_all=True), "jsonl", "set").questions
    assert question.pages() == {("a.pdf", 1), ("a.pdf", 2)}


def test_pages_come_from_the_corpus_beside_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "pumps"
    folder.mkdir()
    (folder / "qa.jsonl").write_text(line(relevant_doc_ids=["s-1", "unknown"]), encoding="utf-8")
    corpus = [
        {"doc_id": "s-1", "source_file": "sets/x/pdf/pump.pdf", "page": 4, "pages": [4, 5]},
        {"doc_id": "s-2", "source_file": "sets/x/pdf/pump.pdf", "page": 6},
        {"doc_id": "no page"},
    ]
    text = "\n".join(["not json", *map(json.dumps, corpus)])
    (folder / "corpus.jsonl").write_text(text, encoding="utf-8")
    read_set = read(folder / "qa.jsonl")
    assert read_set.name == "pumps"
    assert read_set.questions[0].pages() == {("pump.pdf", 4), ("pump.pdf", 5)}


def test_a_missing_id_and_language_are_filled_in() -> None:
    text = "\n" + json.dumps({"question": "水箱能装多少水？", "answers": "1.8 升"}, ensure_ascii=False)
    [question] = parse(text, "jsonl", "set").questions
    assert (question.id, question.lang, question.answers) == ("line-2", "zh", ("1.8 升",))


def test_numbers_stand_for_texts() -> None:
    [question] = parse(line(id=7, answers=[2, " "]), "jsonl", "set").questions
    assert (question.id, question.answers) == ("7", ("2",))


def test_an_answerable_question_without_answers_is_unlabelled() -> None:
    [question] = parse(line(answers=[]), "jsonl", "set").questions
    assert question.answerable
    assert not question.labelled


def test_csv_with_everything() -> None:
    text = (
        "ID,Question,Answers,Answerable,Lang,Type,File,Pages\n"
        'a,"How long, in seconds?",5 s|five seconds,true,en,spec,manuals\\pump.pdf,"7-8, 12"\n'
        "b,谁发明了它？,,否,zh,,,\n"
        'c,Which?,"[""A|B"", ""B|A""]",1,en,,,\n'
    )
    first, second, third = parse("\ufeff" + text, "csv", "set").questions
    assert first.question == "How long, in seconds?"
    assert first.answers == ("5 s", "five seconds")
    assert first.pages() == {("pump.pdf", 7), ("pump.pdf", 8), ("pump.pdf", 12)}
    assert (second.answerable, second.answers, second.lang) == (False, (), "zh")
    assert third.answers == ("A|B", "B|A")


def test_csv_as_a_chinese_or_european_spreadsheet_writes_it() -> None:
    text = "编号;问题;答案;文件;页码\r\n一;要按住多久？;5 秒;泵.pdf;7\r\n"
    [question] = parse(text, "csv", "set").questions
    assert (question.id, question.answers, question.pages()) == ("一", ("5 秒",), {("泵.pdf", 7)})


def test_line_breaks_inside_a_cell_keep_the_count_of_lines() -> None:
    error = fault_of('question,answerable\n"How\nlong?",true\nWhy?,perhaps\n', "csv")
    assert error.params["reason"] == "line 4: answerable must be true or false"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("\ufeff \n", "it is empty"),
        ("{", "line 1: not valid JSON"),
        ("[" * 100_000, "line 1: not valid JSON"),
        ("[1]", "line 1: not a JSON object"),
        ('{"id": "a"}', "line 1: question is required"),
        (line(question=["?"]), "line 1: question must be text"),
        (line(question="?" * 2001), "line 1: question must have 2000 or fewer characters"),
        (line(id="x" * 201), "line 1: id must have 200 or fewer characters"),
        (line(answerable="perhaps"), "line 1: answerable must be true or false"),
        (line(answers=["x"] * 201), "line 1: answers must have 200 or fewer entries"),
        (line(answerable=False), "line 1: called unanswerable, yet it has answers"),
        (line(page=3), "line 1: pages without a file"),
        (line(file="a.pdf", page="three"), "line 1: three is no page; write 7, 7-9 or 7|12"),
        (line(file="a.pdf", page=0), "line 1: relevant_pages must be at least 1"),
        (line() + "\n\n" + line(), "line 3: the id a is that of line 1, too"),
        (line(question=" "), "it has no questions"),
    ],
)
def test_what_is_wrong_is_said_in_both_languages(text: str, reason: str) -> None:
    error = fault_of(text)
    assert error.params["reason"] == reason
    assert reason in error.message("en")
    chinese = error.message("zh").split("：", 1)[1]
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese.removeprefix("第 1 行"))
    assert reason not in chinese


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,answers\na,b\n", "its first line names no column “question”"),
        ("question,问题\na,b\n", "its first line names the column question twice"),
        ('question\n"open\n', "line 2: a quotation mark is not closed"),
        ("question,id\na,b,c\n", "line 2: more cells than the first line has columns"),
        ("question\n", "it has no questions"),
    ],
)
def test_csv_faults(text: str, reason: str) -> None:
    error = fault_of(text, "csv")
    assert error.params["reason"] == reason
    assert reason not in error.message("zh")


def test_twenty_bad_lines_are_listed_and_the_rest_counted() -> None:
    error = fault_of("\n".join(["no"] * 25))
    assert "line 20: " in error.message("en")
    assert "line 21: " not in error.message("en")
    assert error.message("en").endswith("; 5 more lines")
    assert error.message("zh").endswith("第 20 行：不是有效的 JSON；另有 5 行")


def test_a_blank_question_is_skipped_and_told() -> None:
    read_set = parse("\n".join([line(), line(id="b", question=" ")]), "jsonl", "set")
    assert [question.id for question in read_set.questions] == ["a"]
    assert read_set.skipped == (2,)


def test_too_many_and_too_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(question_sets, "MAX_QUESTIONS", 2)
    assert fault_of("\n".join(line(id=str(n)) for n in range(3))).params["reason"] == "it has more than 2 questions"
    monkeypatch.setattr(question_sets, "MAX_MB", 0)
    assert fault_of(line()).params["reason"] == "it is larger than 0 MB"
    path = tmp_path / "set.jsonl"
    path.write_text(line(), encoding="utf-8")
    with pytest.raises(QuestionSetInvalid, match="larger than 0 MB"):
        read(path)


def test_files_that_are_no_text_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_bytes(b"question\n" + "多久".encode("gb18030"))
    with pytest.raises(QuestionSetInvalid, match=r"not text in UTF-8 \(byte 10\)"):
        read(path)
    with pytest.raises(QuestionSetInvalid, match="not a file that can be read"):
        read(tmp_path / "none.jsonl")


def test_a_set_is_known_by_its_questions_and_not_by_how_they_are_written() -> None:
    text = "question,id,answers,lang\nHow heavy?,a,3 kg,en\n"
    assert parse(text, "csv", "one").sha256 == parse(line(lang="en", note="x"), "jsonl", "two").sha256
    assert parse(line(), "jsonl", "set").sha256 != parse(line(answers=["4 kg"]), "jsonl", "set").sha256


texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20).filter(str.strip).map(str.strip)


@given(
    question=texts,
    answers=st.lists(texts, max_size=3),
    lang=st.sampled_from(["en", "zh", "de"]),
    pages=st.lists(st.tuples(st.sampled_from(["a.pdf", "手册.pdf"]), st.integers(1, 900)), max_size=3, unique=True),
    needs_all=st.booleans(),
)
def test_what_is_written_is_read_back(
    question: str, answers: list[str], lang: str, pages: list[tuple[str, int]], needs_all: bool
) -> None:
    whole = LabelledQuestion(
        id="a", question=question, answers=tuple(answers), lang=lang, relevant_pages=tuple(pages), needs_all=needs_all
    )
    assert parse(canonical([whole]), "jsonl", "set").questions == (whole,)


@given(st.text(max_size=200), st.sampled_from(["jsonl", "csv"]))
def test_any_text_is_a_set_or_a_typed_error(text: str, form: question_sets.Format) -> None:
    try:
        assert parse(text, form, "set").questions
    except QuestionSetInvalid as error:
        assert error.message("zh")  # noqa: PT017 - either outcome is right


def test_a_draw_is_seeded_and_as_even_as_the_set_allows() -> None:
    pool = [a_question(id=f"e{n}", lang="en") for n in range(20)]
    pool += [a_question(id=f"z{n}", lang="zh") for n in range(3)] + [an_unanswerable(id=f"u{n}") for n in range(5)]
    chosen = draw(pool, 10, 2, 1)
    assert chosen == draw(pool, 10, 2, 1)
    assert chosen != draw(pool, 10, 2, 2)
    assert sum(q.lang == "zh" for q in chosen) == 3
    assert [q.answerable for q in chosen] == [True] * 10 + [False] * 2
    assert len(draw(pool, None, 0, 1)) == 23
