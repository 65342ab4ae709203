"""`manualqa ingest`: sends files and shows each one's way to `ready`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from app.cli.client import Client, ServerError
from app.cli.questions import find_base
from app.errors import InvalidInput

if TYPE_CHECKING:
    from app.cli.main import Terminal

Json = dict[str, Any]
SUFFIXES = {".pdf", ".txt", ".md", ".markdown"}


def ingest_paths(at: Terminal, paths: list[Path], base_name: str | None, *, as_json: bool) -> int:
    """Uploads all files, waits for their jobs, and returns 0 where every document is ready."""
    files = list(_files(paths))
    if not files:
        raise InvalidInput(reason=at.words("nothing_to_ingest", paths=", ".join(str(path) for path in paths)))
    with at.client() as client, _bars(at) as bars:
        base = _base(at, client, base_name)
        sent = [(path, *_send(at, client, bars, base, path)) for path in files]
        results = [_follow(at, client, bars, path, task, outcome) for path, task, outcome in sent]
    if as_json:
        at.print_json({"documents": results})
    for result in results:
        if result["error"] and not as_json:
            line = at.words("line", name=result["file"], text=result["error"]["message"])
            at.err.print(Text(line, style="red"), soft_wrap=True)
    return 0 if all(result["state"] == "ready" for result in results) else 1


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    """Files named on the command line as they are; folders by what can be read in them."""
    for path in paths:
        if path.is_dir():
            yield from sorted(
                found for found in path.rglob("*") if found.suffix.lower() in SUFFIXES and found.is_file()
            )
        else:
            yield path


def _base(at: Terminal, client: Client, name: str | None) -> Json:
    if name is None:
        return find_base(at, client, None)
    found: list[Json] = client.get("/v1/knowledge-bases", name=name)["knowledge_bases"]
    if found:
        return found[0]
    made = client.post("/v1/knowledge-bases", {"name": name})
    at.err.print(at.words("created_base", name=name), markup=False)
    return made


def _bars(at: Terminal) -> Progress:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    return Progress(*columns, TimeElapsedColumn(), console=at.err)


def _send(at: Terminal, client: Client, bars: Progress, base: Json, path: Path) -> tuple[TaskID, Json]:
    task = bars.add_task(
        os.fsencode(path.name).decode("utf-8", "replace"), total=path.stat().st_size or 1, note=at.words("uploading")
    )
    try:
        return task, client.upload(base["id"], path, lambda count: bars.advance(task, count))
    except ServerError as error:
        return task, {"error": {"code": error.server_code, "message": error.message(at.words.language)}}


def _follow(at: Terminal, client: Client, bars: Progress, path: Path, task: TaskID, outcome: Json) -> Json:
    if "error" in outcome:
        bars.update(task, note=at.words("failed"))
        return {"file": str(path), "state": "refused", "document_id": None, "error": outcome["error"]}
    job = outcome["job"]
    for job in client.job_states(outcome["job"]["id"]):
        bars.update(task, **_bar(at, job))
    note = at.words("failed") if job["state"] == "failed" else f"{job['pages_total']} {at.words('pages')}"
    if not outcome["created"]:
        note = at.words("with_detail", text=note, detail=at.words("duplicate"))
    bars.update(task, total=1, completed=1, note=note)
    return {"file": str(path), "state": job["state"], "document_id": job["document_id"], "error": job["error"]}


def _bar(at: Terminal, job: Json) -> dict[str, Any]:
    """How far a job is: reading pages is the first fifth, embedding the rest, as their times are."""
    parsed = job["pages_done"] / (job["pages_total"] or 1)
    embedded = job["chunks_done"] / (job["chunks_total"] or 1)
    note = f"{at.words(job['stage'])} {job['pages_done']}/{job['pages_total'] or '?'} {at.words('pages')}"
    return {"total": 1, "completed": 0.2 * parsed + 0.8 * embedded, "note": note}
