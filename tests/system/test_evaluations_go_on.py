"""An evaluation outlives its server: killed or stopped halfway, every question has one record in the end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.catalogue.folder import DataFolder
from app.settings import child_environment
from tests.fixtures.scripted_model import ScriptedModel, scripted_model

QUESTIONS, HELD = 8, 3
LONGEST_STOP_SECONDS = 45.0
MANUAL = b"# Codes\n\nE-04 means that the water tank is empty. Fill it and press OK.\n"
SETTINGS = {"MQA_PORT": "0", "MQA_MIN_FREE_DISK_MB": "0", "MQA_THRESHOLD": "0.1", "MQA_SHUTDOWN_SECONDS": "5"}


class HoldingModel:
    """Answers as the manual does; its `HELD`-th question waits until `opened`, and tells that it has come."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.arrived, self.opened = threading.Event(), threading.Event()

    def __call__(self, request: dict[str, Any]) -> str:
        [number] = re.findall(r"Question (\d+):", request["messages"][-1]["content"])
        self.asked.append(int(number))
        if int(number) == HELD and not self.opened.is_set():
            self.arrived.set()
            self.opened.wait(60)
        return "E-04 means that the water tank is empty."


@contextmanager
def a_server(folder: Path, model: ScriptedModel) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """The server on the folder, ready; it is killed at the end of the block where it still runs."""
    environment = child_environment(MQA_DATA_DIR=str(folder), **SETTINGS)
    command = [sys.executable, "-m", "tests.fixtures.evaluation_server", model.base_url]
    with (folder.parent / "output.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: (note := DataFolder(folder).note()) is not None and note.pid == process.pid)
        note = DataFolder(folder).note()
        assert note is not None
        headers = {"Authorization": f"Bearer {note.token}"}
        with httpx.Client(base_url=note.url, headers=headers, timeout=60, trust_env=False) as client:
            until(lambda: client.get("/readyz").status_code == 200)
            yield process, client
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def started(client: httpx.Client) -> str:
    """The path of an evaluation of `QUESTIONS` questions on a knowledge base with one manual."""
    base = client.post("/v1/knowledge-bases", json={"name": "codes"}).json()["id"]
    client.post(f"/v1/knowledge-bases/{base}/documents", params={"name": "codes.md"}, content=MANUAL)
    until(lambda: client.get(f"/v1/knowledge-bases/{base}").json()["ready"] == 1)
    lines = [json.dumps({"id": f"q{n}", "question": f"Question {n}: what does E-04 mean?"}) for n in range(QUESTIONS)]
    body = {"knowledge_base_id": base, "question_set_name": "codes", "questions": "\n".join(lines)}
    answer = client.post("/v1/evaluations", json=body)
    assert answer.status_code == 202, answer.text
    return f"/v1/evaluations/{answer.json()['id']}"


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_an_evaluation_goes_on_where_its_server_ended(tmp_path: Path, end: signal.Signals) -> None:
    said = HoldingModel()
    folder = tmp_path / "data"
    with scripted_model(said) as model:
        with a_server(folder, model) as (process, client):
            path = started(client)
            assert said.arrived.wait(60)
            assert client.get(f"{path}/run").json()["records"][-1]["index"] == HELD - 1
            began = time.monotonic()
            process.send_signal(end)
            assert process.wait(30) == (-signal.SIGKILL if end is signal.SIGKILL else 0)
            assert time.monotonic() - began < LONGEST_STOP_SECONDS
        asked_before = Counter(said.asked)
        said.opened.set()
        with a_server(folder, model) as (_, client):
            until(lambda: client.get(f"{path}/run").json()["finished_at"] is not None)
            run = client.get(f"{path}/run").json()
    assert asked_before == Counter(range(HELD + 1))
    assert [record["index"] for record in run["records"]] == list(range(QUESTIONS))
    assert not any(record.get("error") for record in run["records"])
    assert {number for number, times in Counter(said.asked).items() if times > 1} == {HELD}
    assert set(said.asked) == set(range(QUESTIONS))
