"""Word files (.docx): their text in order with headings, tables, lists and notes; pages as Word last laid them out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.errors import EmptyFile, Encrypted
from app.ingest.parsers.markup import read_markup
from app.ingest.parsers.text import PAGE_CHARACTERS
from app.ports import ParseLimits, Progress
from app.types import ParsedDocument

OLE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The container that a .docx with a password is wrapped in (and in which .doc files come)."""
_MODULE = "app.ingest.parsers.docx_child"
_OWN_PAGE_CHARACTERS = 2 * PAGE_CHARACTERS
"""A page of Word seldom holds more; where a file has page breaks, pages keep their numbers up to this length."""


class DocxParser:
    """A page begins at page breaks, at sections, and where Word broke the page when it last saved the file."""

    def parse(self, path: Path, limits: ParseLimits, progress: Progress) -> ParsedDocument:
        with path.open("rb") as file:
            head = file.read(len(OLE_MARK))
        if not head:
            raise EmptyFile
        if head == OLE_MARK:
            raise Encrypted("an OLE container")
        parsed = read_markup(_MODULE, path, limits, progress, own_page_characters=_OWN_PAGE_CHARACTERS)
        return replace(parsed, parser="docx")
