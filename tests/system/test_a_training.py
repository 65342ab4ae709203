"""A training as users start it, with the real process and a model of a few thousand weights, killed once on its way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from fastapi.testclient import TestClient

from app.api.app import create_app
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.parts import Parts
from app.settings import Settings
from app.wiring.services import build_services
from tests.fixtures.codes import MANUAL, pairs
from tests.fixtures.embedders import WordEmbedder
from tests.fixtures.tiny_chat_model import a_tiny_base

Json = dict[str, Any]
CHOICES = {
    "rank": 4,
    "max_tokens": 4096,
    "epochs": 4,
    "batch_size": 2,
    "accumulate": 2,
    "evaluate_every": 4,
    "learning_rate": 0.02,
}


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "app.finetune.training_child" in child.cmdline()]


def test_a_killed_training_goes_on_and_its_adapter_is_registered_once(tmp_path: Path) -> None:
    base = a_tiny_base(tmp_path / "tiny-base")
    settings = Settings(
        data_dir=tmp_path / "data",
        adapter_base=str(base.folder),
        min_free_disk_mb=0,
        max_adapter_mb=5,
        ocr=False,
        threshold=0.1,
        llm_base_url="http://127.0.0.1:9/v1",
    )
    model = OpenAICompatibleModel(
        "none", FixedEndpoint(str(settings.llm_base_url)), first_token_seconds=1, total_seconds=1
    )
    services = build_services(settings, "local-token", Parts(WordEmbedder(), model))
    with TestClient(create_app(services), headers={"Authorization": "Bearer local-token"}) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        knowledge_base = client.post("/v1/knowledge-bases", json={"name": "codes"}).json()["id"]
        path = f"/v1/knowledge-bases/{knowledge_base}"
        client.post(f"{path}/documents", params={"name": "codes.md"}, content=MANUAL.encode())
        until(lambda: client.get(path).json()["ready"] == 1)
        body = {"knowledge_base_id": knowledge_base, "pairs_name": "codes", "pairs": pairs(), "training": CHOICES}
        started = client.post("/v1/finetune/jobs", json=body)
        assert started.status_code == 202, started.text
        job_path = f"/v1/finetune/jobs/{started.json()['id']}"

        def job() -> Json:
            return dict(client.get(job_path).json())

        until(lambda: (job()["figures"].get("checkpoint") or 0) >= 4 or job()["state"] == "failed")
        for child in children():
            os.kill(child.pid, signal.SIGKILL)
        until(lambda: job()["finished_at"] is not None)
        done = job()
        assert (done["state"], done["error"]) == ("done", None), (
            settings.finetune_dir / done["id"] / "log.txt"
        ).read_text()[-3000:]
        curves = client.get(f"{job_path}/curves").json()
        assert [point["step"] for point in curves["steps"]] == list(range(1, done["steps"] + 1))
        assert done["figures"]["best_loss"] < done["figures"]["loss_before"]
        [adapter] = client.get("/v1/adapters").json()["adapters"]
        assert (adapter["id"], adapter["rank"], adapter["state"]) == (done["adapter_id"], 4, "checked")
        assert client.get(path).json()["ready"] == 1
    assert children() == []
