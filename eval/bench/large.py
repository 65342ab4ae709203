"""A very long manual: peak memory, speed, and going on after a kill."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path
from typing import Any

from pypdf import PdfReader, PdfWriter

from app.cli.client import Client
from eval.bench.server import Server, console, running_server

PAGES = 1600
KILL_AT = 0.5
"""Share of the chunks that are embedded when the server is killed."""


def measure(data: Path, work: Path) -> list[dict[str, Any]]:
    """Rows for a manual of `PAGES` pages, joined from the real ones: in one go, and killed midway and resumed."""
    path = joined(data, work / "large.pdf", PAGES)
    return [_in_one_go(path, work / "large"), _killed(path, work / "large-killed")]


def joined(data: Path, path: Path, pages: int) -> Path:
    """A PDF of so many pages, made of the manuals that have a text layer, over and over."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = PdfWriter()
    sources = [source for source in sorted((data / "pdf").glob("*.pdf")) if "scanned" not in source.name]
    while len(writer.pages) < pages:
        for source in sources:
            left = pages - len(writer.pages)
            if left > 0:
                writer.append(source, pages=(0, min(left, _length(source))))
    writer.write(path)
    return path


def _length(source: Path) -> int:

    return len(PdfReader(source).pages)


def _in_one_go(path: Path, folder: Path) -> dict[str, Any]:
    with running_server(fresh(folder)) as server, server.peak_memory() as peak:
        base = server.client.post("/v1/knowledge-bases", {"name": "large"})["id"]
        started = time.perf_counter()
        job = server.client.upload(base, path, lambda _: None)["job"]
        read = None
        for state in server.client.job_states(job["id"]):
            if state["stage"] != "parsing" and state["pages_total"] and read is None:
                read = time.perf_counter() - started
        seconds = time.perf_counter() - started
        document = server.client.get(f"/v1/knowledge-bases/{base}/documents")["documents"][0]
    return {
        "what": "in one go",
        "state": document["state"],
        "pages": document["pages"],
        "chunks": document["chunks"],
        "read s": round(read or 0, 1),
        "seconds": round(seconds, 1),
        "pages/s": round((document["pages"] or 0) / seconds, 1),
        "chunks/s": round((document["chunks"] or 0) / seconds, 1),
        "peak MB": round(peak["without model server"]),
    }


def _killed(path: Path, folder: Path) -> dict[str, Any]:
    with running_server(fresh(folder)) as first:
        base = first.client.post("/v1/knowledge-bases", {"name": "large"})["id"]
        job = first.client.upload(base, path, lambda _: None)["job"]
        before = _wait_for_share(first, job["id"])
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    with running_server(folder) as second:
        started = time.perf_counter()
        went_on_at = None
        for state in second.client.job_states(job["id"], every_seconds=0.1):
            if went_on_at is None and state["chunks_done"] > before:
                went_on_at = time.perf_counter() - started
                console.print(f"killed at {before} chunks, next checkpoint at {state['chunks_done']}")
        document = second.client.get(f"/v1/knowledge-bases/{base}/documents")["documents"][0]
        findings = second.client.post("/v1/maintenance/check", {})["findings"]
    return {
        "what": f"killed at {before} chunks",
        "state": document["state"],
        "pages": document["pages"],
        "chunks": document["chunks"],
        "went on after s": round(went_on_at or 0, 1),
        "disagreements": len(findings),
    }


def _wait_for_share(server: Server, job_id: str) -> int:
    client: Client = server.client
    for state in client.job_states(job_id, every_seconds=0.1):
        if state["chunks_total"] and state["chunks_done"] >= KILL_AT * state["chunks_total"]:
            return int(state["chunks_done"])
    raise RuntimeError("it was ready before it could be killed")


def fresh(folder: Path) -> Path:
    """The folder, without what an earlier run left."""

    shutil.rmtree(folder, ignore_errors=True)
    return folder
