"""Retrieval on labelled questions: page-level hit@1, hit@5 and MRR@10."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.cli.client import Client
from eval.bench.server import filled_base, running_server
from eval.question_sets import LabelledQuestion, PageRef, read
from eval.ranking import first_hit, hit_at, reciprocal_rank

HITS = 30


def measure(data: Path, work: Path, sets: Sequence[str]) -> list[dict[str, Any]]:
    """One row a set and language, over one knowledge base with all manuals."""
    rows = []
    with running_server(work / "data") as server:
        base = filled_base(server.client, "manuals", sorted((data / "pdf").glob("*.pdf")))
        for name in sets:
            questions = [q for q in read(data / "sets" / name / "qa.jsonl").questions if q.answerable and q.pages()]
            ranks = {question.id: rank_of(server.client, base, question) for question in questions}
            for language in sorted({question.lang for question in questions}):
                own = [ranks[question.id] for question in questions if question.lang == language]
                rows.append(_row(name, language, own))
            rows.append(_row(name, "all", list(ranks.values())))
    return rows


def rank_of(client: Client, base: str, question: LabelledQuestion) -> int | None:
    """1-based rank of the first right page among the distinct pages of the hits, or None."""
    body = {"question": question.question, "limit": HITS, "threshold": -1.0}
    hits = client.post(f"/v1/knowledge-bases/{base}/search", body)["hits"]
    return first_hit([page for hit in hits for page in pages_of(hit)], question.pages())


def pages_of(hit: dict[str, Any]) -> list[PageRef]:
    """The pages of a hit, in reading order."""
    chunk = hit["chunk"]
    return [(hit["document_name"], page) for page in range(chunk["page_start"], chunk["page_end"] + 1)]


def _row(name: str, language: str, ranks: list[int | None]) -> dict[str, Any]:
    return {
        "set": name,
        "language": language,
        "n": len(ranks),
        "hit@1": round(hit_at(ranks, 1), 3),
        "hit@5": round(hit_at(ranks, 5), 3),
        "mrr@10": round(reciprocal_rank(ranks), 3),
    }
