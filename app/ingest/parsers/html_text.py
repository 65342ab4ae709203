"""What a reader sees of an HTML page: takes its tags one after the other and writes lines to a flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.ingest.parsers.flow import HARD_BREAK, Flow, one_line
from app.ingest.parsers.html_hidden import is_hidden
from app.ingest.parsers.numerals import numeral, superscript
from app.ingest.parsers.table_rows import Cell, TableRows
from app.text.normalise import clean_characters

_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_PARAGRAPHS: Final = frozenset(
    "address article aside blockquote body dl fieldset figure form header hr html main ol p pre section table ul "
    "h1 h2 h3 h4 h5 h6".split()
)
"""Elements that stand apart from what is before and after them."""
_BLOCKS: Final = _PARAGRAPHS | frozenset(
    "caption center dd details dialog dir div dt figcaption footer legend li menu option summary tbody td tfoot th "
    "thead tr".split()
)
_CELLS: Final = frozenset({"td", "th"})
_LISTS: Final = frozenset({"ul", "ol", "menu", "dir"})
_LIST_STYLES: Final = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_BULLET: Final = "•"
_DEEPEST_INDENT: Final = 8
_MOST_ROWS_SPANNED: Final = 1000
_MATH_JOINTS: Final = {"mfrac": "/", "msup": "^"}
"""What stands between the two halves, so that a half is not read as 12."""
_LONG_CELL: Final = 1500
"""Characters; a cell with several paragraphs that is longer is a column of a page, not an entry of a table."""


@dataclass(slots=True)
class _List:
    ordered: bool
    style: str
    number: int
    step: int


@dataclass(slots=True)
class _Table:
    """`layout`: it only places parts of the page side by side, so its cells are read one after the other."""

    rows: TableRows = field(default_factory=TableRows)
    layout: bool = False
    cell: Cell | None = None
    paragraphs: int = 0
    """Of the open cell, so far."""


class HtmlText:
    """Target of the parser: `start`, `end` and `data` come in the order of the file; `close` gives the page's title."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._pieces: list[str] = []
        self._gathered = 0
        self._dropped: list[str] = []
        self._open: list[str] = []
        self._lists: list[_List] = []
        self._tables: list[_Table] = []
        self._heading = 0
        self._marker = ""
        self._pre = 0
        self._raised = 0
        self._math: list[int] = []
        self._title: list[str] | None = None
        self._titles: list[str] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._dropped and self._dropped[0] == "p" and tag in _BLOCKS:
            self._dropped.clear()  # a paragraph ends where a block begins, whatever is still open in it
        if self._dropped:
            self._dropped.append(tag)
            return
        if tag in _BLOCKS:
            if self._open and self._open[-1] == "p":
                self._open.pop()
            self._end_line(gap=tag in _PARAGRAPHS)
        if is_hidden(tag, attributes):
            self._dropped.append(tag)
            return
        self._open.append(tag)
        self._begin(tag, attributes)

    def end(self, tag: str) -> None:
        if self._dropped:
            self._dropped.pop()
            return
        if not self._open or self._open[-1] != tag:
            return
        self._open.pop()
        if tag in _BLOCKS and tag not in _CELLS:
            self._end_line(gap=tag in _PARAGRAPHS)
        self._finish(tag)
        if self._math and self._open and (joint := _MATH_JOINTS.get(self._open[-1])):
            self._math[-1] += 1
            if self._math[-1] == 1:
                self._pieces.append(joint)

    def data(self, text: str) -> None:
        if self._dropped:
            return
        if self._title is not None:
            self._title.append(text)
            return
        text = text.replace(HARD_BREAK, " ")
        if self._pre:
            text = text.replace("\r\n", "\n").expandtabs(4).replace("\n", HARD_BREAK)
        elif self._raised:
            text = superscript(text)
        self._pieces.append(text)
        self._gathered += len(text)
        self._flow.expect(self._gathered)

    def close(self) -> str:
        self._end_line(gap=True)
        while self._tables:
            self._end_table()
        return "".join(self._titles[:1])

    def _begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "br":
            self._pieces.append(HARD_BREAK)
        elif tag in _HEADINGS:
            self._leave_rows()
            self._heading = _HEADINGS[tag]
        elif tag in _LISTS:
            self._begin_list(tag, attributes)
        elif tag == "li":
            self._begin_item(attributes)
        elif tag == "table":
            self._leave_rows()
            self._tables.append(_Table())
        elif tag in _CELLS:
            self._begin_cell(attributes)
        else:
            self._begin_inline(tag)

    def _begin_inline(self, tag: str) -> None:
        if tag == "pre":
            self._pre += 1
        elif tag == "sup":
            self._raised += 1
        elif tag == "title":
            self._title = []
        elif tag in _MATH_JOINTS:
            self._math.append(0)

    def _finish(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._heading = 0
        elif tag in _LISTS:
            self._lists.pop()
        elif tag in _CELLS:
            self._end_cell()
        elif tag == "tr":
            self._end_row()
        elif tag == "table":
            self._end_table()
        else:
            self._finish_inline(tag)

    def _finish_inline(self, tag: str) -> None:
        if tag == "pre":
            self._pre -= 1
        elif tag == "sup":
            self._raised -= 1
        elif tag == "title" and self._title is not None:
            self._titles.append("".join(self._title))
            self._title = None
        elif tag in _MATH_JOINTS:
            self._math.pop()

    def _begin_list(self, tag: str, attributes: Mapping[str, str]) -> None:
        backwards = "reversed" in attributes
        style = _LIST_STYLES.get(attributes.get("type", ""), "decimal")
        first = _whole_number(attributes.get("start", ""), 1)
        self._lists.append(_List(tag == "ol", style, first, -1 if backwards else 1))

    def _begin_item(self, attributes: Mapping[str, str]) -> None:
        if not self._lists or not self._lists[-1].ordered:
            self._marker = _BULLET
        else:
            here = self._lists[-1]
            here.number = _whole_number(attributes.get("value", ""), here.number)
            self._marker = numeral(here.number, here.style) + "."
            here.number += here.step
        if self._in_cell():
            self._pieces.append(self._marker + " ")
            self._marker = ""

    def _in_cell(self) -> bool:
        return bool(self._tables) and self._tables[-1].cell is not None

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        if not self._tables or self._tables[-1].layout:
            return
        self._end_cell()
        self._flush()
        columns = _whole_number(attributes.get("colspan", ""), 1)
        rows = min(_whole_number(attributes.get("rowspan", ""), 1), _MOST_ROWS_SPANNED)
        self._tables[-1].cell = Cell(columns=columns, rows=rows)
        self._tables[-1].paragraphs = 0

    def _end_cell(self) -> None:
        if not self._in_cell():
            self._flush()
            return
        table = self._tables[-1]
        if table.cell is not None:
            table.cell.text = one_line(self._take().replace(HARD_BREAK, " "))
            table.rows.add(table.cell)
        table.cell = None

    def _end_row(self) -> None:
        if self._tables and not self._tables[-1].layout:
            self._end_cell()
            self._flow.line(self._tables[-1].rows.end_row() or "")

    def _end_table(self) -> None:
        if self._tables:
            self._end_row()
            self._flush()
            self._tables.pop()
        self._flow.gap()

    def _leave_rows(self) -> None:
        """The innermost table turns out to be layout: what its present row holds becomes lines."""
        if not self._in_cell():
            return
        table = self._tables[-1]
        table.layout = True
        table.cell = None
        for text in table.rows.waiting():
            self._flow.line(text)
        self._flush()

    def _end_line(self, *, gap: bool) -> None:
        if self._in_cell():
            table = self._tables[-1]
            if self._pieces and self._pieces[-1] != HARD_BREAK:
                self._pieces.append(HARD_BREAK)
                table.paragraphs += 1
            if table.paragraphs < 2 or self._gathered <= _LONG_CELL:
                return
            self._leave_rows()
        self._flush()
        if gap and not self._lists:
            self._flow.gap()

    def _take(self) -> str:
        text = "".join(self._pieces)
        self._pieces = []
        self._gathered = 0
        return text

    def _flush(self) -> None:
        """What was gathered becomes lines."""
        if not self._pieces:
            return
        text = self._take()
        if self._heading:
            if title := one_line(text.replace(HARD_BREAK, " ")):
                self._flow.heading(self._heading, title)
                self._heading = 0
            return
        lines = text.split(HARD_BREAK)
        if self._pre:
            shown = [clean_characters(line).replace("\n", " ").rstrip() for line in lines]
        else:
            shown = [one_line(line) for line in lines]
        for line in shown if any(shown) else []:
            self._flow.line(self._placed(line) if line else "")

    def _placed(self, line: str) -> str:
        """A line with the list item's mark, set in as its list is."""
        marker = self._marker + " " if self._marker else ""
        self._marker = ""
        return "  " * (min(len(self._lists), _DEEPEST_INDENT) - 1) + marker + line


def _whole_number(text: str, otherwise: int) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else otherwise
