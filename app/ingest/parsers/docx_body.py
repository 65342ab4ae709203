"""The blocks of a Word file in order: paragraphs, tables, text boxes and notes, written as lines to a flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.ingest.parsers.docx_numbering import Numbering
from app.ingest.parsers.docx_package import Element, Package, child, is_on, local, value
from app.ingest.parsers.docx_runs import PAGE_BREAK, PICTURE, Inline, Runs
from app.ingest.parsers.docx_styles import Styles, numbering_of, outline_level, whole
from app.ingest.parsers.flow import HARD_BREAK, TITLE_CHARACTERS, Flow, one_line
from app.ingest.parsers.table_rows import Cell, TableRows

_WRAPPERS: Final = frozenset({"sdt", "sdtContent", "customXml", "smartTag", "ins", "moveTo", "Choice"})
_LONG_CELL: Final = 1500
"""Characters; a cell with several paragraphs that is longer is a column of a page, not an entry of a table."""
_MOST_COLUMNS: Final = 100
_NOTE_MARK: Final = "* "


class Body:
    """Takes the blocks one after the other; `end` gives the document's title."""

    def __init__(self, flow: Flow, package: Package) -> None:
        self._flow = flow
        self._styles = Styles(package.part("styles"))
        self._numbering = Numbering(package.part("numbering"))
        self._runs = Runs(self._styles)
        self._notes = {kind: _notes(package.part(kind)) for kind in ("footnotes", "endnotes")}
        self._title = ""
        self._first_heading = ""
        self._section_end: int | None = None

    def read(self, block: Element) -> None:
        """One paragraph, table or wrapper of such; anything else is left out."""
        name = local(block)
        if name == "p":
            self._paragraph(block)
        elif name == "tbl":
            self._table(block)
        elif name == "sectPr":
            self._section(block, last=True)
        elif name in _WRAPPERS:
            for inner in block:
                self.read(inner)
        elif name == "AlternateContent" and (chosen := child(block, "Choice")) is not None:
            self.read(chosen)

    def end(self) -> str:
        """The title: of the paragraph in Word's title style, else the first heading of level 1."""
        return self._title or self._first_heading

    def _paragraph(self, paragraph: Element) -> None:
        properties = child(paragraph, "pPr")
        style_id = self._styles.of(properties)
        page_break = child(properties, "pageBreakBefore")
        if is_on(page_break) or (page_break is None and self._styles.begins_page(style_id)):
            self._flow.page()
        inline = self._runs.read(paragraph, style_id)
        level = self._heading_level(properties, style_id)
        indent, mark = self._mark(properties, style_id) if inline.text.strip() else (0, "")
        if level is not None and (text := _whole(mark, inline.text)) and len(text) <= TITLE_CHARACTERS:
            if PAGE_BREAK in inline.text:
                self._flow.page()
            self._flow.heading(level, text)
            self._first_heading = self._first_heading or (text if level == 1 else "")
        else:
            self._lines(inline.text, "  " * indent, mark)
            if not mark:
                self._flow.gap()
        if self._styles.is_title(style_id) and not self._title:
            self._title = one_line(inline.text)
        self._hanging(inline)
        if (section := child(properties, "sectPr")) is not None:
            self._section(section, last=False)

    def _heading_level(self, properties: Element | None, style_id: str | None) -> int | None:
        written = outline_level(properties)
        if written is not None:
            return written + 1 if written < 9 else None
        return self._styles.heading_level(style_id)

    def _mark(self, properties: Element | None, style_id: str | None) -> tuple[int, str]:
        """(depth from 0, number or bullet) of a list item or a numbered heading."""
        number, level, owner = self._styles.numbering(style_id)
        if written := numbering_of(properties):
            number, owner = (written[0], None) if written[0] is not None else (number, owner)
            level = written[1] if written[1] is not None else level
        if level is None:
            level = self._numbering.level_of_style(number, owner) if number and owner else 0
        mark = self._numbering.next_mark(number, level)
        return (level if mark else 0), mark

    def _lines(self, text: str, indent: str, mark: str) -> None:
        for number, stretch in enumerate(text.split(PAGE_BREAK)):
            if number:
                self._flow.page()
            if PICTURE in stretch:
                self._flow.picture()
            for line in stretch.split(HARD_BREAK):
                if shown := one_line(line):
                    self._flow.line(indent + (f"{mark} " if mark else "") + shown)
                    mark = ""

    def _hanging(self, inline: Inline) -> None:
        """What hangs on a paragraph follows it: text boxes and notes."""
        for box in inline.boxes:
            for block in box:
                self.read(block)
        for kind, note in inline.notes:
            if text := self._note(kind, note):
                self._flow.line(_NOTE_MARK + text)

    def _note(self, kind: str, note: str) -> str:
        """A note's text; each is told once, where it is first referred to."""
        element = self._notes[kind].pop(note, None)
        return one_line(" ".join(self._texts(element))) if element is not None else ""

    def _section(self, properties: Element, *, last: bool) -> None:
        """How a section begins stands at its end, so the page break before it is made then."""
        if self._section_end is not None and value(child(properties, "type")) != "continuous":
            self._flow.page(self._section_end)
        self._section_end = None if last else self._flow.here

    def _table(self, table: Element) -> None:
        rows = [row for row in _inside(table, "tr") if child(row, "trPr", "del") is None]
        self._flow.gap()
        if self._is_layout(rows):
            for row in rows:
                for cell in _inside(row, "tc"):
                    for block in cell:
                        self.read(block)
        else:
            self._rows(rows)
        self._flow.gap()

    def _is_layout(self, rows: list[Element]) -> bool:
        """Whether the table only places things on the page: a frame around text, or with tables or headings inside."""
        if len(rows) == 1 and len(list(_inside(rows[0], "tc"))) == 1:
            return True
        for row in rows:
            for cell in _inside(row, "tc"):
                paragraphs = list(_inside(cell, "p"))
                if any(True for _ in _inside(cell, "tbl")) or any(map(self._is_heading, paragraphs)):
                    return True
                if len(paragraphs) > 1 and sum(map(_length, paragraphs)) > _LONG_CELL:
                    return True
        return False

    def _is_heading(self, paragraph: Element) -> bool:
        properties = child(paragraph, "pPr")
        return properties is not None and self._heading_level(properties, self._styles.of(properties)) is not None

    def _rows(self, rows: list[Element]) -> None:
        layout = TableRows()
        above: dict[int, str] = {}
        for row in rows:
            hanging: list[Inline] = []
            column = whole(value(child(row, "trPr", "gridBefore")), _MOST_COLUMNS) or 0
            for _ in range(column):
                layout.add(Cell())
            for cell in _inside(row, "tc"):
                properties = child(cell, "tcPr")
                columns = whole(value(child(properties, "gridSpan")), _MOST_COLUMNS) or 1
                text = " ".join(self._texts(cell, hanging))
                merged = child(properties, "vMerge")
                if merged is not None:
                    text = one_line(text) if value(merged) == "restart" else above.get(column, "")
                    above[column] = text
                layout.add(Cell(one_line(text), columns))
                column += columns
            if any(PAGE_BREAK in inline.text for inline in hanging):
                self._flow.page()
            self._flow.line(layout.end_row())
            for inline in hanging:
                self._hanging(inline)

    def _texts(self, container: Element, hanging: list[Inline] | None = None) -> Iterator[str]:
        """The paragraphs of a cell or a note, with their list marks."""
        for paragraph in _inside(container, "p"):
            properties = child(paragraph, "pPr")
            style_id = self._styles.of(properties)
            inline = self._runs.read(paragraph, style_id)
            if hanging is not None:
                hanging.append(inline)
            if inline.text.strip():
                yield _whole(self._mark(properties, style_id)[1], inline.text)


def _whole(mark: str, text: str) -> str:
    line = one_line(text.replace(HARD_BREAK, " ").replace(PAGE_BREAK, " "))
    return f"{mark} {line}" if mark and line else line


def _inside(container: Element, name: str) -> Iterator[Element]:
    """The children of this name, also those in content controls and the like."""
    for element in container:
        found = local(element)
        if found == name:
            yield element
        elif found in _WRAPPERS:
            yield from _inside(element, name)


def _length(paragraph: Element) -> int:
    return sum(len(element.text or "") for element in paragraph.iter() if local(element) == "t")


def _notes(root: Element | None) -> dict[str, Element]:
    found = {}
    for element in root if root is not None else ():
        if local(element) in ("footnote", "endnote") and value(element, "type") in (None, "normal"):
            found[value(element, "id") or ""] = element
    return found
