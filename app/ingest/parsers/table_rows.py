"""Rows of a table as lines: cells joined by tabs, merged cells laid out so that columns stay columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_MOST_COLUMNS: Final = 1000
_MOST_SPANNED: Final = 100
_MOST_REPEATED: Final = 200
"""Characters; what stands beside several rows is repeated in each, so that a row says it all, unless it is long."""


@dataclass(slots=True)
class Cell:
    """A cell's text on one line; it covers `columns` and `rows`."""

    text: str = ""
    columns: int = 1
    rows: int = 1


@dataclass(slots=True)
class TableRows:
    """Lays out the rows of one table, one after the other."""

    _cells: list[Cell] = field(default_factory=list)
    _from_above: dict[int, tuple[int, str]] = field(default_factory=dict)
    """By column: in how many more rows a merged cell stands, and its text."""

    def add(self, cell: Cell) -> None:
        """The next cell of the present row."""
        if len(self._cells) < _MOST_COLUMNS:
            self._cells.append(cell)

    def waiting(self) -> list[str]:
        """Takes the cells of the present row away again."""
        texts = [cell.text for cell in self._cells]
        self._cells = []
        return texts

    def end_row(self) -> str:
        """The present row as a line; empty where no cell of its own has text."""
        own, self._cells = self._cells, []
        columns: list[str] = []
        for cell in own:
            self._inherit(columns)
            for column in range(min(max(cell.columns, 1), _MOST_SPANNED)):
                text = "" if column else cell.text
                if cell.rows > 1:
                    self._from_above[len(columns)] = (cell.rows - 1, text if len(text) <= _MOST_REPEATED else "")
                columns.append(text)
        self._inherit(columns)
        return "\t".join(columns).rstrip("\t") if any(cell.text for cell in own) else ""

    def _inherit(self, columns: list[str]) -> None:
        """Fills the columns, from here on, in which a merged cell of an earlier row stands."""
        while len(columns) < _MOST_COLUMNS and (above := self._from_above.pop(len(columns), None)):
            left, text = above
            if left > 1:
                self._from_above[len(columns)] = (left - 1, text)
            columns.append(text)
