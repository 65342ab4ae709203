"""A server of a command's own: on a free port, in a folder given to it, gone when the block that started it ends.

As a program, `python -m app.cli.own_server serve ...`, it is `manualqa` that ends with its standard input.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.catalogue.folder import DataFolder
from app.cli.client import Client
from app.errors import OwnServerFailed, ServerNotRunning
from app.settings import child_environment
from app.types import Language

START_SECONDS = 180.0
DOWN_SECONDS = 20.0
"""A language model that is away for so long while it is needed is not waited for any longer."""
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.05
LOG_NAME = "own-server.log"


@dataclass(frozen=True, slots=True)
class OwnServer:
    """A server that is ready, `ready_seconds` after its start, and a connection to it."""

    process: subprocess.Popen[bytes]
    client: Client
    ready_seconds: float


@contextmanager
def own_server(
    data_dir: Path, *, need_model: bool, language: Language = "en", settings: dict[str, str] | None = None
) -> Iterator[OwnServer]:
    """Starts `manualqa serve` in `data_dir` and waits until it is ready, with its language model where it is needed.

    `settings` are environment variables beside those of this process. Ctrl-C reaches this process alone; the server
    ends when this process does, however that dies. Raises `OwnServerFailed` with what the server said last.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    environment = child_environment(
        **{**(settings or {}), "MQA_DATA_DIR": str(data_dir), "MQA_HOST": "127.0.0.1", "MQA_LANGUAGE": language}
    )
    started = time.monotonic()
    with (data_dir / LOG_NAME).open("wb") as log:
        command = [sys.executable, "-m", "app.cli.own_server", "serve", "--port", "0"]
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )
    try:
        with _connected(process, data_dir, language) as client:
            _wait(process, client, data_dir, need_model=need_model)
            yield OwnServer(process, client, time.monotonic() - started)
    finally:
        _stop(process)


def _connected(process: subprocess.Popen[bytes], data_dir: Path, language: Language) -> Client:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        note = DataFolder(data_dir).note()
        if note is not None and note.pid == process.pid:
            return Client(note.url, note.token, language)
        time.sleep(LOOK_SECONDS)
    raise OwnServerFailed(said=_last_words(data_dir))


def _wait(process: subprocess.Popen[bytes], client: Client, data_dir: Path, *, need_model: bool) -> None:
    deadline, down_since, missing = time.monotonic() + START_SECONDS, None, "?"
    while (now := time.monotonic()) < deadline and process.poll() is None:
        with suppress(ServerNotRunning):  # it ended meanwhile
            state = client.ready()
            if state["status"] == "ready" or (state["status"] == "degraded" and not need_model):
                return
            missing = "; ".join(
                f"{name}: {part['detail'] or part['state']}"
                for name, part in state["parts"].items()
                if part["state"] not in ("ready", "off")
            )
            down_since = (down_since or now) if state["parts"]["model"]["state"] == "down" else None
            if need_model and down_since is not None and now - down_since > DOWN_SECONDS:
                break
        time.sleep(LOOK_SECONDS)
    raise OwnServerFailed(said=_last_words(data_dir) if process.poll() is not None else missing)


def _last_words(data_dir: Path) -> str:
    """The last line of what the server wrote to its terminal."""
    lines = (data_dir / LOG_NAME).read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "?")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdin is not None:
            process.stdin.close()


def _end_with_input() -> None:
    while os.read(0, 1):  # nothing is ever written to it; a buffered reader would be locked at this program's own end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _main() -> None:
    from app.cli.main import cli, run_commands  # noqa: PLC0415 - of the program alone

    threading.Thread(target=_end_with_input, name="end-with-input", daemon=True).start()
    run_commands(cli, "manualqa")


if __name__ == "__main__":
    _main()
