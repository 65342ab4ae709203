"""The Dockerfile: a linter finds nothing, and it is what docs/deploy.md says of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.cli.secret_files import MANUALQA
from tests.deploy.compose import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
FINAL = DOCKERFILE.rpartition("\nFROM ")[2]
HEALTHCHECK = ROOT / "deploy" / "container" / "healthcheck"


def test_a_linter_finds_nothing(tool_folder: Path) -> None:
    done = subprocess.run(
        [tool_folder / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_last_stage_is_small_and_without_rights() -> None:
    assert f"\nUSER {MANUALQA}:{MANUALQA}\n" in FINAL
    assert re.search(r"apt-get|gcc|build-essential|pip install", FINAL) is None
    assert 'ENTRYPOINT ["manualqa"]' in FINAL
    assert "HEALTHCHECK" in FINAL
    assert re.search(r"ARG BASE=python:\d+\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)


def test_the_extras_are_those_of_the_project() -> None:
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    for named in re.findall(r"EXTRAS=([a-z,]+)", DOCKERFILE):
        assert set(named.split(",")) <= extras


def test_what_is_copied_is_there_and_let_in() -> None:
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(source == entry[1:] or source.startswith(f"{entry[1:]}/") for entry in let_in if entry[0] == "!")
    assert let_in[1] == "*"


@contextmanager
def answering(status: int) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/readyz"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_a_healthcheck_asks_the_server(status: int, code: int) -> None:
    with answering(status) as url:
        proxied = {**os.environ, "http_proxy": "http://127.0.0.1:9"}  # a container's proxy is not for itself
        assert (
            subprocess.run([sys.executable, HEALTHCHECK, url], env=proxied, timeout=60, check=False).returncode == code
        )


def test_a_healthcheck_of_nothing_fails() -> None:
    ended = subprocess.run([sys.executable, HEALTHCHECK, "http://127.0.0.1:9/readyz"], timeout=60, check=False)
    assert ended.returncode == 1


@pytest.mark.parametrize(("age", "code"), [(0, 0), (60, 0), (600, 1), (None, 1)])
def test_a_healthcheck_of_a_worker_looks_when_it_last_beat(tmp_path: Path, age: float | None, code: int) -> None:
    beat = tmp_path / "beat"
    if age is not None:
        beat.touch()
        os.utime(beat, (time.time() - age,) * 2)
    assert subprocess.run([sys.executable, HEALTHCHECK, beat], timeout=60, check=False).returncode == code
