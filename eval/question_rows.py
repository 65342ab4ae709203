"""Rows of a question file: each line of JSON or CSV as the fields of a labelled question.

Columns of a CSV file (headings in any case; in Chinese too): `question`, and optionally `id`, `answers` (apart by "|",
or a JSON list), `answerable`, `lang`, `type`, `file` with `page` or `pages` (7, 7-9, 7|12), `alt_pages`,
`relevant_doc_ids`, `needs_all`, `answer_parts`, `withheld_answer`, `fake_answer`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic_core import ErrorDetails

from app.phrases import chinese
from app.text.language import detect_language
from app.validation import fault

Pages = tuple[tuple[str, int], ...]
Fields = dict[str, Any]

_ALIASES = {
    "language": "lang",
    "document": "file",
    "source_file": "file",
    "answer": "answers",
    "编号": "id",
    "问题": "question",
    "答案": "answers",
    "可回答": "answerable",
    "语言": "lang",
    "类型": "type",
    "文件": "file",
    "文档": "file",
    "页码": "page",
    "页": "page",
}
_LISTS = ("answers", "answer_parts", "withheld_answer", "fake_answer", "relevant_doc_ids")
_TRUTHS = {"是": True, "对": True, "否": False, "不": False}
CONTRADICTION = "contradiction"
"""The type of the error of a question that says two things."""

_PAGES = re.compile(r"\d{1,6}(?:\s*[-–~]\s*\d{1,6})?")
_MOST_PAGES = 1000


class BadRowError(ValueError):
    """What is wrong with one row; the text is a phrase of `app.phrases`."""

    @classmethod
    def of(cls, error: ErrorDetails) -> Self:
        """What pydantic found wrong with a field."""
        if error["type"] == CONTRADICTION:
            return cls(error["msg"])
        name = error["loc"][0] if error["loc"] else "question"
        phrase = f"{name} {fault(error, 'en')}"
        return cls(phrase if chinese(phrase) else f"{name} is not valid")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file: its 1-based number, and its fields or what is wrong with it."""

    number: int
    fields: Fields
    fault: str | None = None

    @property
    def blank(self) -> bool:
        """Whether it has a question, of no character that can be seen."""
        question = self.fields.get("question")
        return isinstance(question, str) and not question.strip()


def json_rows(text: str) -> Iterator[Row]:
    """The lines of JSON lines, blank ones left out."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            yield Row(number, {}, "not valid JSON")
            continue
        if isinstance(fields, dict):
            yield Row(number, {_column(str(name)): value for name, value in fields.items()})
        else:
            yield Row(number, {}, "not a JSON object")


def csv_rows(text: str) -> Iterator[Row]:
    """The rows of CSV under a line of headings, apart by commas, semicolons or tabs; empty cells are left out.

    Raises `BadRowError` where the headings cannot be used.
    """
    first = text.split("\n", 1)[0]
    reader = csv.reader(text.splitlines(keepends=True), delimiter=max(",;\t", key=first.count), strict=True)
    columns: list[str] | None = None
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            yield Row(number, {}, "a quotation mark is not closed")
            return
        if cells is None:
            return
        if columns is None:
            columns = _checked([_column(cell) for cell in cells])
        elif any(cell.strip() for cell in cells):
            yield _csv_row(number, columns, cells)


def _csv_row(number: int, columns: list[str], cells: list[str]) -> Row:
    if any(cell.strip() for cell in cells[len(columns) :]):
        return Row(number, {}, "more cells than the first line has columns")
    filled = {
        name: cell.strip() for name, cell in zip(columns, cells, strict=False) if cell.strip() or name == "question"
    }
    return Row(number, {name: _split(cell) if name in _LISTS else cell for name, cell in filled.items()})


def _column(heading: str) -> str:
    name = heading.strip().casefold().replace(" ", "_")
    return _ALIASES.get(name, name)


def _checked(columns: list[str]) -> list[str]:
    if "question" not in columns:
        raise BadRowError("its first line names no column “question”")
    twice = [name for name in columns if name and columns.count(name) > 1]
    if twice:
        raise BadRowError(f"its first line names the column {twice[0][:50]} twice")
    return columns


def _split(cell: str) -> list[Any]:
    """A cell with several texts: a JSON list, or apart by "|"."""
    if cell.startswith("["):
        try:
            parts = json.loads(cell)
        except (ValueError, RecursionError):
            parts = None
        if isinstance(parts, list):
            return parts
    return cell.split("|")


def question_fields(row: Row, corpus: Mapping[str, Pages]) -> Fields:
    """The row as fields of `LabelledQuestion`, its pages looked up; raises `BadRowError`.

    Numbers become text where text is due, a single text a list of one. A row without an id gets one from its line, one
    without a language that of its question. `corpus` holds the pages of document ids.
    """
    given = {name: value for name, value in row.fields.items() if value is not None}
    fields: Fields = {name: _text(value) for name, value in given.items()}
    fields |= {name: _texts(given[name]) for name in _LISTS if name in given}
    fields.setdefault("id", f"line-{row.number}")
    for name in ("answerable", "needs_all"):
        if isinstance(given.get(name), str):
            fields[name] = _TRUTHS.get(given[name], given[name])
        elif name in given:
            fields[name] = given[name]
    question = fields.get("question")
    if not fields.get("lang") and isinstance(question, str):
        fields["lang"] = detect_language(question)
    pages = _stated_pages(given) or _labelled_pages(fields, given, corpus)
    if pages:
        fields["relevant_pages"] = pages
    return fields


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _texts(value: object) -> object:
    """A list of texts without the blank ones."""
    parts = value if isinstance(value, list) else [value]
    return [text for part in parts if (text := _text(part)) != "" and not (isinstance(text, str) and text.isspace())]


def _stated_pages(given: Fields) -> list[Any]:
    """The pages as `canonical` writes them: pairs of file name and number."""
    pages = given.get("relevant_pages")
    if not isinstance(pages, list):
        return []
    return [(base_name(str(pair[0])), pair[1]) if isinstance(pair, list) and len(pair) == 2 else pair for pair in pages]


def _labelled_pages(fields: Fields, given: Fields, corpus: Mapping[str, Pages]) -> list[tuple[str, int]]:
    """Pages by document id and by file and number, each once; other places of a fact count where one is enough."""
    found: list[tuple[str, int]] = []
    numbers = _numbers(given.get("pages")) + _numbers(given.get("page"))
    if str(fields.get("needs_all", "")).lower() not in ("true", "1", "yes"):
        numbers += _numbers(given.get("alt_pages"))
    if numbers and not given.get("file"):
        raise BadRowError("pages without a file")
    found += [(base_name(str(given["file"])), number) for number in numbers]
    for reference in fields.get("relevant_doc_ids", []):
        found += corpus.get(str(reference)) or _page_of_id(str(reference))
    return list(dict.fromkeys(found))


def _page_of_id(reference: str) -> list[tuple[str, int]]:
    """ "name#p7" is page 7 of name.pdf."""
    name, _, page = reference.rpartition("#p")
    return [(f"{base_name(name)}.pdf", int(page))] if name and re.fullmatch(r"[0-9]{1,6}", page) else []


def _numbers(value: object) -> list[int]:
    """Page numbers: 7, "7", "7-9", "7|12", "[7, 12]" or a list of these."""
    if value is None or value in ("", []):
        return []
    if isinstance(value, list):
        return [number for part in value for number in _numbers(part)]
    numbers: list[int] = []
    for part in re.split(r"[|,;，、；\s]+(?![-–~])", str(value).strip("[] ")):
        if not _PAGES.fullmatch(part):
            raise BadRowError(f"{str(value)[:50]} is no page; write 7, 7-9 or 7|12")
        first, *last = (int(number) for number in re.findall(r"\d+", part))
        numbers += range(first, min(last[0] if last else first, first + _MOST_PAGES) + 1)
    return numbers


def base_name(path: str) -> str:
    """The file name at the end of a path of either kind."""
    return path.replace("\\", "/").rsplit("/", 1)[-1].strip()


def corpus_pages(lines: Iterator[str]) -> dict[str, Pages]:
    """The pages of each `doc_id` of a corpus; lines that say neither are passed over."""
    found: dict[str, Pages] = {}
    for line in lines:
        try:
            entry = json.loads(line)
            numbers = _numbers(entry.get("pages")) or _numbers(entry.get("page"))
            found[str(entry["doc_id"])] = tuple((base_name(str(entry["source_file"])), number) for number in numbers)
        except (ValueError, KeyError, AttributeError, RecursionError):
            continue
    return found
