"""The text inside a Word paragraph: its runs, fields, formulas and breaks, without what is deleted or hidden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from app.ingest.parsers.docx_package import Element, child, is_on, local, value
from app.ingest.parsers.docx_styles import Styles
from app.ingest.parsers.flow import HARD_BREAK
from app.ingest.parsers.numerals import superscript

PAGE_BREAK: Final = "\f"
PICTURE: Final = "\x1d"
"""Stands where a picture is; like the breaks, no text of the file can hold it."""
_LEFT_OUT: Final = frozenset(
    "del moveFrom delText instrText delInstrText pPr rPr sdtPr sdtEndPr rt annotationRef separator "
    "continuationSeparator footnoteRef endnoteRef commentReference smartTagPr customXmlPr fldData".split()
)
_SIGNS: Final = {
    "tab": " ",
    "ptab": " ",
    "cr": HARD_BREAK,
    "noBreakHyphen": "-",
    "lastRenderedPageBreak": PAGE_BREAK,
}
_PICTURES: Final = frozenset({"drawing", "pict", "object"})
_NOTES: Final = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}


@dataclass(slots=True)
class Inline:
    """What a paragraph holds: `pieces` of text with `HARD_BREAK`, `PAGE_BREAK` and `PICTURE` in them, and its notes."""

    pieces: list[str] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    """(footnotes or endnotes, id)"""

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Runs:
    """Reads paragraphs; a field that goes on in the next paragraph is remembered."""

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._fields: list[bool] = []
        """Of each open field: whether its instruction, which is not shown, is being read."""

    def read(self, paragraph: Element, style_id: str | None) -> Inline:
        inline = Inline()
        hidden = self._styles.is_hidden(style_id)
        for element in paragraph:
            self._read(element, inline, hidden)
        self._fields = [False for _ in self._fields[:8]]
        return inline

    def _read(self, element: Element, inline: Inline, hidden: bool) -> None:
        name = local(element)
        if name in _LEFT_OUT:
            return
        if name == "r":
            self._read_run(element, inline, hidden)
        elif name == "AlternateContent":
            chosen = child(element, "Choice")
            if chosen is None:
                chosen = child(element, "Fallback")
            for inner in chosen if chosen is not None else ():
                self._read(inner, inline, hidden)
        elif name == "txbxContent":
            if not hidden:
                inline.boxes.append(element)
        elif name in _MATH:
            inline.pieces.append(_formula(element))
        else:
            self._read_sign(name, element, inline, hidden)

    def _read_run(self, run: Element, inline: Inline, hidden: bool) -> None:
        properties = child(run, "rPr")
        vanish = child(properties, "vanish")
        style_id = value(child(properties, "rStyle"))
        if vanish is not None:
            hidden = is_on(vanish)
        elif style_id is not None:
            hidden = hidden or self._styles.is_hidden(style_id)
        before = len(inline.pieces)
        for element in run:
            self._read(element, inline, hidden)
        if value(child(properties, "vertAlign")) == "superscript":
            inline.pieces[before:] = [superscript("".join(inline.pieces[before:]))]

    def _read_sign(self, name: str, element: Element, inline: Inline, hidden: bool) -> None:
        shown = not hidden and not any(self._fields)
        if name == "t":
            if shown:
                inline.pieces.append(element.text or "")
        elif name == "br":
            inline.pieces.append(PAGE_BREAK if value(element, "type") == "page" else HARD_BREAK)
        elif name in _SIGNS:
            inline.pieces.append(_SIGNS[name])
        elif name == "sym" and shown:
            inline.pieces.append(_symbol(element))
        elif name == "fldChar":
            self._field(value(element, "fldCharType"))
        elif name in _NOTES and shown:
            inline.notes.append((_NOTES[name], value(element, "id") or ""))
        else:
            if name in _PICTURES:
                inline.pieces.append(PICTURE)
            for inner in element:
                self._read(inner, inline, hidden)

    def _field(self, kind: str | None) -> None:
        if kind == "begin":
            self._fields.append(True)
        elif kind == "separate" and self._fields:
            self._fields[-1] = False
        elif kind == "end" and self._fields:
            self._fields.pop()


def _symbol(element: Element) -> str:
    """A character of a symbol font, which stands in the private area."""
    try:
        code = int(value(element, "char") or "", 16)
    except ValueError:
        return ""
    return chr(code) if 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE else ""


_MATH: Final = {
    "f": ("num", "/", "den", ""),
    "sSup": ("e", "^", "sup", ""),
    "rad": ("e", "", "", "√"),
}
"""(first half, what stands between, second half, what stands before), so that a half is not read as 12."""


def _formula(element: Element) -> str:
    first, between, second, before = _MATH[local(element)]
    left = _operand("".join(_formula_text(child(element, first))))
    right = _operand("".join(_formula_text(child(element, second)))) if second else ""
    return before + left + between + right


def _formula_text(element: Element | None) -> Iterator[str]:
    for inner in element if element is not None else ():
        name = local(inner)
        if name in _MATH:
            yield _formula(inner)
        elif name == "t":
            yield inner.text or ""
        else:
            yield from _formula_text(inner)


def _operand(text: str) -> str:
    return text if text.isalnum() or len(text) < 2 else f"({text})"
