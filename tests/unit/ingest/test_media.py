"""What an upload is and what it is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import EmptyFile, Encrypted, InvalidName, Unreadable, UnsupportedType
from app.ingest.media import ENDINGS, NAME_CHARACTERS, MediaType, detect_type, display_name, parser_for
from app.ingest.reading import Whole

OLE = bytes.fromhex("d0cf11e0a1b11ae1")


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.pdf", b"%PDF-1.7\n", MediaType.PDF),
        ("手册.PDF", b"\x00junk%PDF-1.4", MediaType.PDF),
        ("a.txt", b"text", MediaType.TEXT),
        ("a.txt", "文字".encode("utf-16"), MediaType.TEXT),
        ("a.md", b"# x", MediaType.MARKDOWN),
        ("a.b.markdown", b"x", MediaType.MARKDOWN),
        ("a.html", b"<!DOCTYPE html>", MediaType.HTML),
        ("A.HTM", b"\xef\xbb\xbf<p>x", MediaType.HTML),
        ("a.xhtml", "<p>文字".encode("utf-16"), MediaType.HTML),
        ("手册.DOCX", b"PK\x03\x04\x14\x00", MediaType.DOCX),
    ],
)
def test_name_and_content_agree(name: str, head: bytes, expected: MediaType) -> None:
    assert detect_type(name, head) is expected


@pytest.mark.parametrize(
    ("name", "head", "error"),
    [
        ("a.pdf", b"<html>", Unreadable),
        ("a.pdf", b" " * 2000 + b"%PDF-1.7", Unreadable),
        ("a.txt", b"%PDF-1.7", Unreadable),
        ("a.md", b"PK\x03\x04", Unreadable),
        ("a.txt", b"x\x00y", Unreadable),
        ("a.html", b"%PDF-1.7", Unreadable),
        ("a.html", b"PK\x03\x04", Unreadable),
        ("a.html", b"<p>\x00", Unreadable),
        ("a.txt", OLE, Unreadable),
        ("a.docx", b"plain text", Unreadable),
        ("a.docx", b"%PDF-1.7", Unreadable),
        ("a.docx", b"PK\x05\x06", Unreadable),
        ("a.docx", OLE, Encrypted),
        ("a.docx", b"", EmptyFile),
        ("a.doc", OLE, UnsupportedType),
        ("a.exe", b"MZ", UnsupportedType),
        ("pdf", b"%PDF-1.7", UnsupportedType),
        ("a.pdf.svg", b"%PDF-1.7", UnsupportedType),
        ("a.pdf", b"", EmptyFile),
    ],
)
def test_disagreement_is_typed(name: str, head: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        detect_type(name, head)


def test_an_old_word_file_is_told_the_new_format() -> None:
    with pytest.raises(UnsupportedType, match=r"\.docx"):
        detect_type("a.doc", OLE)


def test_every_type_has_a_parser() -> None:
    parsers = [parser_for(media_type) for media_type in MediaType]
    assert set(ENDINGS.values()) == set(MediaType)
    assert {type(parser.parser if isinstance(parser, Whole) else parser).__name__ for parser in parsers} == {
        "PdfParser",
        "TextParser",
        "MarkdownParser",
        "HtmlParser",
        "DocxParser",
    }


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\manuals\\打印机 手册.pdf", "打印机 手册.pdf"),
        ("evil\u202efdp.exe", "evilfdp.exe"),
        ("a\x00b\r\nc.pdf", "ab c.pdf"),
        ("  .hidden.md ", "hidden.md"),
        ("<b>x</b>.txt", "b>.txt"),
    ],
)
def test_names_are_cleaned_for_showing(raw: str, shown: str) -> None:
    assert display_name(raw) == shown


@pytest.mark.parametrize("raw", ["", "..", "/", "\u200b\u202e", "...", "///---"])
def test_names_with_nothing_to_show_are_refused(raw: str) -> None:
    with pytest.raises(InvalidName):
        display_name(raw)


def test_long_names_keep_their_ending() -> None:
    shown = display_name("x" * 3000 + ".pdf")
    assert len(shown) == NAME_CHARACTERS
    assert shown.endswith(".pdf")


@given(st.text(max_size=400))
def test_any_name_is_shown_on_one_short_visible_line_or_refused(raw: str) -> None:
    try:
        shown = display_name(raw)
    except InvalidName:
        return
    assert 0 < len(shown) <= NAME_CHARACTERS
    assert shown == display_name(shown)
    assert not set(shown) & set("/\\\n\r\t\x00\u202e\u200b")
