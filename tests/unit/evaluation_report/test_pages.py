"""Pages of reports: closed to the outside, inert whatever manuals and models say, and complete."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from app.types import Language
from eval.compare import compare
from eval.records import GivenCitation, GivenSentence, RunSettings
from eval.report import comparison_html, content_security_policy, html
from eval.report.formats import share
from eval.summary import summarise
from tests.unit.evaluation_report.factories import a_big_run, a_passage, a_question, a_record, a_run, a_summary

HOSTILE = (
    '</script><script>alert(1)</script>"><img src=x onerror=alert(2)>'
    "<a href='javascript:alert(3)'>\u202egnp.exe\u2066{{ 7 * 7 }}{% raw %}</style></title></textarea>\x1b[31m]]><!--"
)
CANARY = "zq-canary"
VOID = {"meta", "link", "input", "br", "img"}


class Reader(HTMLParser):
    """Tags, attributes and texts of a page as a browser would take them; `faults` are tags that do not match."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def inside(self, tag: str) -> list[str]:
        return [text for within, text in self.texts if within == tag]

    def text(self) -> str:
        return " ".join(text for within, text in self.texts if within not in ("style", "script"))

    def values(self, name: str) -> list[str]:
        return [value or "" for _, attribute, value in self.attributes if attribute == name]


def a_hostile_run(text: str = HOSTILE, **fields: object):  # noqa: ANN201
    record = a_record(
        question=a_question(
            id=text, question=text, answers=(text,), type=text, lang=text[:35], relevant_pages=((text, 7),)
        ),
        found=(a_passage(document=text), a_passage(document=text, passed=False)),
        answer=text,
        sentences=(GivenSentence(text=text, grounded=False, reason=text),),
        withheld=(text, f"{text} too"),
        citations=(GivenCitation(document=text, page=7, quote=text, true=False),),
        error_message=text,
        error=text,
        model=text,
        adapter=text,
    )
    names = {
        "id": text,
        "name": text,
        "knowledge_base": text,
        "question_set": text,
        "set_hash": text,
        "model": text,
        "started_at": text,
        "fingerprint": {text: text},
        "versions": {text: text},
    }
    return a_run(record, **(names | fields))


def pages_of(run) -> list[str]:  # noqa: ANN001
    other = a_run(a_record(question=run.records[0].question), name="other")
    pages = [html(summarise(run), language) for language in ("en", "zh")]
    return pages + [comparison_html(compare(run, other), language) for language in ("en", "zh")]


def test_hostile_text_stays_text() -> None:
    safe = pages_of(a_hostile_run("plain name"))
    for hostile, plain_page in zip(pages_of(a_hostile_run()), safe, strict=True):
        page = Reader(hostile)
        assert page.faults == []
        assert page.tags == Reader(plain_page).tags
        assert [name for _, name, _ in page.attributes if name.startswith("on") or name in ("style", "src")] == []
        assert not any("javascript:" in value for value in page.values("href"))
        assert "onerror=alert(2)" in page.text()
        assert "49" not in re.findall(r"\d+", page.text())


def test_marks_that_turn_text_around_are_written_out() -> None:
    for page in pages_of(a_hostile_run()):
        assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\x1b]", page)
        assert "‹U+202E›" in page


def test_a_page_asks_nobody_for_anything() -> None:
    for page in pages_of(a_big_run(12)):
        read = Reader(page)
        assert {tag for tag in read.tags if tag in ("img", "iframe", "object", "embed", "base", "a")} == set()
        assert set(read.values("href")) == {"data:,"}
        assert read.tags.count("script") == read.tags.count("style") == read.tags.count("link") == 1
        assert not re.search(r"url\(|@import|https?://", page)


def test_the_policy_lets_its_own_style_and_script_in_and_nothing_else() -> None:
    for page in pages_of(a_big_run(5)):
        policy = content_security_policy(page)
        read = Reader(page)
        for directive, tag in (("style-src", "style"), ("script-src", "script")):
            digest = hashlib.sha256("".join(read.inside(tag)).encode()).digest()
            assert f"{directive} 'sha256-{base64.b64encode(digest).decode()}';" in policy
        assert policy.startswith("default-src 'none';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'; sandbox allow-scripts" in policy
        assert page.index("Content-Security-Policy") < page.index("<title>")


def test_a_page_of_somebody_else_has_no_policy() -> None:
    with pytest.raises(ValueError, match="no policy"):
        content_security_policy("<html></html>")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_report_holds_everything_of_a_question(language: Language) -> None:
    record = a_record(
        question=a_question(answers=("1.8 L", "1800 ml")),
        found=(a_passage("pavo.pdf", 7, 0.871), a_passage("other.pdf", 3, 0.512, passed=False)),
        answer="It holds 2.5 L.",
        sentences=(
            GivenSentence(text="It holds 2.5 L.", grounded=True),
            GivenSentence(text=CANARY, grounded=False, reason="no passage says this"),
        ),
        withheld=(CANARY,),
        citations=(
            GivenCitation(document="pavo.pdf", page=7, quote="holds 2.5", true=False),
            GivenCitation(document="pavo.pdf", page=9, quote="a tank", true=True),
        ),
        seconds=6.25,
    )
    text = Reader(html(a_summary(record), language)).text()
    for said in ("It holds 2.5 L.", "1800 ml", "0.871", "0.512", CANARY, "holds 2.5", "6.25", "other.pdf"):
        assert said in text, said
    expected = {
        "en": (
            "wrong",
            "below threshold",
            "quote not on the page",
            "quote on the page",
            "p. 9",
            "no passage says this",
        ),
        "zh": ("错误", "低于阈值", "原页无此引文", "引文与原页相符", "第 9 页", "没有段落这样说"),
    }
    for said in expected[language]:
        assert said in text, said


def test_headline_figures_come_with_interval_and_number() -> None:
    records = [a_record(index, answer="It holds 1.8 L." if index < 6 else "5 kg") for index in range(8)]
    summary = a_summary(*records)
    figure = summary.figures["answer_accuracy"]
    assert (figure.value, figure.n) == (0.75, 8)
    assert figure.low is not None
    assert figure.high is not None
    text = Reader(html(summary, "en")).text()
    assert "75.0%" in text
    assert f"{share(figure.low)} – {share(figure.high)}" in text
    assert "n = 8" in text


def test_rows_carry_what_the_filters_choose_from() -> None:
    page = Reader(html(summarise(a_big_run(60)), "en"))
    for name in ("verdict", "language", "type", "document", "why"):
        offered = {
            value[1:] for tag, attribute, value in page.attributes if tag == "option" and value and attribute == "value"
        }
        held = {part for value in page.values(f"data-{name}") for part in value.split("\n") if part}
        assert held, name
        assert held <= offered, name


def test_a_question_of_two_documents_is_found_under_both() -> None:
    question = a_question(relevant_pages=(("a & b.pdf", 1), ('"c".pdf', 2)))
    page = Reader(html(a_summary(a_record(question=question)), "en"))
    assert '"c".pdf\na & b.pdf' in page.values("data-document")


def test_an_unfinished_run_says_so() -> None:
    page = html(a_summary(a_record(), questions=40, finished_at=None), "en")
    assert "1 of 40 questions are in" in page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_run_without_anything_still_makes_a_page(language: Language) -> None:
    page = Reader(html(a_summary(questions=3), language))
    assert page.faults == []
    assert "0 of 0" in page.text() or "0 / 0" in page.text()


def test_a_search_only_run_shows_ranking() -> None:
    records = [a_record(index, answer="", mode=None, seconds=None, citations=(), sentences=()) for index in range(3)]
    text = Reader(html(a_summary(*records, settings=RunSettings(mode="retrieval")), "en")).text()
    assert "Hit@1" in text
    assert "nDCG@10" in text
    assert "until the sources were there" in text


def test_six_hundred_questions_stay_light() -> None:
    assert len(html(summarise(a_big_run(600)), "zh").encode()) < 3_000_000


def test_of_very_many_questions_the_page_keeps_those_not_right() -> None:
    records = [a_record(index, answer="It holds 1.8 L.") for index in range(2100)]
    records[2099] = a_record(2099, answer=f"9 kg {CANARY}")
    page = html(a_summary(*records), "en")
    assert CANARY in page
    assert "100 more questions with a good verdict" in page


def test_a_comparison_shows_both_answers_and_marks_what_chance_does_not_explain() -> None:
    before = a_run(*(a_record(i, a_question(id=f"q{i}"), answer="It holds 9 kg.") for i in range(12)))
    after = a_run(*(a_record(i, a_question(id=f"q{i}"), answer="It holds 1.8 L.") for i in range(12)), name="Second")
    gained = Reader(comparison_html(compare(before, after), "en"))
    assert "It holds 9 kg." in gained.text()
    assert "It holds 1.8 L." in gained.text()
    assert "+100.0" in gained.text()
    assert gained.values("data-change") == ["better"] * 12
    lost = Reader(comparison_html(compare(after, before), "en"))
    assert lost.values("data-change") == ["worse"] * 12
    assert "−100.0" in lost.text()
    assert "down" in " ".join(lost.values("class"))


def test_a_comparison_of_the_same_run_has_no_changes() -> None:
    run = a_big_run(10)
    assert "No verdict changed." in comparison_html(compare(run, run), "en")
