"""Evaluations from the command line, against a real server without weights and a model that says what it is told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.settings import child_environment, load_settings
from tests.fixtures.scripted_model import Fault, ScriptedModel, scripted_model
from tests.unit.cli.conftest import Manualqa, WordServer

MANUAL = "# Pump P-77\n\nThe pump P-77 needs 24 V.\n\nThe pump P-77 weighs 3 kg.\n"
QUESTIONS: list[dict[str, Any]] = [
    {"id": "volts", "question": "Which voltage does the pump P-77 need?", "answers": ["24 V"]},
    {"id": "weight", "question": "What does the pump P-77 weigh?", "answers": ["3 kg"]},
    {"id": "price", "question": "What is the price of the pump P-77?", "answerable": False},
]
PAGES = {"volts": ["pump#p1"], "weight": ["pump#p1"]}
ANSWERS = {"voltage": "The pump P-77 needs 24 V. [1]", "weigh": "The pump P-77 weighs 3 kg. [1]"}
REFUSAL = "NOT_IN_MANUALS"

Loaded = Callable[..., ScriptedModel]


def a_set(folder: Path, questions: list[dict[str, Any]] = QUESTIONS) -> Path:
    path = folder / "pumps.jsonl"
    lines = [json.dumps({"relevant_pages": [["pump.md", 1]] if q.get("answers") else [], **q}) for q in questions]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def a_manual(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "pump.md").write_text(MANUAL, encoding="utf-8")
    return folder


def say(request: dict[str, Any]) -> str:
    """What a model that has read the manual says to the last question."""
    asked = request["messages"][-1]["content"]
    return next(
        (
            answer
            for word, answer in ANSWERS.items()
            if word in asked.rsplit("\n", 3)[-1] or word in asked.splitlines()[-1]
        ),
        REFUSAL,
    )


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedModel]:
    with scripted_model(say) as running:
        monkeypatch.setenv("MQA_LLM_BASE_URL", running.base_url)
        yield running


@pytest.fixture
def pumps(model: ScriptedModel, word_server: WordServer, manualqa: Manualqa, tmp_path: Path) -> ScriptedModel:
    """A server with the knowledge base "pumps"."""
    word_server.start()
    assert manualqa("ingest", "--kb", "pumps", str(a_manual(tmp_path / "in"))).code == 0
    return model


def test_a_run_writes_its_report_and_passes_the_gate(pumps: ScriptedModel, manualqa: Manualqa, tmp_path: Path) -> None:
    outcome = manualqa(
        "eval",
        "run",
        str(a_set(tmp_path)),
        "--kb",
        "pumps",
        "--out",
        str(tmp_path / "out"),
        "--fail-under",
        "answer_accuracy=0.9",
    )
    print(outcome)
    print(pumps.requests[-1]["messages"][-1])
    assert outcome.code == 0
