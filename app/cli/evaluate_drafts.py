"""`manualqa eval init`: a starter set, drafted by the model from the passages of a knowledge base, to be reviewed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from app.cli.questions import find_base
from app.cli.terminal import FAILED

if TYPE_CHECKING:
    from app.cli.terminal import Terminal
    from app.types import Language

Json = dict[str, Any]
COLUMNS = ("id", "question", "answers", "answerable", "lang", "type", "file", "page", "draft")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def draft_questions(
    at: Terminal,
    base_name: str | None,
    out: Path,
    count: int,
    seed: int | None,
    language: Language | None,
    *,
    as_json: bool,
) -> int:
    """Writes what the model drafts to `out`, also where it stops midway; returns the exit code."""
    body: Json = {"count": count, "language": language}
    if seed is not None:
        body["seed"] = seed
    drafts, fault = _drafted(at, base_name, body)
    if drafts:
        out.parent.mkdir(parents=True, exist_ok=True)
        as_table = out.suffix.lower() == ".csv"
        text = _csv(drafts) if as_table else _json_lines(drafts)
        out.write_text(text, encoding="utf-8-sig" if as_table else "utf-8", newline="")
    if as_json:
        at.print_json({"file": str(out) if drafts else None, "drafts": len(drafts), "error": fault})
    else:
        at.out.print(Text(at.words("drafted", count=len(drafts), wanted=count, file=out)), soft_wrap=True)
        if fault:
            at.err.print(fault["message"], style="red", markup=False, soft_wrap=True)
        elif drafts:
            at.out.print(Text(at.words("review_drafts")), soft_wrap=True)
    return FAILED if fault or not drafts else 0


def _drafted(at: Terminal, base_name: str | None, body: Json) -> tuple[list[Json], Json | None]:
    """The drafts that came, and what kept the rest from coming."""
    drafts: list[Json] = []
    counted = TextColumn("{task.completed}/{task.total}")
    columns = (TextColumn("{task.description}", markup=False), BarColumn(16), counted, TimeElapsedColumn())
    try:
        with at.client() as client, Progress(*columns, console=at.err) as bars:
            base = find_base(at, client, base_name)
            task = bars.add_task(base["name"], total=body["count"])
            for event, data in client.events(f"/v1/knowledge-bases/{base['id']}/question-drafts", body):
                if event == "draft":
                    drafts.append(data)
                    bars.advance(task)
                elif event == "error":
                    return drafts, data
    except KeyboardInterrupt:
        return drafts, {"code": "interrupted", "message": at.words("interrupted")}
    return drafts, None


def _json_lines(drafts: list[Json]) -> str:
    rows = [{**draft["question"], "evidence": draft["evidence"]} for draft in drafts]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _csv(drafts: list[Json]) -> str:
    """A table for spreadsheets; no cell of it is taken for a formula."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(COLUMNS)
    for draft in drafts:
        question = draft["question"]
        cells = {
            **question,
            "answers": json.dumps(question["answers"], ensure_ascii=False) if question.get("answers") else "",
            "answerable": question.get("answerable", True),
            "file": draft["document"] if question.get("answerable", True) else "",
            "page": draft["page"] if question.get("answerable", True) else "",
            "draft": True,
        }
        table.writerow([_plain(cells.get(column, "")) for column in COLUMNS])
    return written.getvalue()


def _plain(cell: object) -> str:
    text = str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
