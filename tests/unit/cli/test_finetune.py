"""Trainings from the command line, against a real server whose process of training follows a script."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.catalogue.folder import DataFolder
from app.errors import ServerNotRunning
from app.settings import child_environment
from tests.fixtures.codes import MANUAL, pairs
from tests.fixtures.lora import Shape, a_lora
from tests.fixtures.tiny_chat_model import a_tiny_base
from tests.unit.cli.conftest import ROOT, Manualqa, WordServer

TINY = Shape(layers=2, hidden=64, key_values=32, inner=128)
ROOMY = ("--max-tokens", "4096")


@pytest.fixture
def codes(word_server: WordServer, manualqa: Manualqa, tmp_path: Path) -> Iterator[Path]:
    """A server with the knowledge base "codes", and a file of pairs; `tmp_path / "script.json"` scripts the process."""
    base = a_tiny_base(tmp_path / "tiny-base")
    lora = a_lora(tmp_path / "lora", TINY, rank=4, base_model_name_or_path="tiny-base")
    script = {"steps": 4, "every": 2, "adapter": str(lora)}
    (tmp_path / "script.json").write_text(json.dumps(script), encoding="utf-8")
    environment = child_environment(
        MQA_DATA_DIR=str(word_server.folder),
        MQA_ADAPTER_BASE=str(base.folder),
        MQA_MAX_ADAPTER_MB="5",
        MQA_MIN_FREE_DISK_MB="0",
        MQA_THRESHOLD="0.1",
        MQA_OCR="false",
    )
    command = [sys.executable, "-m", "tests.faults.run_trainings", str(tmp_path)]
    with (tmp_path / "out.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=environment)
    word_server.processes.append(process)
    _wait(word_server, process)
    manual = tmp_path / "codes.md"
    manual.write_text(MANUAL, encoding="utf-8")
    assert manualqa("ingest", "--kb", "codes", str(manual)).code == 0
    file = tmp_path / "answers.jsonl"
    file.write_text(pairs(), encoding="utf-8")
    return file


def _wait(server: WordServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        note = DataFolder(server.folder).note()
        if note is not None and note.pid == process.pid:
            with suppress(ServerNotRunning), server.client() as client:
                if client.ready()["status"] != "starting":
                    return
        time.sleep(0.05)
    raise AssertionError("the server did not get ready")


def test_a_training_from_its_pairs_to_its_adapter(codes: Path, manualqa: Manualqa, tmp_path: Path) -> None:
    looked = manualqa("finetune", "prepare", str(codes), "--kb", "codes", *ROOMY)
    assert looked.code == 0, looked
    assert "19 pairs: " in looked.out
    assert "The loss covers only this:" in looked.out
    assert "Quote: E-" in looked.out
    data = manualqa("finetune", "prepare", str(codes), "--kb", "codes", *ROOMY, "--json").json()
    assert data["pairs"] == 19
    cost = manualqa("finetune", "estimate", str(codes), "--kb", "codes", *ROOMY, "--rank", "4")
    assert cost.code == 0, cost
    assert "It fits on this machine." in cost.out
    assert manualqa("finetune", "list", "--json").json() == {"jobs": []}

    run = manualqa(
        "finetune", "run", str(codes), "--kb", "codes", *ROOMY, "--rank", "4", "--name", "Service answers", "--watch"
    )
    assert run.code == 0, run
    assert "Adapter ad-" in run.out
    assert "Held-out loss 2.000 -> 0.400" in run.out
    [job] = manualqa("finetune", "list", "--kb", "codes", "--json").json()["jobs"]
    assert (job["name"], job["state"], job["config"]["rank"]) == ("Service answers", "done", 4)
    shown = manualqa("finetune", "show", job["id"])
    assert "step 2/4: held-out 0.667" in shown.out
    again = manualqa("finetune", "resume", job["id"])
    assert (again.code, "nothing to resume" in again.err) == (1, True)

    script = json.loads((tmp_path / "script.json").read_text(encoding="utf-8"))
    (tmp_path / "script.json").write_text(json.dumps({**script, "fails": "training_diverged"}), encoding="utf-8")
    failing = manualqa("finetune", "run", str(codes), "--kb", "codes", *ROOMY, "--rank", "4", "--json").json()
    failed = manualqa("finetune", "watch", failing["id"])
    assert failed.code == 1
    assert "the loss is not a number any more" in failed.err
    assert f"manualqa finetune resume {failing['id']}" in failed.err
    (tmp_path / "script.json").write_text(json.dumps(script), encoding="utf-8")
    resumed = manualqa("finetune", "resume", failing["id"], "--watch", "--json")
    assert (resumed.code, resumed.json()["state"]) == (0, "done")
    (tmp_path / "script.json").write_text(json.dumps({**script, "hold_at": 3}), encoding="utf-8")
    held = manualqa("finetune", "run", str(codes), "--kb", "codes", *ROOMY, "--rank", "4")
    assert "manualqa finetune watch" in held.err
    newest = manualqa("finetune", "list", "--json").json()["jobs"][0]["id"]
    assert "cancelled" in manualqa("finetune", "cancel", newest).out
    assert manualqa("finetune", "delete", newest, "--json").json() == {"deleted": newest}
    assert len(manualqa("finetune", "list", "--json").json()["jobs"]) == 2


def test_a_broken_file_is_told_by_line_before_anything_starts(codes: Path, manualqa: Manualqa) -> None:
    codes.write_text('{"question": "How?"}\nnot json\n', encoding="utf-8")
    refused = manualqa("finetune", "run", str(codes), "--kb", "codes")
    assert refused.code == 1
    assert "line 2" in refused.err
    codes.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in manualqa("finetune", "estimate", str(codes), "--kb", "codes").err
    assert manualqa("finetune", "list", "--json").json() == {"jobs": []}
