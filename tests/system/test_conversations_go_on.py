"""A conversation outlives its server: what was being answered when it was killed is stopped, and the next is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures.scripted_model import Fault, ScriptedModel, scripted_model
from tests.unit.cli.conftest import WordServer

MANUAL = b"# Codes\n\nE-04 means that the water tank is empty. Fill it and press OK.\n"
ANSWER = "E-04 means that the water tank is empty."


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with scripted_model(ANSWER) as running:
        yield running


@pytest.fixture
def server(tmp_path: Path, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[WordServer]:
    monkeypatch.setenv("MQA_LLM_BASE_URL", model.base_url)
    (tmp_path / "data").mkdir()
    started = WordServer(tmp_path / "data")
    yield started
    for process in started.processes:
        process.kill()
        process.wait(30)


def until(condition: Any) -> None:  # noqa: ANN401 - anything that is true in the end
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def ask_and_be_cut_off(url: str, token: str, conversation: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    with pytest.raises(httpx.TransportError), httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        client.post(f"/v1/conversations/{conversation}/ask", json={"question": "What does E-04 mean?"}, timeout=60)


def test_a_killed_server_leaves_a_stopped_turn(server: WordServer, model: ScriptedModel) -> None:
    server.start()
    with server.client() as client:
        base = client.post("/v1/knowledge-bases", {"name": "codes"})["id"]
        manual = server.folder / "codes.md"
        manual.write_bytes(MANUAL)
        job = client.upload(base, manual, lambda _: None)["job"]
        assert list(client.job_states(job["id"]))[-1]["state"] == "done"
        conversation = client.post(f"/v1/knowledge-bases/{base}/conversations", {})["id"]
        model.fault = Fault.STALL_MIDWAY
        asking = threading.Thread(target=ask_and_be_cut_off, args=(client.url, "token-of-this-run", conversation))
        asking.start()
        until(lambda: model.requests)
        assert client.get(f"/v1/conversations/{conversation}")["turns"][0]["state"] == "running"
        server.kill()
        asking.join(30)
    model.fault = Fault.NONE
    server.start()
    with server.client() as client:
        [turn] = client.get(f"/v1/conversations/{conversation}")["turns"]
        assert (turn["question"], turn["state"], turn["answer"]) == ("What does E-04 mean?", "stopped", None)
        told = dict(client.events(f"/v1/conversations/{conversation}/ask", {"question": "What does E-04 mean?"}))
        assert told["done"]["text"] == ANSWER
