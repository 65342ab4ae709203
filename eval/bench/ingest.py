"""Parsing alone and whole ingest: pages per second and peak memory."""

from __future__ import annotations

import resource
import shutil
import time
from pathlib import Path
from typing import Any

from app.errors import DocumentError
from app.ingest.media import MediaType, parser_for
from app.ingest.reading import parse_whole
from app.settings import load_settings
from app.wiring.parts import parse_limits
from eval.bench.server import console, filled_base, running_server


def measure(data: Path, work: Path) -> list[dict[str, Any]]:
    """Rows for parsing every manual, and for loading all of them into a new server."""
    files = sorted((data / "pdf").glob("*.pdf"))
    return [_parse(files), _ingest(files, work / "ingest")]


def _parse(files: list[Path]) -> dict[str, Any]:
    limits = parse_limits(load_settings())
    pages, unread, started = 0, 0, time.perf_counter()
    for path in files:
        try:
            pages += len(parse_whole(parser_for(MediaType.PDF), path, limits, lambda _done, _total: None).pages)
        except DocumentError as error:
            unread += 1
            console.print(f"{path.name}: {error}", markup=False)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    return {
        "what": "parse",
        "documents": len(files) - unread,
        "refused": unread,
        "pages": pages,
        "seconds": round(seconds, 1),
        "pages/s": round(pages / seconds, 1),
        "peak MB": round(peak),
    }


def _ingest(files: list[Path], work: Path) -> dict[str, Any]:
    shutil.rmtree(work, ignore_errors=True)
    with running_server(work) as server, server.peak_memory() as peak:
        started = time.perf_counter()
        base = filled_base(server.client, "manuals", files)
        seconds = time.perf_counter() - started
        documents = server.client.get(f"/v1/knowledge-bases/{base}/documents", limit=500)["documents"]
    ready = [document for document in documents if document["state"] == "ready"]
    pages, chunks = sum(document["pages"] for document in ready), sum(document["chunks"] for document in ready)
    return {
        "what": "upload to ready",
        "documents": len(ready),
        "refused": len(documents) - len(ready),
        "pages": pages,
        "chunks": chunks,
        "seconds": round(seconds, 1),
        "pages/s": round(pages / seconds, 1),
        "chunks/s": round(chunks / seconds, 1),
        "peak MB": round(peak["without model server"]),
    }
