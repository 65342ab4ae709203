"""Plain text and Markdown: encodings, pages, headings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DocumentTooCostly, EmptyFile, NoText, TooManyPages, Unreadable
from app.ingest.parsers.markdown import MarkdownParser, headings
from app.ingest.parsers.text import PAGE_CHARACTERS, TextParser, decoded, divided
from app.ports import ParseLimits, Parser
from app.types import Heading, ParsedDocument

LIMITS = ParseLimits(seconds=5, memory_mb=500, pages=100, characters=1_000_000)


def parse(data: bytes, folder: Path, parser: Parser | None = None, limits: ParseLimits = LIMITS) -> ParsedDocument:
    path = folder / "file"
    path.write_bytes(data)
    return (parser or TextParser()).parse(path, limits, lambda _done, _total: None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030", "gbk"])
def test_common_encodings_of_chinese_are_understood(encoding: str) -> None:
    assert decoded("打印机显示错误代码 E-04。".encode(encoding)) == "打印机显示错误代码 E-04。"


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00",
        bytes(range(256)),
        "naïve café, größer".encode("latin-1"),
        b"text\x00text",
        b"\xff\xfe\x00\xd8",
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        decoded(data)


def test_form_feeds_divide_pages(tmp_path: Path) -> None:
    document = parse(b"one\r\n\ftwo\n\n\n\n2\x0c", tmp_path)
    assert [(page.number, page.text) for page in document.pages] == [(1, "one"), (2, "two\n\n2"), (3, "")]


def test_long_text_is_divided_at_paragraphs(tmp_path: Path) -> None:
    paragraphs = [f"{number} " + "word " * 100 for number in range(30)]
    document = parse("\n\n".join(paragraphs).encode(), tmp_path)
    assert len(document.pages) > 4
    assert all(len(page.text) <= PAGE_CHARACTERS and page.text[0].isdigit() for page in document.pages)


@given(st.text(st.sampled_from("ab \n\f。"), max_size=400).map(lambda text: text * 40))
def test_sections_lose_nothing_but_white_space(text: str) -> None:
    sections = divided(text)
    assert "".join("".join(section.text.split()) for section in sections) == "".join(text.split())
    assert all(text[section.start :].startswith(section.text) for section in sections)
    assert all(len(section.text) <= PAGE_CHARACTERS for section in sections)


def test_limits_and_emptiness_are_typed(tmp_path: Path) -> None:
    small = ParseLimits(seconds=5, memory_mb=500, pages=2, characters=10)
    for data, error in (
        (b"", EmptyFile),
        (b" \n\t", NoText),
        (b"x" * 11, DocumentTooCostly),
        (b"a\fb\fc", TooManyPages),
    ):
        with pytest.raises(error):
            parse(data, tmp_path, limits=small)


def test_markdown_headings_point_at_their_lines(tmp_path: Path) -> None:
    text = """---
title: ignored
---
# The **Pump** P1 #

Intro
## [Safety](https://example.org/x)
```sh
# not a heading
```
Maintenance
===========
text
- item
---
####### seven
"""
    document = parse(text.encode(), tmp_path, MarkdownParser())
    page = document.pages[0]
    assert "ignored" not in page.text
    assert [(h.level, h.title) for h in document.outline] == [(1, "The Pump P1"), (2, "Safety"), (1, "Maintenance")]
    assert [page.text[h.offset :].split("\n")[0] for h in document.outline] == [
        "# The **Pump** P1 #",
        "## [Safety](https://example.org/x)",
        "Maintenance",
    ]
    assert document.title == "The Pump P1"


def test_markdown_headings_on_later_pages(tmp_path: Path) -> None:
    text = "\n".join(f"# Part {number}\n" + "words and words\n" * 100 for number in range(5))
    document = parse(text.encode(), tmp_path, MarkdownParser())
    assert len(document.pages) > 1
    for number, heading in enumerate(document.outline):
        assert isinstance(heading, Heading)
        assert document.pages[heading.page - 1].text[heading.offset :].startswith(f"# Part {number}\n")


@given(st.text(st.sampled_from("#=- `~ab\n\f"), max_size=200))
def test_headings_of_any_text_are_in_order(text: str) -> None:
    offsets = [offset for _, _, offset in headings(text)]
    assert offsets == sorted(offsets)
    assert all(0 <= offset <= len(text) for offset in offsets)


def test_markup_stays_text(tmp_path: Path) -> None:
    page = parse(b"# Hi\n<script>alert(1)</script> ![x](javascript:1)", tmp_path, MarkdownParser()).pages[0]
    assert page.text.endswith("<script>alert(1)</script> ![x](javascript:1)")
