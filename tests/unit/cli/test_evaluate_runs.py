"""Evaluations from the command line, against a real server without weights and a model that says what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.scripted_model import ScriptedModel, scripted_model
from tests.unit.cli.conftest import Manualqa, WordServer

MANUAL = "# Pump P-77\n\nThe pump P-77 needs 24 V.\n\nThe pump P-77 weighs 3 kg.\n"
QUESTIONS: list[dict[str, Any]] = [
    {"id": "volts", "question": "Which voltage does the pump P-77 need?", "answers": ["24 V"]},
    {"id": "weight", "question": "What does the pump P-77 weigh?", "answers": ["3 kg"]},
    {"id": "price", "question": "What is the price of the pump P-77?", "answerable": False},
]
PAGES = {"volts": ["pump#p1"], "weight": ["pump#p1"]}
ANSWERS = {"voltage": "The pump P-77 needs 24 V.", "weigh": "The pump P-77 weighs 3 kg."}
REFUSAL = "Not stated in the manuals."

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


@pytest.mark.usefixtures("pumps")
def test_a_run_writes_its_report_and_passes_the_gate(manualqa: Manualqa, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = manualqa(
        "eval", "run", str(a_set(tmp_path)), "--kb", "pumps", "--out", str(out), "--fail-under", "answer_accuracy=0.9"
    )
    assert outcome.code == 0, outcome
    assert sorted(path.name for path in out.iterdir()) == ["questions.csv", "report.html", "run.json"]
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert [record["question"]["id"] for record in run["records"]] == ["volts", "weight", "price"]
    assert run["records"][2]["refused"]


@pytest.mark.usefixtures("pumps")
def test_an_unmet_condition_has_an_exit_code_of_its_own(manualqa: Manualqa, tmp_path: Path) -> None:
    wrong = [{**QUESTIONS[0], "answers": ["230 V"]}, *QUESTIONS[1:]]
    condition = ("--fail-under", "answer_accuracy=0.9", "--fail-under", "refusal_recall=1")
    outcome = manualqa(
        "eval", "run", str(a_set(tmp_path, wrong)), "--kb", "pumps", "--out", str(tmp_path / "out"), *condition
    )
    assert outcome.code == 6
    assert "answer_accuracy" in outcome.err
    assert "refusal_recall" not in outcome.err
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.usefixtures("pumps")
def test_a_broken_set_is_told_by_line_before_anything_starts(manualqa: Manualqa, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text(
        '{"question": "How heavy?"}\n{"question": "Why?", "answerable": "perhaps"}\nnot json\n', encoding="utf-8"
    )
    outcome = manualqa("eval", "run", str(broken), "--kb", "pumps")
    assert outcome.code == 1
    assert "line 2" in outcome.err
    assert "line 3" in outcome.err
    assert json.loads(manualqa("eval", "list", "--json").out)["evaluations"] == []


@pytest.mark.usefixtures("pumps")
def test_compare_names_what_changed(manualqa: Manualqa, tmp_path: Path) -> None:
    before, after = tmp_path / "a", tmp_path / "b"
    for out, questions in ((before, [{**QUESTIONS[0], "answers": ["230 V"]}, *QUESTIONS[1:]]), (after, QUESTIONS)):
        assert manualqa("eval", "run", str(a_set(tmp_path, questions)), "--kb", "pumps", "--out", str(out)).code == 0
    runs = (str(before / "run.json"), str(after / "run.json"))
    page = tmp_path / "compared.html"
    outcome = manualqa("eval", "compare", *runs, "--out", str(page))
    assert outcome.code == 0
    assert page.read_text(encoding="utf-8").startswith("<!")


@pytest.mark.usefixtures("pumps")
def test_runs_are_listed_shown_and_deleted(manualqa: Manualqa, tmp_path: Path) -> None:
    started = manualqa("eval", "run", str(a_set(tmp_path)), "--kb", "pumps", "--detach", "--json")
    assert started.code == 0
    run_id = json.loads(started.out)["evaluation"]["id"]
    assert manualqa("eval", "watch", run_id, "--out", str(tmp_path / "out")).code == 0
    assert run_id in manualqa("eval", "list", "--kb", "pumps").out
    assert json.loads(manualqa("eval", "show", run_id, "--json").out)["state"] == "done"
    assert manualqa("eval", "delete", run_id).code == 0
    assert manualqa("eval", "show", run_id).code != 0


@pytest.mark.usefixtures("pumps")
def test_a_folder_of_manuals_makes_a_base_for_one_run(manualqa: Manualqa, tmp_path: Path) -> None:
    manuals = a_manual(tmp_path / "manuals")
    options = ("--pdfs", str(manuals), "--out", str(tmp_path / "out"), "--retrieval-only")
    outcome = manualqa("eval", "run", str(a_set(tmp_path)), *options)
    assert outcome.code == 0, outcome
    run = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert run["records"][0]["found"][0]["document"] == "pump.md"
    bases = json.loads(manualqa("bases", "list", "--json").out)
    assert [base["name"] for base in bases["knowledge_bases"]] == ["pumps"]


@pytest.mark.usefixtures("pumps")
def test_calibration_is_made_shown_and_forgotten(manualqa: Manualqa, tmp_path: Path) -> None:
    made = manualqa("eval", "calibrate", str(a_set(tmp_path)), "--kb", "pumps", "--json")
    assert made.code == 0, made
    assert json.loads(made.out)["target"] == {"kind": "false_refusals", "most": 0.05}
    shown = manualqa("eval", "calibrate", "--kb", "pumps", "--show")
    assert shown.code == 0
    assert "threshold" in shown.out
    assert manualqa("eval", "calibrate", "--kb", "pumps", "--clear").code == 0
    assert manualqa("eval", "calibrate", "--kb", "pumps", "--show").code != 0


@pytest.mark.usefixtures("pumps")
def test_a_starter_set_that_nothing_was_drafted_for_is_told(manualqa: Manualqa, tmp_path: Path) -> None:
    out = tmp_path / "drafts.jsonl"
    outcome = manualqa("eval", "init", "--kb", "pumps", "--out", str(out), "--count", "2")
    assert outcome.code == 1, "a manual of three lines has nothing to ask about"
    assert not out.exists()
    assert outcome.err or outcome.out
