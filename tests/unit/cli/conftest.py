"""Servers without weights, and commands against them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.catalogue.folder import DataFolder
from app.cli import main
from app.cli.client import Client
from app.errors import ServerNotRunning
from app.settings import child_environment, load_settings

ROOT = Path(__file__).parents[3]


@dataclass
class WordServer:
    """A data folder and the server that has it."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, moment: str | None = None) -> None:
        """Starts a server, which waits at this failpoint; returns when it answers."""
        command = [sys.executable, "-m", "tests.fixtures.word_server", str(self.folder), *([moment] if moment else [])]
        with (self.folder / "out.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=child_environment())
        self.processes.append(process)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            note = DataFolder(self.folder).note()
            if note is not None and note.pid == process.pid:
                with suppress(ServerNotRunning), self.client() as client:
                    if client.ready()["status"] != "starting":
                        return
            time.sleep(0.05)
        raise AssertionError((self.folder / "out.log").read_text())

    def client(self) -> Client:
        note = DataFolder(self.folder).note()
        assert note is not None
        return Client(note.url, note.token, "en")

    def go(self) -> None:
        """Lets the server pass the failpoint; returns when it has come there."""
        (self.folder / "go").write_bytes(b"")

    def kill(self) -> None:
        self.processes[-1].kill()
        self.processes[-1].wait(30)
        with suppress(FileNotFoundError):
            (self.folder / "go").unlink()


@dataclass
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 - whatever was printed
        return json.loads(self.out)


Manualqa = Callable[..., Outcome]


@pytest.fixture
def word_server(tmp_path: Path) -> Iterator[WordServer]:
    (tmp_path / "data").mkdir()
    server = WordServer(tmp_path / "data")
    yield server
    for process in server.processes:
        process.kill()
        process.wait(30)


@pytest.fixture
def manualqa(
    word_server: WordServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Manualqa]:
    """Runs a command in this process, against the server of the folder."""
    settings = {"MQA_DATA_DIR": str(word_server.folder), "MQA_LANGUAGE": "en", "COLUMNS": "200"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    load_settings.cache_clear()

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["manualqa", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Outcome(int(str(ended.value.code)), *capsys.readouterr())

    yield run
    load_settings.cache_clear()
