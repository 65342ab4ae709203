"""HTML: what a reader of the page sees, as text with its headings; scripts, menus and hidden parts are left out."""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from pathlib import Path

from app.errors import DocumentTooCostly, EmptyFile, Unreadable
from app.ingest.parsers.markup import read_markup
from app.ingest.parsers.text import decoded
from app.ports import ParseLimits, Progress
from app.types import ParsedDocument

_MODULE = "app.ingest.parsers.html_child"
_MOST_BYTES = 64_000_000
"""Largest file: a manual saved as one page with its pictures inside; more would cost the server too much memory."""
_MOST_WRONG = 0.001
"""Share of broken characters that is borne with: browsers show such a page, too."""
_DECLARED_WITHIN = 2048
_DECLARED = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{1,40})|<\?xml[^>]{0,100}?encoding=[\"']([\w-]{1,40})",
    re.IGNORECASE,
)
_ENCODINGS = {
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "euc-jp": "euc_jp",
    "euc-kr": "cp949",
    "gb18030": "gb18030",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "iso-8859-2": "iso8859_2",
    "iso-8859-15": "iso8859_15",
    "koi8-r": "koi8_r",
    "shift_jis": "cp932",
    "us-ascii": "cp1252",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "windows-1252": "cp1252",
}
"""Names that pages give, as browsers understand them; other names are not believed."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class HtmlParser:
    """Text with an outline from `h1` to `h6`; a table row is a line with tabs between its cells."""

    def parse(self, path: Path, limits: ParseLimits, progress: Progress) -> ParsedDocument:
        size = path.stat().st_size
        if not size:
            raise EmptyFile
        if size > _MOST_BYTES:
            raise DocumentTooCostly(limit=f"{_MOST_BYTES // 1_000_000} MB", setting="MQA_MAX_UPLOAD_MB")
        encoding = encoding_of(path.read_bytes())
        return replace(read_markup(_MODULE, path, limits, progress, encoding=encoding), parser="html")


def encoding_of(data: bytes) -> str:
    """The codec for a page: of its byte order mark, else UTF-8 where it is that, else the declared, else GB18030.

    UTF-8 goes before what the page declares: text in another encoding is hardly ever valid UTF-8, and pages that were
    saved again often keep a wrong declaration. Raises `Unreadable`.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            decoded(data)
            return encoding
    declared = _declared(data)
    for candidate in ("utf-8", declared):
        if candidate and _wrong_share(data, candidate) == 0:
            return candidate
    try:
        decoded(data)
    except Unreadable:
        likely = declared or "utf-8"
        if _wrong_share(data, likely) > _MOST_WRONG:
            raise
        return likely
    return "gb18030"


def _declared(data: bytes) -> str | None:
    match = _DECLARED.search(data[:_DECLARED_WITHIN])
    return _ENCODINGS.get((match[1] or match[2]).decode("ascii").lower()) if match else None


def _wrong_share(data: bytes, encoding: str) -> float:
    """How much of `data` is not in this encoding, 0 to 1."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return data.decode(encoding, "replace").count("\ufffd") / len(data)
    return 0.0
