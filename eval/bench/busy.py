"""Search while manuals are loaded: how much slower a question is answered than at rest."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from app.cli.client import Client
from eval.bench.large import fresh
from eval.bench.server import filled_base, running_server
from eval.question_sets import read

AT_REST = 200
PAUSE_SECONDS = 0.1
ASKED = ("mutable-beads-manual-en.pdf", "rtthread-ota-user-manual-zh.pdf", "gpredict-user-manual-en.pdf")


def measure(data: Path, work: Path) -> list[dict[str, Any]]:
    """Rows of search times at rest and while all other manuals are loaded into a second knowledge base."""
    questions = [q.question for q in read(data / "sets" / "manuals_gold" / "qa.jsonl").questions]
    manuals = sorted((data / "pdf").glob("*.pdf"))
    with running_server(fresh(work / "busy")) as server:
        asked = filled_base(server.client, "asked", [path for path in manuals if path.name in ASKED])
        _search_times(server.client, asked, questions[:20])  # warm
        at_rest = _search_times(server.client, asked, [questions[i % len(questions)] for i in range(AT_REST)])
        other = server.client.post("/v1/knowledge-bases", {"name": "loaded"})["id"]
        files = [path for path in manuals if path.name not in ASKED and "scanned" not in path.name]
        open_jobs = [server.client.upload(other, path, lambda _: None)["job"]["id"] for path in files]
        busy: list[float] = []
        chunks, started = 0, time.perf_counter()
        while open_jobs:
            busy += _search_times(server.client, asked, [questions[(len(busy) + i) % len(questions)] for i in range(5)])
            job = server.client.get(f"/v1/jobs/{open_jobs[0]}")
            if job["ended_at"]:
                chunks += job["chunks_done"]
                open_jobs.pop(0)
        seconds = time.perf_counter() - started
    rows = [_row("at rest", at_rest), _row("while loading", busy)]
    rows[1]["times at rest"] = round(rows[1]["p95 ms"] / rows[0]["p95 ms"], 2)
    rows[1]["chunks/s"] = round(chunks / seconds, 1)
    return rows


def _search_times(client: Client, base: str, questions: list[str]) -> list[float]:
    times = []
    for question in questions:
        started = time.perf_counter()
        client.post(f"/v1/knowledge-bases/{base}/search", {"question": question, "threshold": -1.0})
        times.append(time.perf_counter() - started)
        time.sleep(PAUSE_SECONDS)
    return times


def _row(what: str, times: list[float]) -> dict[str, Any]:
    p50, p95, p99 = (round(1000 * float(value), 1) for value in np.percentile(times, [50, 95, 99]))
    return {"what": what, "searches": len(times), "p50 ms": p50, "p95 ms": p95, "p99 ms": p99}
