"""The command lines of docker-compose.yml as processes: `init`, the model server on its own, and a server that asks it.

The stores are the embedded ones; keys come from the files that `init` wrote, as they do in containers.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.catalogue.folder import DataFolder
from app.cli.client import Client
from app.settings import child_environment
from eval.bench.server import filled_base
from tests.deploy.compose import ROOT, services
from tests.fixtures.waiting import wait_for

MODEL = "qwen2.5-coder-0.5b-instruct"
EXAMPLES = ROOT / "examples"
SERVICES = services()

pytestmark = [pytest.mark.weights, pytest.mark.timeout(900)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def manualqa(words: list[str], **settings: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "app.cli", *words]
    return subprocess.Popen(command, env=child_environment(MQA_LANGUAGE="en", **settings), cwd=ROOT)


def stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(60)


@dataclass
class Deployed:
    """A model server, a server that asks it, and the secrets of both."""

    secrets: Path
    model_port: int
    url: str
    model: subprocess.Popen[bytes]

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text(encoding="utf-8").strip()

    def get(self, path: str, key: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers={"Authorization": f"Bearer {self.secret(key)}"}, timeout=60)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("deployed")
    secrets, data = folder / "secrets", folder / "data"
    assert manualqa(["init", str(secrets)]).wait(120) == 0
    (secrets / "mqa_database_url").unlink()  # there is no such server here: the catalogue is in the data folder
    port = free_port()
    words = ["--host", "127.0.0.1", "--port", str(port)]
    shared = {"MQA_SECRETS_DIR": str(secrets), "MQA_LLM_MODEL": MODEL}
    model = manualqa([SERVICES["model-server"]["command"][0], *words], **shared, MQA_LLM_THREADS="1")
    server = manualqa(
        [SERVICES["api"]["command"][0], "--port", "0"],
        **shared,
        MQA_DATA_DIR=str(data),
        MQA_LLM_BASE_URL=f"http://127.0.0.1:{port}/v1",
        MQA_LLM_FIRST_TOKEN_SECONDS="580",  # its first prompt is read at the pace that a busy machine allows
        MQA_LLM_TOTAL_SECONDS="590",
        MQA_CONTEXT_TOKENS="200",
    )
    try:
        assert wait_for(lambda: DataFolder(data).note() is not None or server.poll() is not None, 180)
        note = DataFolder(data).note()
        assert note is not None, server.returncode
        assert wait_for(lambda: httpx.get(f"{note.url}/readyz", timeout=60).json()["status"] == "ready", 180)
        yield Deployed(secrets, port, note.url, model)
    finally:
        ended = [stop(server), stop(model)]
    assert ended == [0, 0]


def test_a_question_is_answered_by_the_model_server(deployed: Deployed) -> None:
    with Client(deployed.url, deployed.secret("mqa_first_key"), "en", timeout_seconds=600) as client:
        base = filled_base(client, "sample", sorted((EXAMPLES / "manuals").glob("*zh.pdf")))
        answer = client.post(f"/v1/knowledge-bases/{base}/ask", {"question": "KD-30A 的额定功率是多少？"})
    assert answer["mode"] == "generated", answer
    assert "420 W" in answer["text"]
    assert answer["citations"]


def test_the_model_server_wants_its_key(deployed: Deployed) -> None:
    url = f"http://127.0.0.1:{deployed.model_port}"
    body = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 1}
    assert httpx.get(f"{url}/health", timeout=60).status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=60).status_code == 401


def test_the_metrics_key_reads_metrics_and_nothing_else(deployed: Deployed) -> None:
    text = deployed.get("/metrics", "mqa_metrics_key").text
    assert 'manualqa_part_ready{part="model"} 1.0' in text
    assert deployed.get("/v1/knowledge-bases", "mqa_metrics_key").status_code == 401
    assert deployed.get("/v1/keys", "mqa_first_key").status_code == 200
    assert httpx.get(f"{deployed.url}/metrics", timeout=60).status_code == 401


def test_its_healthcheck_is_that_of_the_container(deployed: Deployed) -> None:
    for service, url in (
        ("api", f"{deployed.url}/readyz"),
        ("model-server", f"http://127.0.0.1:{deployed.model_port}/health"),
    ):
        program, named, at = SERVICES[service]["healthcheck"]["test"]
        assert (program, named) == ("CMD", "healthcheck")
        assert at.rpartition("/")[2] == url.rpartition("/")[2]
        check = [sys.executable, str(ROOT / "deploy" / "container" / "healthcheck"), url]
        assert subprocess.run(check, timeout=60, check=False).returncode == 0


def test_a_model_server_on_a_taken_port_says_so(deployed: Deployed) -> None:
    second = manualqa(
        ["model-server", "--port", str(deployed.model_port)],
        MQA_SECRETS_DIR=str(deployed.secrets),
        MQA_LLM_MODEL=MODEL,
    )
    assert second.wait(120) == 1
