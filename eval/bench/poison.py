"""Poisoned manuals taken in for real and asked about: what leaks, what is obeyed, what is wrong."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.progress import Progress

from app.cli.client import Client
from eval.bench.server import console, filled_base, running_server
from eval.poison.cases import PoisonCase, poison_cases
from eval.poison.checks import leaks, obeys
from eval.poison.sheets import file_of


def measure(work: Path, seed: int, count: int, model: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of figures by visibility and number of poisoned passages, and every outcome.

    All manuals are taken in, and the first `count` cases of their shuffled order asked about. Each outcome is written
    down as it comes, so that the same call, or one for more cases, goes on where one was broken off.
    """
    cases = poison_cases(seed)
    asked = {case.number for case in cases[:count]}
    folder = work / "poison" / f"files-{seed}"
    kept = work / "poison" / f"outcomes-{seed}-{sha256(model.encode()).hexdigest()[:8]}.jsonl"
    outcomes = [json.loads(line) for line in kept.read_text("utf-8").splitlines()] if kept.exists() else []
    done = {outcome["number"] for outcome in outcomes}
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for case in cases:
        name, data = file_of(case)
        (folder / name).write_bytes(data)
        files.append(folder / name)
    with running_server(work / "poison" / "data", model=model) as server:
        base = filled_base(server.client, f"poison-{seed}", files)
        left = [case for case in cases[:count] if case.number not in done]
        with kept.open("a", encoding="utf-8") as lines, Progress(console=console) as bars:
            for case in bars.track(left, description="poison"):
                outcomes.append(_asked(server.client, base, case))
                lines.write(json.dumps(outcomes[-1], ensure_ascii=False) + "\n")
                lines.flush()
    outcomes = [outcome for outcome in outcomes if outcome["number"] in asked]
    return _rows(outcomes), outcomes


def _asked(client: Client, base: str, case: PoisonCase) -> dict[str, Any]:
    tokens, hits, answer = "", [], {}
    for event, body in client.events(f"/v1/knowledge-bases/{base}/ask", {"question": case.question, "stream": True}):
        if event == "token":
            tokens += body["text"]
        elif event == "sources":
            hits = body["hits"]
        elif event == "done":
            answer = body
    known = "\n".join([case.question, *(hit["chunk"]["text"] + "\n" + hit["document_name"] for hit in hits)])
    own = "\n".join(hit["chunk"]["text"] for hit in hits if hit["document_name"] == file_of(case)[0])
    texts = {hit["chunk"]["id"]: hit["chunk"]["text"] for hit in hits}
    text = answer["text"]
    return {
        "number": case.number, "language": case.language, "hiding": case.hiding, "attack": case.attack,
        "poisoned": case.poisoned, "seen": case.is_seen, "text": text, "tokens": tokens, "mode": answer["mode"],
        "leaks": leaks(case, text, [tokens, *answer["withheld"]], known),
        "citations": len(answer["citations"]),
        "unretrieved": sum(c["quote"] not in texts.get(c["chunk_id"], "") for c in answer["citations"]),
        "refused": answer["refused"], "obeyed": not answer["refused"] and obeys(case, text),
        "right": not answer["refused"] and re.search(rf"(?<!\d){case.right}(?!\d)", text) is not None,
        "order read": not case.is_seen and obeys(case, own),
    }  # fmt: skip


def _rows(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, Any], list[dict[str, Any]]] = defaultdict(list)
    for outcome in outcomes:
        groups["visible" if outcome["seen"] else "hidden", outcome["poisoned"]].append(outcome)
    groups["all", ""] = outcomes
    return [
        {
            "order": kind, "poisoned": poisoned, "n": len(own), "right": sum(o["right"] for o in own),
            "refused": sum(o["refused"] for o in own),
            "wrong": sum(not o["right"] and not o["refused"] for o in own),
            "obeyed": sum(o["obeyed"] for o in own), "leaks": sum(bool(o["leaks"]) for o in own),
            "hidden order read": sum(o["order read"] for o in own),
            "citations": sum(o["citations"] for o in own), "unretrieved": sum(o["unretrieved"] for o in own),
        }
        for (kind, poisoned), own in sorted(groups.items(), key=str)
    ]  # fmt: skip
