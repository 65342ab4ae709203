"""The local model server's life, with a stand-in child that answers `/health` and dies on command."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.generate import model_server
from app.generate.engine import LocalEngine
from app.generate.model_server import EngineConfig
from app.ports import ModelStatus
from tests.fixtures.waiting import wait_for

CHILD = """
import argparse, http.server, sys
parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
args, _ = parser.parse_known_args()
key = sys.stdin.readline().strip()
print("child output", flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = key.encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", args.port), Handler).serve_forever()
"""


def a_config(folder: Path, *, child: str = CHILD, start_seconds: float = 60.0) -> EngineConfig:
    weights = folder / "model.gguf"
    weights.touch()
    command = (sys.executable, "-c", child)
    return EngineConfig("test-model", weights, folder / "logs", 1024, 1, 1, start_seconds, command=command)


@contextmanager
def running(config: EngineConfig) -> Iterator[LocalEngine]:
    local = LocalEngine(config)
    local.start()
    try:
        yield local
    finally:
        local.stop()


def test_starts_in_the_background_and_stops(tmp_path: Path) -> None:
    with running(a_config(tmp_path)) as local:
        assert local.status().state == "starting"
        assert wait_for(lambda: local.status().state == "ready")
        url, pid = local.base_url, local.pid
        assert url is not None
        sent = httpx.get(url.removesuffix("/v1") + "/health").text
        assert sent == local.api_key
        assert local.api_key not in Path(f"/proc/{pid}/cmdline").read_text()
    assert local.status() == ModelStatus("off", "test-model")
    assert local.base_url is None
    assert local.pid is None
    assert not Path(f"/proc/{pid}").exists()
    assert "child output" in (tmp_path / "logs" / "model.log").read_text()


def test_a_killed_child_is_down_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = threading.Event()
    with running(a_config(tmp_path)) as local:
        assert wait_for(lambda: local.status().state == "ready")
        first = local.pid
        assert first is not None
        pause = local._pause

        def rest(seconds: float) -> None:
            seen.wait(60) if local.status().state == "down" else pause(seconds)  # down until it was looked at

        monkeypatch.setattr(local, "_pause", rest)
        os.kill(first, signal.SIGKILL)
        assert wait_for(lambda: local.status().state == "down")
        assert local.base_url is None
        assert local.status().detail == "ended with code -9"
        seen.set()
        assert wait_for(lambda: local.status().state == "ready")
        assert local.pid not in (None, first)


def test_missing_weights_are_told_and_no_child_is_started(tmp_path: Path) -> None:
    config = a_config(tmp_path)
    config.weights.unlink()
    with running(config) as local:
        assert wait_for(lambda: local.status().state == "down")
        assert local.status().detail == "weights are missing: model.gguf"
        assert not (tmp_path / "logs").exists()


def test_a_child_that_never_answers_is_down_after_the_start_limit(tmp_path: Path) -> None:
    child = "import signal; signal.pause()"
    with running(a_config(tmp_path, child=child, start_seconds=0.5)) as local:
        assert wait_for(lambda: local.status() == ModelStatus("down", "test-model", "not ready after 0 s"))


def test_stop_ends_a_child_that_ignores_sigterm(tmp_path: Path) -> None:
    child = CHILD.replace("import argparse", "import signal; signal.signal(15, signal.SIG_IGN); import argparse", 1)
    with running(a_config(tmp_path, child=child)) as local:
        assert wait_for(lambda: local.status().state == "ready")
        pid = local.pid
    assert not Path(f"/proc/{pid}").exists()


def test_a_large_log_is_put_aside(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    with (logs / "model.log").open("wb") as old:
        old.truncate(model_server.LOG_BYTES + 1)
    with running(a_config(tmp_path)) as local:
        assert wait_for(lambda: local.status().state == "ready")
    assert (logs / "model.log.1").stat().st_size == model_server.LOG_BYTES + 1
    assert (logs / "model.log").stat().st_size < 1000


def test_start_twice_is_one_child_and_it_can_be_started_again(tmp_path: Path) -> None:
    with running(a_config(tmp_path)) as local:
        local.start()
        assert wait_for(lambda: local.status().state == "ready")
        local.stop()
        local.start()
        assert wait_for(lambda: local.status().state == "ready")
