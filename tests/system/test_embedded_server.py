"""The real server as a user starts it: real embedder, real model (the small one), the sample manuals, over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pypdfium2
import pytest

from app.cli.client import Client
from app.settings import child_environment
from eval.bench.retrieval import rank_of
from eval.bench.server import Server, filled_base, running_server
from eval.matching import is_right
from eval.question_sets import read
from eval.ranking import hit_at

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL = "qwen2.5-coder-0.5b-instruct"
ZH, EN = "kestrim-chengjing-zh.pdf", "kestrim-pavo-en.pdf"
EASY = [
    ("KD-30A 的额定功率是多少？", ZH, "420 W"),
    ("KD-50B 的额定功率是多少？", ZH, "690 W"),
    ("错误代码 F-04 表示什么？", ZH, "制冷剂不足或泄漏"),
    ("What does the error E-05 mean?", EN, "too hot"),
    ("Which part code does the 1.4 L water tank of the KE-210 have?", EN, "KP-1014"),
]

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("system") / "data"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with running_server(folder, model=MODEL) as running:
        yield running


@pytest.fixture(scope="module")
def sample(server: Server) -> str:
    return filled_base(server.client, "sample", sorted((EXAMPLES / "manuals").glob("*.pdf")))


def run_cli(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *arguments]
    environment = child_environment(MQA_DATA_DIR=str(folder), MQA_LANGUAGE="en", **settings)
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)


def page_text(name: str, page: int) -> str:
    document = pypdfium2.PdfDocument(EXAMPLES / "manuals" / name)
    try:
        return "".join(document[page - 1].get_textpage().get_text_range().split())
    finally:
        document.close()


def ask(client: Client, base: str, question: str) -> dict[str, Any]:
    return client.post(f"/v1/knowledge-bases/{base}/ask", {"question": question})


def test_answers_are_right_more_often_than_not_and_always_proved_by_their_page(server: Server, sample: str) -> None:
    """The small model errs, and is then refused or corrected by the check; what is shown is always in the manual."""
    right = 0
    for question, document, stated in EASY:
        answer = ask(server.client, sample, question)
        assert answer["mode"] in ("generated", "refused"), answer
        assert answer["refused"] == (not answer["citations"])
        for citation in answer["citations"]:
            assert "".join(citation["quote"].split()) in page_text(citation["document_name"], citation["page"])
        cited = {citation["document_name"] for citation in answer["citations"]}
        right += is_right(answer["text"], [stated]) and document in cited
    assert right > len(EASY) / 2


def test_what_no_manual_says_is_refused(server: Server, sample: str) -> None:
    answer = ask(server.client, sample, "Who won the football world cup in 1998?")
    assert (answer["refused"], answer["citations"]) == (True, [])
    assert answer["reason"] in ("below_threshold", "not_in_manuals", "not_grounded")


def test_the_right_page_is_among_the_first_five(server: Server, sample: str) -> None:
    questions = [q for q in read(EXAMPLES / "questions.jsonl").questions if q.answerable]
    ranks = [rank_of(server.client, sample, question) for question in questions]
    assert hit_at(ranks, 5) >= 0.9


def test_events_stream_while_the_model_writes(server: Server, sample: str) -> None:
    body = {"question": EASY[0][0], "stream": True}
    names = [event for event, _ in server.client.events(f"/v1/knowledge-bases/{sample}/ask", body)]
    assert names[0] == "sources"
    assert names[-1] == "done"
    assert names.count("token") >= 2


def test_the_command_line_answers_with_exit_codes(server: Server, sample: str, folder: Path) -> None:  # noqa: ARG001
    asked = run_cli(folder, "ask", "--kb", "sample", "--json", EASY[0][0])
    assert asked.returncode == 0, asked.stdout
    assert "420 W" in json.loads(asked.stdout)["text"]
    refused = run_cli(folder, "ask", "--kb", "sample", "Who won the football world cup in 1998?")
    assert refused.returncode == 3, refused.stdout
    unknown = run_cli(folder, "search", "--kb", "nope", "x")
    assert unknown.returncode == 1
    assert "sample" in unknown.stderr
    wrong_key = run_cli(folder, "search", "--kb", "sample", "x", MQA_API_KEY="mqa_wrong")
    assert wrong_key.returncode == 5
    assert "not valid" in wrong_key.stderr


def test_ingest_from_the_command_line(server: Server, folder: Path, tmp_path: Path) -> None:  # noqa: ARG001
    (tmp_path / "pump.md").write_text("# Pump\n\nThe pump P-77 needs 24 V.\n", encoding="utf-8")
    (tmp_path / "blank.txt").write_text("\n", encoding="utf-8")
    loaded = run_cli(folder, "ingest", "--json", "--kb", "pumps", str(tmp_path))
    states = {Path(entry["file"]).name: entry for entry in json.loads(loaded.stdout)["documents"]}
    assert states["pump.md"]["state"] == "ready"
    assert states["blank.txt"]["error"]["code"] == "no_text"
    assert loaded.returncode == 1
    found = run_cli(folder, "search", "--kb", "pumps", "--json", "Which voltage does P-77 need?")
    assert "24 V" in json.loads(found.stdout)["hits"][0]["chunk"]["text"]


def test_a_second_server_on_the_folder_is_told_who_has_it(server: Server, folder: Path) -> None:
    second = run_cli(folder, "serve", "--port", "0")
    assert second.returncode == 1
    assert str(server.process.pid) in second.stderr
    assert "MQA_DATA_DIR" in second.stderr


def test_a_taken_port_is_said(server: Server, tmp_path: Path) -> None:
    port = httpx.URL(server.client.url).port
    refused = run_cli(tmp_path / "other", "serve", "--port", str(port))
    assert refused.returncode == 1
    assert f":{port} is in use" in refused.stderr


def test_missing_weights_are_said_with_what_to_do(tmp_path: Path) -> None:
    refused = run_cli(tmp_path / "data", "serve", "--port", "0", MQA_MODELS_DIR=str(tmp_path / "none"))
    assert refused.returncode == 1
    assert "manualqa models pull" in refused.stderr


def test_no_server_is_said(tmp_path: Path) -> None:
    asked = run_cli(tmp_path, "ask", "x")
    assert asked.returncode == 4
    assert "manualqa serve" in asked.stderr


def test_secrets_and_questions_are_not_in_the_logs(server: Server, sample: str, folder: Path) -> None:
    ask(server.client, sample, "Zyxomma purple question about nothing?")
    logs = "".join(path.read_text(errors="replace") for path in (folder / "logs").glob("server.log*"))
    assert "searched" in logs
    assert "Zyxomma" not in logs
    assert "mqa_" not in logs


def test_a_dead_model_server_means_extracts_until_it_is_back(server: Server, sample: str) -> None:
    children = psutil.Process(server.process.pid).children(recursive=True)
    engine = next(child for child in children if "engine_child" in " ".join(child.cmdline()))
    engine.send_signal(signal.SIGKILL)
    engine.wait(10)
    answer = ask(server.client, sample, "What does the error E-05 mean?")
    assert (answer["mode"], answer["refused"]) == ("extractive", False), answer
    assert answer["degraded"]
    assert "E-05" in answer["text"]
    deadline = time.monotonic() + 60
    while server.client.ready()["status"] != "ready" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert ask(server.client, sample, "What does the error E-05 mean?")["mode"] != "extractive"


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)])
def test_a_stopped_server_goes_on_where_it_was(tmp_path: Path, stop: signal.Signals, code: int) -> None:
    folder = tmp_path / "data"
    with running_server(folder) as first:
        base = first.client.post("/v1/knowledge-bases", {"name": "sample"})["id"]
        job = first.client.upload(base, EXAMPLES / "manuals" / EN, lambda _: None)["job"]
        os.kill(first.process.pid, stop)
        assert first.process.wait(30) == code
    with running_server(folder) as second:
        last = list(second.client.job_states(job["id"]))[-1]
        assert (last["state"], last["error"]) == ("done", None)
        hits = second.client.post(f"/v1/knowledge-bases/{base}/search", {"question": "E-05"})["hits"]
        identities = [hit["chunk"]["id"] for hit in hits]
        assert identities
        assert len(identities) == len(set(identities))
        second.process.terminate()
        assert second.process.wait(30) == 0
    assert not (folder / "server.json").exists()
