"""Plain text: which encoding it is in, and how a file without pages is divided into some."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from app.errors import DocumentTooCostly, EmptyFile, NoText, TooManyPages, Unreadable
from app.ports import ParseLimits, Progress
from app.text.normalise import clean_characters
from app.types import Page, ParsedDocument

PAGE_CHARACTERS = 3000
"""A text file has no pages: each form feed begins one, and what is longer than this is divided at a paragraph's end."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BYTES_PER_CHARACTER = 4
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_CONTROL = 0.01
_LEAST_COMMON_CHINESE = 0.6
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANK_LINES = re.compile("\n{3,}")


class TextParser:
    """The text as it is, without invisible characters; see `PAGE_CHARACTERS` for what a page is."""

    def parse(self, path: Path, limits: ParseLimits, progress: Progress) -> ParsedDocument:
        sections = divided(read_text(path, limits))
        return ParsedDocument(pages_of(sections, limits, progress), parser="text")


@dataclass(frozen=True, slots=True)
class Section:
    """What becomes a page: `text`, which began at `start` in the whole text."""

    start: int
    text: str


def read_text(path: Path, limits: ParseLimits) -> str:
    """The cleaned text of a file, form feeds kept.

    Raises `EmptyFile`, `DocumentTooCostly` (more characters than `limits` allow) or `Unreadable`.
    """
    size = path.stat().st_size
    if not size:
        raise EmptyFile
    if size > limits.characters * _BYTES_PER_CHARACTER:
        raise _too_long(limits)
    text = decoded(path.read_bytes())
    if len(text) > limits.characters:
        raise _too_long(limits)
    parts = (_TRAILING.sub("", clean_characters(part)) for part in text.split("\f"))
    return "\f".join(_BLANK_LINES.sub("\n\n", part) for part in parts)


def decoded(data: bytes) -> str:
    """Text from its bytes: by its byte order mark, else UTF-8, else GB18030 where that gives plausible Chinese.

    Raises `Unreadable` for anything else: guessing among the many one-byte encodings would give wrong letters silently.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _readable(_tried(data[len(mark) :], encoding), encoding)
    text = _tried(data, "utf-8")
    if text is not None:
        return _readable(text, "utf-8")
    text = _tried(data, "gb18030")
    return _readable(text if text is not None and _looks_chinese(text) else None, "gb18030")


def divided(text: str) -> list[Section]:
    """`text` as sections of at most `PAGE_CHARACTERS`, in order, nothing but white space left out between them."""
    sections: list[Section] = []
    start = 0
    for part in text.split("\f"):
        sections.extend(_divided_part(part, start))
        start += len(part) + 1
    return sections


def pages_of(sections: list[Section], limits: ParseLimits, progress: Progress) -> tuple[Page, ...]:
    """Sections as numbered pages; raises `TooManyPages` or `NoText`."""
    if len(sections) > limits.pages:
        raise TooManyPages(pages=len(sections), limit=limits.pages)
    if not any(map(str.isalnum, "".join(section.text for section in sections))):
        raise NoText
    progress(len(sections), len(sections))
    return tuple(Page(number, section.text) for number, section in enumerate(sections, 1))


def _divided_part(part: str, start: int) -> list[Section]:
    sections = []
    begin = 0
    while len(part) - begin > PAGE_CHARACTERS:
        cut = _cut(part, begin)
        sections.append(_trimmed(part[begin:cut], start + begin))
        begin = cut
    rest = _trimmed(part[begin:], start + begin)
    return [*sections, rest] if rest.text or not sections else sections


def _cut(part: str, begin: int) -> int:
    """Where the section that begins at `begin` ends: the last good border in its second half."""
    end = begin + PAGE_CHARACTERS
    for border in ("\n#", "\n\n", "\n", " "):
        found = part.rfind(border, begin + PAGE_CHARACTERS // 2, end)
        if found != -1:
            return found + 1
    return end


def _trimmed(text: str, start: int) -> Section:
    front = len(text) - len(text.lstrip("\n"))
    return Section(start + front, text[front:].rstrip())


def _tried(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _readable(text: str | None, encoding: str) -> str:
    if text is None:
        raise Unreadable(encoding, reason="it is not text in UTF-8, UTF-16 or GB18030")
    if len(_CONTROL.findall(text)) > len(text) * _MOST_CONTROL or "\x00" in text:
        raise Unreadable(encoding, reason="it holds binary data, not text")
    return text


def _looks_chinese(text: str) -> bool:
    """Whether most of what is not ASCII is a character of everyday Chinese; wrongly decoded letters are not."""
    foreign = [character for character in text if not character.isascii()]
    common = sum(1 for character in foreign if _tried_encode(character))
    return common >= len(foreign) * _LEAST_COMMON_CHINESE


def _tried_encode(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _too_long(limits: ParseLimits) -> DocumentTooCostly:
    return DocumentTooCostly(limit=f"{limits.characters} characters", setting="MQA_MAX_DOCUMENT_CHARACTERS")
