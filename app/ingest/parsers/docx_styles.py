"""What the styles of a Word file say about a paragraph or a run: heading level, numbering, hidden, page break."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.ingest.parsers.docx_package import Element, child, is_on, local, value

_DEEPEST: Final = 20
"""Styles that build upon each other; a longer chain is a circle."""
_HEADING_NAME: Final = re.compile(
    r"(?:heading|标题|標題|見出し|제목|titre|überschrift|berschrift|título|ttulo|titolo|kop|rubrik|заголовок)\s*([1-9])",
    re.IGNORECASE,
)
_TITLE_NAMES: Final = frozenset({"title", "标题", "標題"})


@dataclass(frozen=True, slots=True)
class _Style:
    name: str
    based_on: str | None
    outline: int | None
    numbering: tuple[str | None, int | None] | None
    hidden: bool | None
    page_break: bool | None


class Styles:
    """The styles of a document, by id."""

    def __init__(self, root: Element | None) -> None:
        self._styles: dict[str, _Style] = {}
        self._default: str | None = None
        for element in root if root is not None else ():
            style_id = value(element, "styleId")
            if local(element) != "style" or not style_id:
                continue
            self._styles[style_id] = _style(element, style_id)
            if value(element, "type") == "paragraph" and value(element, "default") in ("1", "true", "on"):
                self._default = style_id

    def of(self, properties: Element | None) -> str | None:
        """The id of a paragraph's style."""
        return value(child(properties, "pStyle")) or self._default

    def heading_level(self, style_id: str | None) -> int | None:
        """1 to 9 for headings: by the outline level, or by the name or id that Word gives its own headings."""
        for style in self._chain(style_id):
            if style.outline is not None:
                return style.outline + 1 if style.outline < 9 else None
            if match := _HEADING_NAME.fullmatch(style.name):
                return int(match[1])
        if style_id and style_id not in self._styles and (match := _HEADING_NAME.fullmatch(style_id)):
            return int(match[1])
        return None

    def is_title(self, style_id: str | None) -> bool:
        """Whether this style is that of the document's title."""
        style = self._styles.get(style_id or "")
        return (style.name if style else style_id or "").casefold() in _TITLE_NAMES

    def numbering(self, style_id: str | None) -> tuple[str | None, int | None, str | None]:
        """(list, level, id of the style that names the list); None where nothing says."""
        number: str | None = None
        level: int | None = None
        for owner, style in self._owners(style_id):
            if style.numbering is not None:
                number = number or style.numbering[0]
                level = style.numbering[1] if level is None else level
                if number:
                    return number, level, owner
        return None, level, None

    def is_hidden(self, style_id: str | None) -> bool:
        return next((style.hidden for style in self._chain(style_id) if style.hidden is not None), False)

    def begins_page(self, style_id: str | None) -> bool:
        return next((style.page_break for style in self._chain(style_id) if style.page_break is not None), False)

    def _chain(self, style_id: str | None) -> Iterator[_Style]:
        return (style for _, style in self._owners(style_id))

    def _owners(self, style_id: str | None) -> Iterator[tuple[str, _Style]]:
        """A style and those that it builds upon."""
        for _ in range(_DEEPEST):
            if style_id is None or (style := self._styles.get(style_id)) is None:
                return
            yield style_id, style
            style_id = style.based_on


def outline_level(properties: Element | None) -> int | None:
    """The outline level that is written here, 0 to 9 (9: text)."""
    return whole(value(child(properties, "outlineLvl")), 9)


def numbering_of(properties: Element | None) -> tuple[str | None, int | None] | None:
    """(list, level) as written here."""
    written = child(properties, "numPr")
    if written is None:
        return None
    return value(child(written, "numId")), whole(value(child(written, "ilvl")), 8)


def whole(text: str | None, most: int) -> int | None:
    """A number from 0 to `most`, or None."""
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 9:
        return None
    return int(text) if int(text) <= most else None


def _style(element: Element, style_id: str) -> _Style:
    properties = child(element, "pPr")
    vanish = child(element, "rPr", "vanish")
    page_break = child(properties, "pageBreakBefore")
    return _Style(
        name=(value(child(element, "name")) or style_id).strip(),
        based_on=value(child(element, "basedOn")),
        outline=outline_level(properties),
        numbering=numbering_of(properties),
        hidden=None if vanish is None else is_on(vanish),
        page_break=None if page_break is None else is_on(page_break),
    )
