"""Word files: text in order with headings, lists, tables and notes; nothing deleted or hidden; no bomb."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest

from app.errors import DocumentError, DocumentTooCostly, EmptyFile, Encrypted, NoText, Unreadable
from app.ingest.parsers.docx import OLE_MARK, DocxParser
from app.ports import ParseLimits
from app.types import ParsedDocument
from tests.fixtures.office import PAGE_BREAK, a_docx, a_list, a_part, a_style, a_zip, numbered, p, r, table, tc, tr

LIMITS = ParseLimits(seconds=20, memory_mb=1000, pages=500, characters=2_000_000)
TIGHT = ParseLimits(seconds=20, memory_mb=350, pages=500, characters=2_000_000)
RENDERED = "<w:r><w:lastRenderedPageBreak/></w:r>"


def parsed(data: bytes, folder: Path, limits: ParseLimits = LIMITS) -> ParsedDocument:
    path = folder / "file"
    path.write_bytes(data)
    return DocxParser().parse(path, limits, lambda _done, _total: None)


def pages_of(data: bytes, folder: Path) -> list[str]:
    return [page.text for page in parsed(data, folder).pages]


def outline_of(data: bytes, folder: Path) -> list[tuple[int, str, int]]:
    document = parsed(data, folder)
    for heading in document.outline:
        assert heading.offset is not None
        assert document.pages[heading.page - 1].text[heading.offset :].startswith(heading.title)
    return [(heading.level, heading.title, heading.page) for heading in document.outline]


def test_paragraphs_and_breaks_in_order(tmp_path: Path) -> None:
    runs = (
        "Press ",
        r("Start"),
        "<w:r><w:br/></w:r>",
        "and",
        "<w:r><w:tab/></w:r>",
        "wait",
        "<w:r><w:cr/></w:r>10",
        "",
    )
    assert pages_of(a_docx(p(*runs), p(""), p("水泵 & <泵>")), tmp_path) == ["Press Start\nand wait\n\n水泵 & <泵>"]


@pytest.mark.parametrize(
    "styles",
    [
        a_style("1", "heading 1") + a_style("2", "heading 2"),
        a_style("1", "标题 1") + a_style("2", "標題 2"),
        a_style("1", "Überschrift 1") + a_style("2", "Titre 2"),
        a_style("1", "Mine", '<w:pPr><w:outlineLvl w:val="0"/></w:pPr>') + a_style("2", "heading 2"),
        a_style("1", "Own", "", "base") + a_style("base", "Heading 1") + a_style("2", "Heading 2", "", "1"),
    ],
)
def test_headings_are_known_by_their_styles(styles: str, tmp_path: Path) -> None:
    data = a_docx(p("Pump", style="1"), p("Text"), p("启动", style="2"), p("Text"), parts={"styles": styles})
    assert outline_of(data, tmp_path) == [(1, "Pump", 1), (2, "启动", 1)]
    assert parsed(data, tmp_path).title == "Pump"


def test_headings_are_known_without_styles_and_by_their_own_level(tmp_path: Path) -> None:
    level = '<w:outlineLvl w:val="2"/>'
    text = '<w:outlineLvl w:val="9"/>'
    data = a_docx(
        p("A", style="Heading1"), p("B", more=level), p("C", style="Heading1", more=text), p("D" * 301, more=level)
    )
    assert outline_of(data, tmp_path) == [(1, "A", 1), (3, "B", 1)]


def test_the_title_style_names_the_document(tmp_path: Path) -> None:
    data = a_docx(p("Pump manual", style="Title"), p("Setup", style="Heading1"))
    assert parsed(data, tmp_path).title == "Pump manual"


def test_numbers_of_headings_and_lists_are_counted(tmp_path: Path) -> None:
    linked = '<w:pPr><w:numPr><w:numId w:val="7"/></w:numPr></w:pPr>'
    data = a_docx(
        p("Setup", style="1"),
        p("Open", more=numbered(5)),
        p("Left", more=numbered(5, 1)),
        p("Right", more=numbered(5, 1)),
        p("Close", more=numbered(5)),
        p("Left", more=numbered(5, 1)),
        p("Dot", more=numbered(6)),
        p("Use", style="1"),
        p("None", style="1", more=numbered(0)),
        parts={
            "styles": a_style("1", "heading 1", linked),
            "numbering": a_list(5, ("decimal", "%1."), ("lowerLetter", "%1.%2)"))
            + a_list(6, ("bullet", "\uf0b7"))
            + a_list(7, ("chineseCounting", "第%1章")),
        },
    )
    assert pages_of(data, tmp_path) == [
        "第一章 Setup\n\n1. Open\n  1.a) Left\n  1.b) Right\n2. Close\n  2.a) Left\n• Dot\n\n第二章 Use\n\nNone"
    ]


def test_pages_begin_where_word_broke_them(tmp_path: Path) -> None:
    data = a_docx(
        p("one", PAGE_BREAK),
        p(RENDERED, "two ", RENDERED, "three"),
        p("four", more="<w:pageBreakBefore/>"),
        p("still four", more='<w:pageBreakBefore w:val="0"/><w:sectPr/>'),
        p("five", more='<w:sectPr><w:type w:val="nextPage"/></w:sectPr>'),
        p("still five"),
        table(tr("a", "b"), tr(tc(p(RENDERED, "six")), "c")),
        '<w:sectPr><w:type w:val="continuous"/></w:sectPr>',
    )
    assert pages_of(data, tmp_path) == [
        "one",
        "two",
        "three",
        "four\n\nstill four",
        "five\n\nstill five\n\na\tb",
        "six\tc",
    ]


def test_a_page_of_pictures_is_a_page(tmp_path: Path) -> None:
    data = a_docx(p("<w:r><w:drawing/></w:r>", PAGE_BREAK), p(RENDERED, "two"), p("Setup", style="Heading1"))
    assert pages_of(data, tmp_path) == ["", "two\n\nSetup"]
    assert outline_of(data, tmp_path) == [(1, "Setup", 2)]


def test_long_stretches_are_divided_before_a_heading(tmp_path: Path) -> None:
    blocks = [p(f"Part {n}", style="Heading1") + p("The pump starts. " * 60) * 2 for n in range(4)]
    assert outline_of(a_docx(*blocks), tmp_path) == [(1, f"Part {n}", n + 1) for n in range(4)]


def test_a_row_is_a_line_and_merged_cells_stay_in_their_columns(tmp_path: Path) -> None:
    data = a_docx(
        table(
            tr("Code", tc(p("Fix"), more='<w:gridSpan w:val="2"/>'), "By"),
            tr(tc(p("E-04"), more='<w:vMerge w:val="restart"/>'), "a", tc(p("b"), p("c", more=numbered(1))), "d"),
            tr(tc(p(""), more="<w:vMerge/>"), "e", "f", "g"),
            tr("late", more='<w:gridBefore w:val="1"/>'),
            tr("gone", more="<w:del/>"),
            tr("", ""),
        ),
        parts={"numbering": a_list(1, ("decimal", "%1."))},
    )
    assert pages_of(data, tmp_path) == ["Code\tFix\t\tBy\nE-04\ta\tb 1. c\td\nE-04\te\tf\tg\n\tlate"]


def test_frames_and_tables_in_tables_are_read_as_text(tmp_path: Path) -> None:
    inner = table(tr("a", "b"), tr("c", "d"))
    data = a_docx(table(tr(tc(p("Warning"), p("Hot.")))), table(tr("left", tc(p("x"), inner, p("y")))))
    assert pages_of(data, tmp_path) == ["Warning\n\nHot.\n\nleft\n\nx\n\na\tb\nc\td\n\ny"]


def test_changes_are_taken_as_accepted_and_hidden_text_is_left_out(tmp_path: Path) -> None:
    hidden = '<w:style w:type="character" w:styleId="H"><w:name w:val="h"/><w:rPr><w:vanish/></w:rPr></w:style>'
    data = a_docx(
        p(
            "Wait ",
            "<w:del><w:r><w:delText>SECRET</w:delText><w:t>SECRET</w:t></w:r></w:del>",
            "<w:ins><w:r><w:t>10 s</w:t></w:r></w:ins>",
            "<w:moveFrom><w:r><w:t>SECRET</w:t></w:r></w:moveFrom>",
            "<w:moveTo><w:r><w:t>, then</w:t></w:r></w:moveTo>",
            r("SECRET", "<w:vanish/>"),
            r("SECRET", '<w:rStyle w:val="H"/>'),
            r(" stop", '<w:vanish w:val="0"/>'),
        ),
        p("SECRET", style="P"),
        p("<!-- SECRET -->", "<w:r><w:instrText>SECRET</w:instrText></w:r>", "end"),
        parts={
            "styles": hidden + a_style("P", "p", "<w:rPr><w:vanish/></w:rPr>"),
            "header1": p("SECRET"),
            "footer1": p("SECRET"),
            "comments": p("SECRET"),
        },
    )
    assert pages_of(data, tmp_path) == ["Wait 10 s, then stop\n\nend"]


def test_fields_show_their_result(tmp_path: Path) -> None:
    begin, separate, end = (f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end"))
    link = '<w:hyperlink w:anchor="x"><w:r><w:t>page 7</w:t></w:r></w:hyperlink>'
    data = a_docx(p("See ", begin, r("SECRET"), separate, "figure 3", end, ", ", link), p(begin), p("after"))
    assert pages_of(data, tmp_path) == ["See figure 3, page 7\n\nafter"]


def test_text_boxes_once_and_notes_where_they_are_referred_to(tmp_path: Path) -> None:
    box = f"<w:txbxContent>{p('Boxed')}</w:txbxContent>"
    both = (
        f"<w:r><mc:AlternateContent><mc:Choice><w:drawing><wps:txbx>{box}</wps:txbx></w:drawing></mc:Choice>"
        f"<mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )
    reference = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    data = a_docx(
        p("Anchor", both),
        p("Fill 5", reference, " l"),
        table(tr("a", tc(p("b", '<w:r><w:endnoteReference w:id="1"/></w:r>')))),
        p("after"),
        parts={
            "footnotes": f'<w:footnote w:type="separator" w:id="0">{p("SECRET")}</w:footnote>'
            f'<w:footnote w:id="2">{p("Only", " water.")}</w:footnote><w:footnote w:id="3">{p("SECRET")}</w:footnote>',
            "endnotes": f'<w:endnote w:id="1">{p("At the end.")}</w:endnote>',
        },
    )
    assert pages_of(data, tmp_path) == ["Anchor\n\nBoxed\n\nFill 5 l\n\n* Only water.\n\na\tb\n* At the end.\n\nafter"]


def test_a_power_and_a_fraction_are_not_other_numbers(tmp_path: Path) -> None:
    half = "".join(f"<m:{part}><m:r><m:t>{n}</m:t></m:r></m:{part}>" for part, n in (("num", 1), ("den", 2)))
    data = a_docx(
        p("10", r("3", '<w:vertAlign w:val="superscript"/>'), " or ", f"<m:oMath><m:f>{half}</m:f></m:oMath>")
    )
    assert pages_of(data, tmp_path) == ["10³ or 1/2"]


def test_content_controls_and_another_main_part_are_read(tmp_path: Path) -> None:
    inline = f"<w:sdt><w:sdtContent>{r(' it')}</w:sdtContent></w:sdt>"
    control = f"<w:sdt><w:sdtPr/><w:sdtContent>{p('inside', inline)}</w:sdtContent></w:sdt>"
    assert pages_of(a_docx(control, p("after"), main="word/document2.xml"), tmp_path) == ["inside it\n\nafter"]


def test_the_strict_flavour_is_read(tmp_path: Path) -> None:
    body = "<w:body><w:p><w:r><w:t>The pump starts.</w:t></w:r></w:p></w:body>"
    xml = f'<w:document xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main">{body}</w:document>'
    assert pages_of(a_zip({"word/document.xml": xml}), tmp_path) == ["The pump starts."]


def a_document(xml: str) -> bytes:
    return a_zip({"word/document.xml": xml})


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyFile),
        (OLE_MARK + bytes(600), Encrypted),
        (b"PK\x03\x04" + bytes(100), Unreadable),
        (a_zip({"other.xml": "<a/>"}), Unreadable),
        (a_document("<w:document"), Unreadable),
        (a_document(a_part("document", "")), Unreadable),
        (a_docx(), NoText),
        (a_docx(p(r("SECRET", "<w:vanish/>"))), NoText),
        (a_docx(p("text"))[:-200], Unreadable),
    ],
)
def test_what_cannot_be_read_is_typed(data: bytes, error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error):
        parsed(data, tmp_path)


def test_a_member_with_a_password_is_encrypted(tmp_path: Path) -> None:
    data = bytearray(a_document(a_part("document", f"<w:body>{p('text')}</w:body>")))
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(Encrypted):
        parsed(bytes(data), tmp_path)


@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY x SYSTEM "file:///etc/passwd">',
        '<!ENTITY x "SECRET">',
        '<!ENTITY % y SYSTEM "http://127.0.0.1:9/"> %y;',
    ],
)
@pytest.mark.parametrize("part", ["document", "styles"])
def test_a_document_type_is_refused(declared: str, part: str, tmp_path: Path) -> None:
    whole = a_part(
        part, f"<w:body>{p('a')}<w:p><w:r><w:t>&x;</w:t></w:r></w:p></w:body>" if part == "document" else "&x;"
    )
    hostile = whole.replace("<w:", f"<!DOCTYPE d [{declared}]><w:", 1)
    members = {"word/document.xml": a_part("document", f"<w:body>{p('text')}</w:body>"), f"word/{part}.xml": hostile}
    with pytest.raises(Unreadable):
        parsed(a_zip(members), tmp_path)


def test_too_many_characters_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DocumentTooCostly, match="characters"):
        parsed(a_docx(*[p("text")] * 1000), tmp_path, ParseLimits(20, 1000, pages=500, characters=500))


def lying(data: bytes, size: int) -> bytes:
    """The archive with another unpacked size stated for its last member."""
    changed = bytearray(data)
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", changed, changed.rindex(mark) + place, size)
    return bytes(changed)


def laughs() -> str:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    return (
        f'<!DOCTYPE d [<!ENTITY a0 "ha">{entities}]>' + a_part("document", "<w:body>&a11;</w:body>").partition("?>")[2]
    )


BOMBS = {
    "one long text": lambda: a_document(a_part("document", f"<w:body>{' ' * 50_000_000}</w:body>")),
    "unpacks to much": lambda: a_document(a_part("document", f"<w:body>{('<w:x/>' * 1000 + ' ' * 100_000) * 4000}")),
    "much text": lambda: a_document(a_part("document", f"<w:body>{p('word ' * 1_000_000) * 20}</w:body>")),
    "lying size": lambda: lying(a_document(a_part("document", f"<w:body>{p('text') * 1000}</w:body>")), 40),
    "larger size": lambda: lying(a_document(a_part("document", f"<w:body>{p('text') * 1000}</w:body>")), 2**31),
    "laughs": lambda: a_document(laughs()),
    "nested": lambda: a_docx("<w:sdt><w:sdtContent>" * 100_000),
    "nested and closed": lambda: a_docx("<w:ins>" * 5_000 + "</w:ins>" * 5_000, p("text")),
    "nested tables": lambda: a_docx("<w:tbl><w:tr><w:tc>" * 80 + p("text") + "</w:tc></w:tr></w:tbl>" * 80),
    "cells": lambda: a_docx(table(tr(*["x"] * 4) * 100_000)),
    "rows": lambda: a_docx(table(tr("x") * 300_000)),
    "spans": lambda: a_docx(table(tr(*[tc(p("x"), more='<w:gridSpan w:val="100"/>')] * 50) * 3000)),
    "page breaks": lambda: a_docx(p("<w:r><w:drawing/></w:r>", PAGE_BREAK) * 50_000, p("text")),
    "styles": lambda: a_docx(
        p("x", style="a"), parts={"styles": a_style("a", "a", "", "b") + a_style("b", "b", "", "a")}
    ),
    "members": lambda: a_zip(
        {f"{n}": "" for n in range(60_000)} | {"word/document.xml": a_part("document", f"<w:body>{p('x')}</w:body>")}
    ),
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_hostile_file_gives_text_or_a_typed_error_in_time(name: str, tmp_path: Path) -> None:
    data = BOMBS[name]()
    begun = time.monotonic()
    try:
        assert parsed(data, tmp_path, TIGHT).pages
    except DocumentError as error:
        assert error.code() in ("document_too_costly", "unreadable", "no_text", "too_many_pages")  # noqa: PT017
    assert time.monotonic() - begun < 25
