"""HTML as a reader sees it: text, headings, tables and lists; nothing hidden, nothing fetched, no bomb."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.errors import DocumentError, DocumentTooCostly, NoText, Unreadable
from app.ingest.parsers.html import HtmlParser
from app.ports import ParseLimits
from app.types import ParsedDocument

LIMITS = ParseLimits(seconds=20, memory_mb=1000, pages=500, characters=2_000_000)


def parsed(page: str | bytes, folder: Path, limits: ParseLimits = LIMITS) -> ParsedDocument:
    path = folder / "file"
    path.write_bytes(page.encode() if isinstance(page, str) else page)
    return HtmlParser().parse(path, limits, lambda _done, _total: None)


def text_of(page: str | bytes, folder: Path) -> str:
    return "\n".join(page.text for page in parsed(page, folder).pages)


def test_paragraphs_headings_and_title(tmp_path: Path) -> None:
    page = "<title>Pump &amp; valve</title><h1>Pump</h1><p>Press\n<b>Start</b>.<br>Wait.<h2>水泵<br>启动</h2>中文\n换行"
    document = parsed(page, tmp_path)
    assert document.title == "Pump & valve"
    assert document.pages[0].text == "Pump\n\nPress Start.\nWait.\n\n水泵 启动\n\n中文换行"
    assert [(h.level, h.title, h.page, h.offset) for h in document.outline] == [
        (1, "Pump", 1, 0),
        (2, "水泵 启动", 1, 26),
    ]


def test_long_pages_are_divided_before_a_heading(tmp_path: Path) -> None:
    part = "<h2>Part {}</h2>" + "<p>The pump starts after ten seconds.</p>" * 50
    document = parsed("".join(part.format(number) for number in range(6)), tmp_path)
    assert len(document.pages) == 6
    assert [(heading.title, heading.page, heading.offset) for heading in document.outline] == [
        (f"Part {number}", number + 1, 0) for number in range(6)
    ]


def test_text_without_a_border_is_divided_all_the_same(tmp_path: Path) -> None:
    document = parsed("<p>" + "泵" * 10_000, tmp_path)
    assert [len(page.text) for page in document.pages] == [3000, 3000, 3000, 1000]


def test_a_row_is_a_line_and_merged_cells_stay_in_their_columns(tmp_path: Path) -> None:
    page = """<table><caption>Faults</caption><tr><th>Code<th>Cause<th colspan=2>Fix
      <tr><td rowspan=2>E-04<td>No<br>water<td><ul><li>Fill<li>Restart</ul><td>now<tr><td>Leak<td><p>Seal<p>it<td>x
      <tr><td><td></table>"""
    assert text_of(page, tmp_path) == (
        "Faults\nCode\tCause\tFix\nE-04\tNo water\t• Fill • Restart\tnow\nE-04\tLeak\tSeal it\tx"
    )


def test_a_table_for_layout_is_read_as_text(tmp_path: Path) -> None:
    page = "<table><tr><td>Side<td><h1>Pump</h1><p>One.<table><tr><td>a<td>b</table><p>Two.</table>"
    document = parsed(page, tmp_path)
    assert document.pages[0].text == "Side\n\nPump\n\nOne.\n\na\tb\n\nTwo."
    assert document.outline[0].title == "Pump"


def test_lists_keep_their_numbers(tmp_path: Path) -> None:
    page = "<ol start=3><li>Open<li>Close<ol type=a><li>Left<li>Right</ol><li value=9>End</ol><ul><li>Dot</ul>"
    assert text_of(page, tmp_path) == "3. Open\n4. Close\n  a. Left\n  b. Right\n9. End\n\n• Dot"


def test_preformatted_text_keeps_its_lines_and_a_raised_digit_its_height(tmp_path: Path) -> None:
    page = "<pre>a   b\n  c &lt;d&gt;</pre><p>10<sup>3</sup> m<sup>2</sup>, "
    page += "<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>"
    assert text_of(page, tmp_path) == "a   b\n  c <d>\n\n10³ m², 1/2"


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>SECRET</script>",
        "<script>document.write('</p>SECRET')</script>",
        "<style>SECRET</style>",
        "<nav><a href=x>SECRET</a></nav>",
        "<div role=navigation>SECRET</div>",
        "<!-- SECRET -->",
        "<template><p>SECRET</p></template>",
        "<noscript>SECRET</noscript>",
        "<iframe src='https://example.com'>SECRET</iframe>",
        "<svg><text>SECRET</text></svg>",
        "<p hidden>SECRET</p>",
        "<div hidden><div>SECRET</div><table><tr><td>SECRET</table></div>",
        "<span aria-hidden='TRUE'>SECRET</span>",
        "<span style='display : none'>SECRET</span>",
        "<span style='color:red;DISPLAY:/**/none!important'>SECRET</span>",
        "<span style='visibility:hidden'>SECRET</span>",
        "<span style='font-size:0'>SECRET</span>",
        "<span style='font-size: 0.0px; x:y'>SECRET</span>",
        "<span style='font-size:0.1px'>SECRET</span>",
        "<span style='opacity:0'>SECRET</span>",
        "<span style='position:absolute;left:-9999px'>SECRET</span>",
        "<span style='text-indent:-9999em'>SECRET</span>",
        "<span style='clip:rect(0 0 0 0)'>SECRET</span>",
        "<span style='color:transparent'>SECRET</span>",
        "<span style='mso-hide:all'>SECRET</span>",
        "<del>SECRET</del>",
        "<p style='display:none'>SECRET<b>SECRET",
    ],
)
def test_what_no_reader_sees_is_left_out(hidden: str, tmp_path: Path) -> None:
    assert text_of(f"<p>before</p>{hidden}<div>after</div>", tmp_path) == "before\n\nafter"


@pytest.mark.parametrize(
    "shown",
    [
        "<span style='font-size:0.9em'>kept</span>",
        "<span style='opacity:0.5'>kept</span>",
        "<span style='margin-left:-100px'>kept</span>",
        "<span style='background-color:transparent'>kept</span>",
        "<span style='font-size:10px'>kept</span>",
        "<span aria-hidden=false>kept</span>",
        "<details><summary>kept</summary></details>",
    ],
)
def test_ordinary_styles_hide_nothing(shown: str, tmp_path: Path) -> None:
    assert text_of(shown, tmp_path) == "kept"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("<p>水泵 é".encode("utf-8-sig"), "水泵 é"),
        ("<p>水泵".encode("utf-16"), "水泵"),
        ("<meta charset=gb2312><p>水泵启动".encode("gbk"), "水泵启动"),
        ("<p>水泵启动之后等待十秒".encode("gb18030"), "水泵启动之后等待十秒"),
        ("<meta charset=gb2312><p>水泵启动".encode(), "水泵启动"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=big5"><p>水泵啟動'.encode("big5"), "水泵啟動"),
        ("<meta charset=iso-8859-1><p>für “Pumpe”".encode("cp1252"), "für “Pumpe”"),
        (b"<meta charset=utf-8><p>" + b"The pump starts. " * 100 + b"\xff", None),
    ],
)
def test_the_encoding_is_found(data: bytes, expected: str | None, tmp_path: Path) -> None:
    text = text_of(data, tmp_path)
    assert text == expected if expected else text.startswith("The pump starts.")


def test_xhtml_may_close_empty_elements(tmp_path: Path) -> None:
    page = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><script src="x"/><title/></head>'
    assert text_of(page + '<body><a id="top"/><div/><p>The pump<br/>starts.</p></body></html>', tmp_path) == (
        "The pump\nstarts."
    )


def test_entities_of_the_file_are_never_resolved(tmp_path: Path) -> None:
    page = '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y "yyyy">]><p>a &x; &y; &eacute;</p>'
    text = text_of(page, tmp_path)
    assert "root" not in text
    assert "yyyy" not in text.replace('"yyyy"', "")
    assert "é" in text


@pytest.mark.parametrize("page", ["<p></p>", "<script>x</script>", "<p hidden>text</p>", "<h1> </h1>", "<img alt=x>"])
def test_a_page_that_shows_no_text_is_an_error(page: str, tmp_path: Path) -> None:
    with pytest.raises(NoText):
        parsed(page, tmp_path)


def test_bytes_in_no_known_encoding_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        parsed(b"<p>" + "Größe für Öl ".encode("latin-1") * 50, tmp_path)


def test_too_many_characters_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DocumentTooCostly, match="characters"):
        parsed("<p>text</p>" * 1000, tmp_path, ParseLimits(20, 1000, pages=500, characters=500))


BOMBS = {
    "nested": "<div>" * 300_000 + "text",
    "nested inline": "<b><i>" * 200_000 + "text",
    "nested tables": "<table><tr><td>" * 50_000 + "text",
    "nested lists": "<ul><li>" * 50_000 + "text",
    "unclosed": "<p>text<div>" * 100_000,
    "cells": "<table>" + "<tr><td>x<td>y" * 100_000,
    "wide row": "<table><tr>" + "<td>x" * 200_000,
    "spans": "<table>" + ("<tr>" + "<td colspan=100 rowspan=1000>word" * 100) * 2000,
    "attributes": "<p " + "a=b " * 500_000 + ">text",
    "one attribute": "<p style='" + "/*" * 1_000_000 + "'>text",
    "open tag": "<p>text" + "<" * 2_000_000,
    "xhtml": "<?xml ?><p>text" + "<a " * 500_000,
    "entities": "<p>text" + "&amp;" * 500_000,
    "empty headings": "<h1></h1>" * 300_000 + "text",
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_hostile_page_gives_text_or_a_typed_error_in_time(name: str, tmp_path: Path) -> None:
    begun = time.monotonic()
    try:
        assert parsed(BOMBS[name], tmp_path).pages
    except DocumentError as error:
        assert error.code() in ("document_too_costly", "unreadable", "no_text", "too_many_pages")  # noqa: PT017
    assert time.monotonic() - begun < 25
