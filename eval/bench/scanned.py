"""A scanned manual: seconds a page, and whether questions find their page after OCR."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from eval.bench.large import fresh
from eval.bench.retrieval import rank_of
from eval.bench.server import running_server
from eval.question_sets import read
from eval.ranking import hit_at, reciprocal_rank

MANUAL = "lure-game-manual-de-scanned.pdf"


def measure(data: Path, work: Path) -> list[dict[str, Any]]:
    """One row: the manual without a text layer, read by OCR, and its labelled questions."""
    with running_server(fresh(work / "scanned")) as server, server.peak_memory() as peak:
        base = server.client.post("/v1/knowledge-bases", {"name": "scanned"})["id"]
        started = time.perf_counter()
        job = server.client.upload(base, data / "pdf" / MANUAL, lambda _: None)["job"]
        for state in server.client.job_states(job["id"]):
            last = state
        seconds = time.perf_counter() - started
        document = server.client.get(f"/v1/knowledge-bases/{base}/documents")["documents"][0]
        questions = [q for q in read(data / "sets" / "manuals_scanned" / "qa.jsonl").questions if q.answerable]
        ranks = [rank_of(server.client, base, question) for question in questions]
    return [
        {
            "state": last["state"],
            "pages": document["pages"],
            "recognised": document["pages_recognised"],
            "s/page": round(seconds / document["pages"], 2),
            "peak MB": round(peak["without model server"]),
            "questions": len(ranks),
            "hit@1": round(hit_at(ranks, 1), 3),
            "hit@5": round(hit_at(ranks, 5), 3),
            "mrr@10": round(reciprocal_rank(ranks), 3),
        }
    ]
