"""The head of a table for a chunk that begins further down in it."""

from __future__ import annotations

_MOST_CHARACTERS = 300
"""A first row longer than this is no head."""


def table_header(page_text: str, start: int) -> str:
    """The first row of the table inside which a chunk begins, or "" where it begins outside of one or with that row.

    `start` is the chunk's offset in the text of its page. Rows are lines with a tab; lines of rows that follow each
    other are one table, so a table is looked for on this page alone. The row keeps its tabs.
    """
    begin = page_text.rfind("\n", 0, start) + 1
    if "\t" not in _line(page_text, begin):
        return ""
    first = begin
    while first and "\t" in _line(page_text, above := page_text.rfind("\n", 0, first - 1) + 1):
        first = above
    if first == begin:
        return ""
    header = _line(page_text, first)
    return header if len(header) <= _MOST_CHARACTERS else ""


def _line(text: str, begin: int) -> str:
    end = text.find("\n", begin)
    return text[begin:] if end < 0 else text[begin:end]
