"""What an upload is and what it is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import EmptyFile, InvalidName, Unreadable, UnsupportedType
from app.ingest.media import ENDINGS, NAME_CHARACTERS, MediaType, detect_type, display_name, parser_for


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.pdf", b"%PDF-1.7\n", MediaType.PDF),
        ("手册.PDF", b"\x00junk%PDF-1.4", MediaType.PDF),
        ("a.txt", b"text", MediaType.TEXT),
        ("a.txt", "文字".encode("utf-16"), MediaType.TEXT),
        ("a.md", b"# x", MediaType.MARKDOWN),
        ("a.b.markdown", b"x", MediaType.MARKDOWN),
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
        ("a.exe", b"MZ", UnsupportedType),
        ("pdf", b"%PDF-1.7", UnsupportedType),
        ("a.pdf.svg", b"%PDF-1.7", UnsupportedType),
        ("a.pdf", b"", EmptyFile),
    ],
)
def test_disagreement_is_typed(name: str, head: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        detect_type(name, head)


def test_every_type_has_a_parser() -> None:
    assert {type(parser_for(media_type)).__name__ for media_type in ENDINGS.values()} == {
        "PdfParser",
        "TextParser",
        "MarkdownParser",
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
