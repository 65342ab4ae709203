"""`manualqa jobs`: lists, watches, cancels and tries again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from app.cli.following import Board, Following, end_note, progress_note
from app.cli.questions import find_base

if TYPE_CHECKING:
    from app.cli.client import Client
    from app.cli.terminal import Terminal

Json = dict[str, Any]
OPEN = ("queued", "running")
MOST_LISTED = 500


def list_jobs(at: Terminal, base_name: str | None, state: str | None, kind: str | None, *, as_json: bool) -> None:
    """Prints jobs, newest first."""
    with at.client() as client:
        params = {"state": state, "kind": kind, "knowledge_base_id": _base_id(at, client, base_name)}
        found = client.get("/v1/jobs", **{name: value for name, value in params.items() if value is not None})
        names = _names(at, client, found["jobs"])
    if as_json:
        at.print_json(found)
        return
    for job in found["jobs"]:
        print_job(at, job, names[job["id"]])


def watch_jobs(at: Terminal, job_id: str | None, base_name: str | None, *, as_json: bool) -> int:
    """Shows one job, or all that are open, until they have ended; returns 0 where all are done."""
    with at.client() as client:
        if job_id is not None:
            return follow(at, client, [client.get(f"/v1/jobs/{job_id}")], as_json=as_json)
        ended: dict[str, Json | None] = {}
        base_id = _base_id(at, client, base_name)
        narrow = {"knowledge_base_id": base_id} if base_id else {}
        with Board(at, quiet=as_json) as board, Following(at, client, board, base_id) as following:
            try:
                while jobs := client.get("/v1/jobs", state=OPEN, limit=MOST_LISTED, **narrow)["jobs"]:
                    names = _names(at, client, jobs)
                    for job in jobs:
                        following.expect(job, names[job["id"]])
                    ended.update(following.wait())
            except KeyboardInterrupt:
                board.say("manualqa", at.words("left_running", count=len(following.waiting())))
                return 1
    return _result(at, ended, as_json=as_json)


def follow(at: Terminal, client: Client, jobs: list[Json], *, as_json: bool) -> int:
    """Shows these jobs of one knowledge base until they have ended; returns 0 where all are done."""
    base_id, names = jobs[0]["knowledge_base_id"], _names(at, client, jobs)
    with Board(at, quiet=as_json) as board, Following(at, client, board, base_id) as following:
        try:
            for job in jobs:
                following.expect(job, names[job["id"]])
            ended = following.wait()
        except KeyboardInterrupt:
            board.say("manualqa", at.words("left_running", count=len(following.waiting())))
            return 1
    return _result(at, ended, as_json=as_json)


def cancel_job(at: Terminal, job_id: str, *, as_json: bool) -> None:
    """Stops a job."""
    _change(at, job_id, "cancel", as_json=as_json)


def retry_job(at: Terminal, job_id: str, *, as_json: bool) -> None:
    """Tries again what failed or was cancelled, with a new job."""
    _change(at, job_id, "retry", as_json=as_json)


def print_job(at: Terminal, job: Json, name: str) -> None:
    """One line: id, state, how far, name."""
    far = progress_note(at.words, job) if job["state"] == "running" else end_note(at.words, job)
    line = Text(f"{job['id']}  {at.words('kind_' + job['kind'])}  ")
    line.append(at.words("line", name=name, text=far), style="red" if job["state"] == "failed" else "")
    at.out.print(line, soft_wrap=True)


def _change(at: Terminal, job_id: str, what: str, *, as_json: bool) -> None:
    with at.client() as client:
        job = client.post(f"/v1/jobs/{job_id}/{what}", {})
        names = _names(at, client, [job])
    if as_json:
        at.print_json(job)
    else:
        print_job(at, job, names[job["id"]])


def _names(at: Terminal, client: Client, jobs: list[Json]) -> dict[str, str]:
    """Job id -> what people know it by: its document, or the knowledge base whose index it builds."""
    names = {job["id"]: job["document_name"] for job in jobs}
    if None in names.values():
        bases = {base["id"]: base["name"] for base in client.get("/v1/knowledge-bases")["knowledge_bases"]}
        for job in jobs:
            base_id = job["knowledge_base_id"]
            names[job["id"]] = names[job["id"]] or at.words("index_of", name=bases.get(base_id, base_id))
    return names


def _base_id(at: Terminal, client: Client, name: str | None) -> str | None:
    return None if name is None else str(find_base(at, client, name)["id"])


def _result(at: Terminal, ended: dict[str, Json | None], *, as_json: bool) -> int:
    jobs = [job for job in ended.values() if job is not None]
    if as_json:
        at.print_json({"jobs": jobs})
    elif not ended:
        at.out.print(at.words("no_open_jobs"))
    return 0 if all(job["state"] == "done" for job in jobs) else 1
