"""What kind of file an upload is, what it is called when shown, and who reads it."""

from __future__ import annotations

from enum import StrEnum

from app.errors import EmptyFile, Encrypted, InvalidName, Unreadable, UnsupportedType
from app.ingest.parsers.docx import OLE_MARK, DocxParser
from app.ingest.parsers.html import HtmlParser
from app.ingest.parsers.markdown import MarkdownParser
from app.ingest.parsers.pdf import PdfParser
from app.ingest.parsers.text import TextParser
from app.ingest.reading import Whole
from app.ports import Parser
from app.text.normalise import clean_line

NAME_CHARACTERS = 200
"""Longest name that is shown; longer ones lose their middle and keep their ending."""


class MediaType(StrEnum):
    """The kinds of file that can be read, as HTTP names them."""

    PDF = "application/pdf"
    TEXT = "text/plain"
    MARKDOWN = "text/markdown"
    HTML = "text/html"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


ENDINGS = {
    ".pdf": MediaType.PDF,
    ".txt": MediaType.TEXT,
    ".text": MediaType.TEXT,
    ".md": MediaType.MARKDOWN,
    ".markdown": MediaType.MARKDOWN,
    ".html": MediaType.HTML,
    ".htm": MediaType.HTML,
    ".xhtml": MediaType.HTML,
    ".docx": MediaType.DOCX,
}

_PARSERS: dict[MediaType, Parser] = {
    MediaType.PDF: PdfParser(),
    MediaType.TEXT: Whole(TextParser()),
    MediaType.MARKDOWN: Whole(MarkdownParser()),
    MediaType.HTML: Whole(HtmlParser()),
    MediaType.DOCX: Whole(DocxParser()),
}

_PDF_MARK = b"%PDF-"
_PDF_MARK_WITHIN = 1024
"""Viewers take a PDF with this many bytes of something else before its mark, and so does pdfium."""
_ZIP_MARK = b"PK\x03\x04"
_OTHER_MARKS = (
    _ZIP_MARK,
    OLE_MARK,
    b"\x7fELF",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"\x1f\x8b",
    b"Rar!",
    b"7z\xbc\xaf",
    b"MZ\x90",
)
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def parser_for(media_type: str) -> Parser:
    """Who reads files of this type, as `detect_type` gave it."""
    return _PARSERS[MediaType(media_type)]


def detect_type(name: str, head: bytes) -> MediaType:
    """The type that both the name's ending and the file's first bytes speak for.

    Raises `EmptyFile`, `UnsupportedType` (no known ending), `Encrypted` or `Unreadable` (the bytes say something else).
    """
    ending = "." + name.rpartition(".")[2].strip().lower() if "." in name else ""
    if ending not in ENDINGS:
        raise UnsupportedType(name=name, allowed="PDF, Word (.docx), HTML, TXT, Markdown (.md)")
    if not head:
        raise EmptyFile(name=name)
    media_type = ENDINGS[ending]
    if media_type is MediaType.PDF:
        if _PDF_MARK not in head[:_PDF_MARK_WITHIN]:
            raise Unreadable(name=name, reason="it does not begin like a PDF")
    elif head.startswith(_PDF_MARK):
        raise Unreadable(name=name, reason="it is a PDF under another ending")
    elif media_type is MediaType.DOCX:
        _check_docx(name, head)
    elif head.startswith(_OTHER_MARKS) or (b"\x00" in head and not head.startswith(_WIDE_MARKS)):
        raise Unreadable(name=name, reason="it holds binary data, not text")
    return media_type


def _check_docx(name: str, head: bytes) -> None:
    """A Word file is a ZIP file, and one with a password stands in a container of the older format."""
    if head.startswith(OLE_MARK):
        raise Encrypted(name=name)
    if not head.startswith(_ZIP_MARK):
        raise Unreadable(name=name, reason="it does not begin like a Word document")


def display_name(raw: str) -> str:
    """A user's file name as it is shown: its last part, on one line, nothing invisible; raises `InvalidName`.

    It is for people alone: never a path, an id or part of a query.
    """
    last = raw.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = clean_line(last, len(last)).strip(" .") if last.strip(". ") else ""
    if not any(map(str.isalnum, name)):
        raise InvalidName(limit=NAME_CHARACTERS)
    if len(name) <= NAME_CHARACTERS:
        return name
    tail = name[-NAME_CHARACTERS // 4 :]
    return name[: NAME_CHARACTERS - len(tail) - 1] + "…" + tail
