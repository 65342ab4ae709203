"""Adapters from the command line, against a real server without weights and a model that says what it is told."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.adapters import an_adapter
from tests.fixtures.scripted_model import ScriptedModel, scripted_model
from tests.unit.cli.conftest import Manualqa, WordServer
from tests.unit.cli.test_evaluate_runs import QUESTIONS, REFUSAL, a_manual, a_set
from tests.unit.cli.test_evaluate_runs import say as knows_all


def knows_volts(request: dict[str, Any]) -> str:
    return knows_all(request) if "voltage" in request["messages"][-1]["content"].splitlines()[-1] else REFUSAL


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedModel]:
    def say(request: dict[str, Any]) -> str:
        return knows_all(request) if request["model"].startswith("ad-") else knows_volts(request)

    with scripted_model(say) as running:
        monkeypatch.setenv("MQA_LLM_BASE_URL", running.base_url)
        yield running


@pytest.mark.usefixtures("model")
def test_an_adapter_from_import_to_retirement(manualqa: Manualqa, word_server: WordServer, tmp_path: Path) -> None:
    word_server.start()
    assert manualqa("ingest", "--kb", "pumps", str(a_manual(tmp_path / "in"))).code == 0
    folder = an_adapter(tmp_path / "house style")

    taken = manualqa("adapters", "import", str(folder), "--prompt", "short", "--json")
    assert taken.code == 0, taken
    adapter = taken.json()["id"]
    assert (taken.json()["name"], taken.json()["prompt"]) == ("house style", "short")
    bad = manualqa("adapters", "import", str(an_adapter(tmp_path / "bad", r=4096)))
    assert bad.code == 1
    assert "4096" in bad.err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no adapter" in manualqa("adapters", "import", str(empty)).err
    assert "house style" in manualqa("adapters", "list").out
    assert "house style" in manualqa("adapters", "show", "no such").err
    assert adapter in manualqa("adapters", "show", "house style").out

    question = "What does the pump P-77 weigh?"
    assert manualqa("ask", question, "--adapter", "house style").code == 1, "it is not hosted yet"
    assert "hosted" in manualqa("adapters", "host", "house style").out
    assert manualqa("ask", question, "--adapter", "house style", "--json").json()["adapter"] == adapter
    assert manualqa("ask", question, "--adapter", "base").code == 3
    assert manualqa("ask", question).code == 3

    assert "proof" in manualqa("adapters", "promote", "house style").err
    questions = a_set(tmp_path, QUESTIONS)
    proved = manualqa("adapters", "prove", "house style", "--questions", str(questions), "--json")
    assert proved.code == 0, proved
    accuracy = next(found for found in proved.json()["differences"] if found["metric"] == "answer_accuracy")
    assert (accuracy["before"]["value"], accuracy["after"]["value"]) == (0.5, 1.0)
    out = ("--out", str(tmp_path / "report"))
    evaluated = manualqa("eval", "run", str(questions), "--kb", "pumps", "--adapter", "house style", *out)
    assert evaluated.code == 0, evaluated
    run = json.loads((tmp_path / "report" / "run.json").read_text(encoding="utf-8"))
    assert (run["settings"]["adapter"], run["records"][0]["adapter"]) == (adapter, adapter)

    promoted = manualqa("adapters", "promote", "house style", "--share", "100", "--reason", "more answers")
    assert promoted.code == 0, promoted
    assert "pumps is answered by house style." in promoted.out
    assert manualqa("ask", question).code == 0
    assert manualqa("adapters", "retire", "house style").code == 1
    status = manualqa("adapters", "status", "--kb", "pumps")
    assert "more answers" in status.out
    back = manualqa("adapters", "rollback", "--reason", "complaints", "--json")
    assert (back.json()["adapter_id"], back.json()["present"]["kind"]) == (None, "rollback")
    assert "is answered by the base model" in manualqa("adapters", "status").out
    assert manualqa("ask", question).code == 3

    file = tmp_path / "out.zip"
    assert manualqa("adapters", "export", adapter, "--out", str(file)).code == 0
    with zipfile.ZipFile(file) as archive:
        assert len(archive.namelist()) == 2
    again = manualqa("adapters", "import", str(file), "--name", "again", "--json").json()
    assert (again["sha256"], again["prompt"]) == (taken.json()["sha256"], "short")
    assert "checked" in manualqa("adapters", "unhost", adapter).out
    assert "retired" in manualqa("adapters", "retire", adapter).out
    assert manualqa("adapters", "export", adapter, "--out", str(tmp_path / "none.zip")).code == 1
    assert not list(tmp_path.glob("none.zip*"))
