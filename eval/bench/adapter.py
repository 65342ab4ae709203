"""An adapter from labelled questions to its proof: trained, hosted, and put beside its base model on held-out manuals.

All that is done is done over the API of a server of the benchmark's own, as a user would.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import Progress

from app.cli.client import Client, ServerError
from eval.bench.label_sets import find
from eval.bench.server import console, filled_base, running_server
from eval.metrics import METRICS
from eval.question_sets import canonical
from eval.records import RunSettings

ENDED = ("done", "failed", "cancelled")
POLL_SECONDS = 2.0
SHOWN = (
    "answer_accuracy",
    "refusal_recall",
    "false_refusal_rate",
    "citation_precision",
    "groundedness",
    "seconds_p50",
    "prompt_tokens",
)
ASKERS = 8
Json = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """What is trained: questions of `set_name` in the knowledge base of its manuals, as `data` and `training` say."""

    base: str
    set_name: str = "manuals_gold"
    data: Mapping[str, Any] = field(default_factory=lambda: {"heldout_share": 0.25, "split_by": "document"})
    training: Mapping[str, Any] = field(default_factory=dict)
    job_id: str | None = None


class TrialFailed(Exception):
    """The training or an evaluation did not end well; the message says why."""


def measure(data: Path, work: Path, trial: Trial) -> tuple[list[Json], Json]:
    """Rows of figures, and the training and the comparison as the API tells them; `job_id` takes up a training."""
    found, missing = find(data, [trial.set_name])
    if missing:
        raise TrialFailed(f"there is no set {trial.set_name}")
    labels = found[0]
    with running_server(work / "data", model=trial.base) as server:
        client = server.client
        base = filled_base(client, labels.base, list(labels.pdfs))
        job = _trained(client, trial, base, _pairs(labels.folder / "qa.jsonl", canonical(labels.questions)))
        hosting = _hosted(client, base, job["adapter_id"], [question.question for question in labels.questions])
        comparison = _proved(client, base, job["adapter_id"])
    rows = [*_training_rows(job), *hosting, *_comparison_rows(comparison)]
    return rows, {"job": job, "comparison": comparison}


def _pairs(file: Path, questions: str) -> str:
    """The questions with the manual's own words for their answers, which the file calls evidence."""
    evidence = {row["id"]: row.get("evidence", "") for row in map(json.loads, file.read_text("utf-8").splitlines())}
    rows = [json.loads(line) for line in questions.splitlines()]
    return "".join(json.dumps(row | {"quote": evidence[row["id"]] or ""}, ensure_ascii=False) + "\n" for row in rows)


def _trained(client: Client, trial: Trial, base: str, pairs: str) -> Json:
    if trial.job_id is None:
        order = {"knowledge_base_id": base, "pairs_name": trial.set_name, "pairs": pairs}
        job = client.post("/v1/finetune/jobs", order | {"data": dict(trial.data), "training": dict(trial.training)})
    else:
        job = client.get(f"/v1/finetune/jobs/{trial.job_id}")
    console.print(f"training {job['id']}; --job takes it up again", markup=False)
    with Progress(console=console) as bars:
        task = bars.add_task("training", total=None)
        while job["state"] not in ENDED:
            bars.update(task, completed=job["step"], total=job["steps"], description=f"training, {job['stage']}")
            time.sleep(POLL_SECONDS)
            job = client.get(f"/v1/finetune/jobs/{job['id']}")
    if job["state"] != "done":
        raise TrialFailed((job["error"] or {}).get("message", job["state"]))
    return job


def _hosted(client: Client, base: str, adapter: str, questions: list[str]) -> list[Json]:
    """Hosts it while `ASKERS` ask the base model, and counts what failed of these."""
    if client.get(f"/v1/adapters/{adapter}")["hosted"]:
        client.post(f"/v1/adapters/{adapter}/unhost", {})
    with _asking(client, base, questions) as outcomes:
        _until(lambda: len(outcomes) >= ASKERS)
        began = time.perf_counter()
        client.post(f"/v1/adapters/{adapter}/host", {})
        seconds = time.perf_counter() - began
    failed = sum(outcome is not None for outcome in outcomes)
    return [
        {"figure": "seconds to host it", "before": None, "after": round(seconds, 2)},
        {"figure": f"failed of {len(outcomes)} questions asked by {ASKERS} meanwhile", "after": failed},
    ]


@contextmanager
def _asking(client: Client, base: str, questions: list[str]) -> Iterator[list[str | None]]:
    """Questions from `ASKERS` at once, one after the other; what came of each: None, or why it failed."""
    outcomes: list[str | None] = []
    done = threading.Event()

    def ask(own: list[str]) -> None:
        for question in own:
            if done.is_set():
                return
            try:
                answer = client.post(f"/v1/knowledge-bases/{base}/ask", {"question": question})
            except ServerError as error:
                outcomes.append(str(error))
            else:
                outcomes.append(answer["degraded"])

    askers = [threading.Thread(target=ask, args=(questions[number::ASKERS],)) for number in range(ASKERS)]
    for asker in askers:
        asker.start()
    try:
        yield outcomes
    finally:
        done.set()
        for asker in askers:
            asker.join()


def _until(condition: Any, seconds: float = 600.0) -> None:  # noqa: ANN401 - any callable
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def _proved(client: Client, base: str, adapter: str) -> Json:
    settings = RunSettings(mode="answers").model_dump(mode="json", exclude={"adapter"})
    body = {"knowledge_base_id": base, "settings": settings}
    started = client.post(f"/v1/adapters/{adapter}/prove", body)
    pair = [started[side]["id"] for side in ("base", "adapter")]
    with Progress(console=console) as bars:
        for evaluation_id in pair:
            evaluation = client.get(f"/v1/evaluations/{evaluation_id}")
            task = bars.add_task(evaluation["name"], total=evaluation["questions"])
            while evaluation["state"] not in ENDED:
                time.sleep(POLL_SECONDS)
                evaluation = client.get(f"/v1/evaluations/{evaluation_id}")
                bars.update(task, completed=evaluation["done"])
            if evaluation["state"] != "done":
                raise TrialFailed((evaluation["error"] or {}).get("message", evaluation["state"]))
    return client.get(f"/v1/evaluations/{pair[0]}/compare/{pair[1]}")


def _training_rows(job: Json) -> list[Json]:
    return [{"figure": name, "after": value} for name, value in (job["examples"] | job["figures"]).items()]


def _comparison_rows(comparison: Json) -> list[Json]:
    rows = []
    for difference in comparison["differences"]:
        if difference["metric"] not in SHOWN:
            continue
        before, after = difference["before"], difference["after"]
        rows.append(
            {
                "figure": METRICS[difference["metric"]].en,
                "before": _figure(before),
                "after": _figure(after),
                "difference": _interval(difference["difference"], difference),
                "p": None if difference["p"] is None else round(difference["p"], 3),
                "n": after["n"],
            }
        )
    return rows


def _figure(figure: Json) -> str:
    return _interval(figure["value"], figure)


def _interval(value: float | None, ends: Json) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if ends["low"] is None else f"{value:.3f} ({ends['low']:.3f} to {ends['high']:.3f})"
