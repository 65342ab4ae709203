"""One life of the local model server's child process: started, asked how it is, left alone until its answers are
written, ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import structlog

from app.errors import AdapterNotHosted
from app.generate.llm import Route

log = structlog.get_logger(__name__)

LOG_BYTES = 5_000_000
HEALTH_TIMEOUT_SECONDS = 2.0
TERM_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What the child is started with; `threads` 0 is one per core.

    `answer_seconds` is the longest time of one answer: a child that another has taken over from ends after it.
    """

    name: str
    weights: Path
    logs_dir: Path
    context_tokens: int
    slots: int
    threads: int
    start_seconds: float
    answer_seconds: float = 180.0
    command: tuple[str, ...] = (sys.executable, "-m", "app.generate.engine_child")


@dataclass(frozen=True, slots=True)
class LoadedAdapter:
    """An adapter of a child: its id, and its file in the child's format."""

    id: str
    path: Path


class ModelServer:
    """A child with the adapters that it was started with; they stay the same for its life.

    Raises `OSError` where it cannot be started.
    """

    def __init__(self, config: EngineConfig, adapters: tuple[LoadedAdapter, ...], key: str) -> None:
        self.adapters = adapters
        self._port = _free_port()
        self._requests = 0
        self._changed = threading.Condition()
        self._process = _spawn(config, adapters, self._port, key)
        log.info(
            "model_server_started",
            pid=self._process.pid,
            port=self._port,
            model=config.name,
            adapters=[adapter.id for adapter in adapters],
        )

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def pid(self) -> int | None:
        """The process id while it lives."""
        return self._process.pid if self._process.poll() is None else None

    def exit_code(self) -> int | None:
        """The code that it ended with; None while it lives."""
        return self._process.poll()

    def is_healthy(self, client: httpx.Client) -> bool:
        try:
            return client.get(f"http://127.0.0.1:{self._port}/health").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def route(self, adapter: str | None) -> Route:
        """How an adapter, or the base model alone, is asked for; raises `AdapterNotHosted`.

        llama.cpp numbers its adapters in the order of their files, and applies those that a request does not mention:
        each request names them all.
        """
        if adapter is not None and all(loaded.id != adapter for loaded in self.adapters):
            raise AdapterNotHosted(ref=adapter)
        scales = [
            {"id": place, "scale": 1.0 if loaded.id == adapter else 0.0} for place, loaded in enumerate(self.adapters)
        ]
        return Route(self.base_url, extra={"lora": scales} if scales else {})

    def enter(self) -> None:
        """One more request is on its way to it."""
        with self._changed:
            self._requests += 1

    def leave(self) -> None:
        """One request has ended, whichever way."""
        with self._changed:
            self._requests -= 1
            self._changed.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Whether its last request ended in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._requests == 0, seconds)

    def end(self) -> None:
        """Ends it, politely and then not; returns within some seconds."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(TERM_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(TERM_SECONDS)


def _spawn(config: EngineConfig, adapters: tuple[LoadedAdapter, ...], port: int, key: str) -> subprocess.Popen[bytes]:
    """The child; its key goes in on standard input, so that no process list shows it."""
    arguments = [
        ("weights", config.weights),
        ("port", port),
        ("context-tokens", config.context_tokens),
        ("slots", config.slots),
        ("threads", config.threads or os.cpu_count() or 1),
        ("parent", os.getpid()),
        *(("adapter", adapter.path) for adapter in adapters),
    ]
    command = [*config.command, *(part for name, value in arguments for part in (f"--{name}", str(value)))]
    with _open_log(config.logs_dir) as output:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    if process.stdin is not None:
        try:
            process.stdin.write(key.encode() + b"\n")
            process.stdin.close()
        except BrokenPipeError:
            log.warning("model_server_ended_at_start", code=process.poll())
    return process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _open_log(logs_dir: Path) -> IO[bytes]:
    """The log to append to; one that grew large is put aside as `model.log.1`."""
    logs_dir.mkdir(parents=True, exist_ok=True)
    path = logs_dir / "model.log"
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(logs_dir / "model.log.1")
    return path.open("ab")
