"""An evaluation and a training outlive the process that they ran in: another goes on, and nothing is doubled.

Each takes a minute or two; `make test-processes` runs them.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.codes import MANUAL, pairs
from tests.fixtures.processes import WAIT_SECONDS, Company
from tests.fixtures.scripted_model import scripted_model
from tests.fixtures.tiny_chat_model import a_tiny_base
from tests.fixtures.waiting import wait_for
from tests.system.test_evaluations_go_on import HELD, QUESTIONS, HoldingModel, started

WORKERS = ("worker-1", "worker-2")
TRAINING = {
    "rank": 4,
    "max_tokens": 4096,
    "epochs": 12,
    "batch_size": 2,
    "accumulate": 2,
    "evaluate_every": 4,
    "learning_rate": 0.02,
}
"""So many epochs that it lasts until it is killed."""

TRAINING_SECONDS = 600.0
"""A step takes a third of a second, and on a machine that others use ten times as long."""


def kill_who_has(company: Company, table: str) -> str:
    """Kills the worker that has claimed the only row of the table; returns the name of the other."""
    [(claimant,)] = company.query(f"SELECT claimed_by FROM {table}")  # noqa: S608 - a name of ours
    [(victim, survivor)] = [pair for pair in (WORKERS, WORKERS[::-1]) if company.identity(pair[0]) == claimant]
    company.kill(victim)
    return survivor


@pytest.mark.campaign
@pytest.mark.timeout(900)
def test_an_evaluation_goes_on_in_another_process_where_its_own_dies(company: Company) -> None:
    said = HoldingModel()
    with scripted_model(said) as model:
        settings = {"COMPANY_MODEL": model.base_url, "MQA_THRESHOLD": "0.1"}
        for duty, name in (("api", "api-1"), *(("worker", name) for name in WORKERS)):
            company.start(duty, name, **settings)
        company.wait()
        with company.client("api-1") as client:
            path = started(client)
            assert said.arrived.wait(WAIT_SECONDS)
            assert wait_for(lambda: client.get(path).json()["done"] == HELD)
            survivor = kill_who_has(company, "evaluations")
            killed, asked_before = time.monotonic(), Counter(said.asked)
            said.opened.set()
            assert wait_for(lambda: len(said.asked) > asked_before.total(), WAIT_SECONDS), company.said(survivor)
            sys.stderr.write(f"the next question {time.monotonic() - killed:.1f} s after the kill\n")
            ended = "SELECT state FROM evaluations"
            assert wait_for(lambda: company.query(ended) == [("done",)], WAIT_SECONDS), company.said(survivor)
            run = client.get(f"{path}/run").json()
        assert company.query("SELECT claimed_by FROM evaluations") == [(company.identity(survivor),)]
    assert [record["index"] for record in run["records"]] == list(range(QUESTIONS))
    assert not any(record.get("error") for record in run["records"])
    assert asked_before == Counter(range(HELD + 1))
    assert Counter(said.asked) == Counter([*range(QUESTIONS), HELD])  # only the one in flight is asked again


@pytest.mark.campaign
@pytest.mark.timeout(2400)
def test_a_training_goes_on_in_another_process_where_its_own_dies(company: Company) -> None:
    base = a_tiny_base(company.folder / "tiny-base")
    settings = {"MQA_ADAPTER_BASE": str(base.folder), "MQA_THRESHOLD": "0.1", "MQA_MAX_ADAPTER_MB": "5"}
    for duty, name in (("api", "api-1"), *(("worker", name) for name in WORKERS)):
        company.start(duty, name, **settings)
    company.wait()
    with company.client("api-1") as client:
        knowledge_base = client.post("/v1/knowledge-bases", json={"name": "codes"}).json()["id"]
        path = f"/v1/knowledge-bases/{knowledge_base}"
        client.post(f"{path}/documents", params={"name": "codes.md"}, content=MANUAL.encode())
        assert wait_for(lambda: client.get(path).json()["ready"] == 1, TRAINING_SECONDS)
        body = {"knowledge_base_id": knowledge_base, "pairs_name": "codes", "pairs": pairs(), "training": TRAINING}
        answer = client.post("/v1/finetune/jobs", json=body)
        assert answer.status_code == 202, answer.text
        job_path = f"/v1/finetune/jobs/{answer.json()['id']}"
        folder = company.folder / "shared" / "finetune" / answer.json()["id"]

        def job() -> dict[str, Any]:
            return dict(client.get(job_path).json())

        assert wait_for(lambda: (job()["figures"].get("checkpoint") or 0) >= 4, TRAINING_SECONDS), job()
        survivor = kill_who_has(company, "finetune_jobs")
        killed = time.monotonic()
        assert wait_for(lambda: len(beginnings(folder)) == 2, TRAINING_SECONDS), company.said(survivor)
        sys.stderr.write(f"the training goes on {time.monotonic() - killed:.1f} s after the kill\n")
        assert wait_for(lambda: job()["finished_at"] is not None, TRAINING_SECONDS), company.said(survivor)
        done = job()
        assert (done["state"], done["error"]) == ("done", None), (folder / "log.txt").read_text()[-3000:]
        first, second = beginnings(folder)
        assert (first["resumed_from"], second["resumed_from"] >= 4) == (None, True)
        steps = client.get(f"{job_path}/curves").json()["steps"]
        assert [point["step"] for point in steps] == list(range(1, len(steps) + 1))  # each once; it may end early
        assert len(steps) > second["resumed_from"]
        [adapter] = client.get("/v1/adapters").json()["adapters"]
        assert (adapter["id"], adapter["state"]) == (done["adapter_id"], "checked")


def beginnings(folder: Path) -> list[dict[str, Any]]:
    """What the processes of a training have said when they began."""
    events = map(json.loads, (folder / "events.jsonl").read_text(encoding="utf-8").splitlines())
    return [event for event in events if event["event"] == "begun"]
