"""No secret of the settings gets onto the disk or into what the server prints, though endpoints say them aloud."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.catalogue.folder import DataFolder
from app.cli.logs import Masking
from app.settings import Settings, child_environment
from tests.fixtures.waiting import wait_for
from tests.unit.cli.conftest import ROOT

WORD = "zebrafinch"
PASSWORD = f"{WORD}-password/with:marks@and%"
KEYS = {
    "MQA_LLM_API_KEY": f"{WORD}-llm-key",
    "MQA_EMBEDDER_API_KEY": f"{WORD}-embedder-key",
    "MQA_JUDGE_API_KEY": f"{WORD}-judge-key",
    "MQA_METRICS_KEY": f"{WORD}-metrics-key".ljust(40, "x"),
    "MQA_FIRST_KEY": f"{WORD}-first-key".ljust(40, "x"),
    "MQA_S3_ACCESS_KEY_ID": f"{WORD}accesskey",
    "MQA_S3_SECRET_ACCESS_KEY": f"{WORD}-s3-secret",
}


class _Echo(BaseHTTPRequestHandler):
    """Refuses every request, and repeats all that it was sent."""

    def _refuse(self) -> None:
        said = f"refused: {self.headers.as_string()} {self.path}".replace("\\", "").replace('"', "'").replace("\n", " ")
        said = said.replace("\r", " ").replace("\t", " ")
        body = f'{{"error": {{"message": "{said}", "type": "auth", "code": "no"}}}}'.encode()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(400, "Bad Request")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = _refuse  # noqa: N815 - names of the standard library

    def log_message(self, *_: object) -> None:
        """Says nothing on the terminal."""


@contextmanager
def echo() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_server_whose_endpoints_repeat_their_keys_writes_none_down(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with echo() as url, (tmp_path / "printed").open("wb") as printed:
        settings = {
            "MQA_DATA_DIR": str(folder),
            "MQA_PORT": "0",
            "MQA_LOG_LEVEL": "debug",
            "MQA_LLM_BASE_URL": f"{url}/v1",
            "MQA_EMBEDDER_BASE_URL": f"{url}/v1",
            "MQA_JUDGE_BASE_URL": f"{url}/v1",
            "MQA_JUDGE_MODEL": "judge",
            "MQA_BLOB_STORE": "s3",
            "MQA_S3_ENDPOINT": url,
            "MQA_S3_BUCKET": "originals",
            **KEYS,
        }
        command = [sys.executable, "-m", "app.cli", "serve"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=child_environment(**settings), stdout=printed, stderr=printed, start_new_session=True
        )
        try:
            log = folder / "logs" / "server.log"
            assert wait_for(lambda: log.exists() and "embedder_failed" in log.read_text(errors="replace"), 90), (
                tmp_path / "printed"
            ).read_text()
            assert DataFolder(folder).note() is not None or process.poll() is None
        finally:
            process.kill()
            process.wait(30)
        assert "[secret]" in log.read_text(errors="replace")  # it was said, and masked
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files if WORD.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    "settings",
    [
        {"MQA_DATABASE_URL": f"postgresql://user:{WORD}-password@127.0.0.1:9/manuals"},
        {"MQA_DATABASE_URL": f"mysql://user:{WORD}-password@127.0.0.1:9/manuals"},
        {"MQA_FIRST_KEY": f"{WORD}-short"},
    ],
    ids=["database-away", "database-of-another-kind", "key-too-short"],
)
def test_what_keeps_a_server_from_starting_is_said_without_its_secret(tmp_path: Path, settings: dict[str, str]) -> None:
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]
    endpoint = {"MQA_EMBEDDER_BASE_URL": "http://127.0.0.1:9/v1", "MQA_LLM_BASE_URL": "http://127.0.0.1:9/v1"}
    environment = child_environment(MQA_DATA_DIR=str(tmp_path / "data"), MQA_LOG_LEVEL="debug", **endpoint, **settings)
    refused = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert refused.returncode != 0
    assert refused.stderr.strip()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    written = "".join(path.read_text(errors="replace") for path in files)
    assert WORD not in refused.stdout + refused.stderr + written


def test_a_secret_is_masked_in_each_form_that_lines_have_it_in() -> None:
    settings = Settings(
        database_url=SecretStr("postgresql://user:pass%20word@db/manuals"), llm_api_key=SecretStr(PASSWORD)
    )
    masking = Masking(settings)

    def line(text: str) -> str:
        return masking.format(logging.LogRecord("x", logging.INFO, "x", 1, text, None, None))

    for said in (
        PASSWORD,
        PASSWORD.replace("/", "%2F").replace(":", "%3A").replace("@", "%40").replace("and%", "and%25"),
    ):
        assert line(f"sent {said} there") == "sent [secret] there"
    assert "pass%20word" not in line("could not connect to postgresql://user:pass%20word@db/manuals")
    assert "pass%20word" not in line("user pass%20word")
    assert line("Authorization: Bearer mqa_abcdefghijklmnopqrstuvwxyz") == "Authorization: Bearer [secret]"
    assert line("mqa_models_dir stays, and so does the rest") == "mqa_models_dir stays, and so does the rest"
