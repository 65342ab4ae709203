"""The local model server as a child process: started, watched, restarted with growing pauses, stopped."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import httpx
import structlog

from app.ports import ModelStatus

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.25
_HEALTH_TIMEOUT_SECONDS = 2.0
_HEALTHY_POLL_SECONDS = 2.0
_HANGS_AFTER = 30
"""A live process is left alone for that many failed health checks in a row: a long prompt can hold up its answers."""

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_STEADY_SECONDS = 120.0
"""After that long in good health the next restart waits the first pause again."""

_LOG_BYTES = 5_000_000
_TERM_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What the child is started with; `threads` 0 is one per core."""

    name: str
    weights: Path
    logs_dir: Path
    context_tokens: int
    slots: int
    threads: int
    start_seconds: float
    command: tuple[str, ...] = (sys.executable, "-m", "app.generate.engine_child")


class LocalEngine:
    """An `Endpoint` for `OpenAICompatibleModel`. `start` returns at once; `status` says when it answers."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: threading.Thread | None = None
        self._state: Literal["ready", "starting", "down", "off"] = "off"
        self._detail: str | None = None
        self._port = 0
        self._api_key = secrets.token_urlsafe(24)

    @property
    def base_url(self) -> str | None:
        """Where the child answers; None while it does not."""
        return f"http://127.0.0.1:{self._port}/v1" if self._state == "ready" else None

    @property
    def api_key(self) -> str:
        return self._api_key

    @property
    def pid(self) -> int | None:
        """The child's process id while there is one."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def status(self) -> ModelStatus:
        return ModelStatus(self._state, self._config.name, self._detail)

    def start(self) -> None:
        """Start the child and its watcher; a second call does nothing."""
        with self._lock:
            if self._watcher is not None:
                return
            self._stopping.clear()
            self._set("starting")
            self._watcher = threading.Thread(target=self._watch, name="model-server", daemon=True)
            self._watcher.start()

    def stop(self) -> None:
        """End the child, politely and then not; returns within some seconds. It may be started again."""
        with self._lock:
            watcher, self._watcher = self._watcher, None
            self._stopping.set()
        if watcher is not None:
            watcher.join(_TERM_SECONDS * 2 + _HEALTH_TIMEOUT_SECONDS)
        self._set("off")

    def _watch(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            self._run_once()
            if self._stopping.is_set():
                break
            if time.monotonic() - began > _STEADY_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            log.warning("model_server_down", reason=self._detail, restart_in_seconds=pause)
            self._stopping.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _run_once(self) -> None:
        """One life of the child, from its start to its end; the state says what it is in between and why it ended."""
        if not self._config.weights.is_file():
            self._set("down", f"weights are missing: {self._config.weights.name}")
            return
        self._set("starting")
        try:
            process = self._spawn()
        except OSError as error:
            self._set("down", f"cannot start: {error.strerror}")
            return
        self._process = process
        try:
            self._tend(process)
        finally:
            _end(process)
            self._process = None

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._port = _free_port()
        config = self._config
        arguments = {
            "weights": config.weights,
            "port": self._port,
            "context-tokens": config.context_tokens,
            "slots": config.slots,
            "threads": config.threads or os.cpu_count() or 1,
            "parent": os.getpid(),
        }
        command = [*config.command, *(part for k, v in arguments.items() for part in (f"--{k}", str(v)))]
        with _open_log(config.logs_dir) as output:
            process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        if process.stdin is not None:
            try:
                process.stdin.write(self._api_key.encode() + b"\n")
                process.stdin.close()
            except BrokenPipeError:
                log.warning("model_server_ended_at_start", code=process.poll())
        log.info("model_server_started", pid=process.pid, port=self._port, model=config.name)
        return process

    def _tend(self, process: subprocess.Popen[bytes]) -> None:
        began = time.monotonic()
        misses = 0
        with httpx.Client(timeout=_HEALTH_TIMEOUT_SECONDS) as client:
            while not self._stopping.is_set():
                code = process.poll()
                if code is not None:
                    self._set("down", f"ended with code {code}")
                    return
                if _healthy(client, self._port):
                    misses = 0
                    if self._state != "ready":
                        log.info("model_server_ready", seconds=round(time.monotonic() - began, 2))
                        self._set("ready")
                elif self._state == "ready":
                    misses += 1
                    if misses > _HANGS_AFTER:
                        self._set("down", "it hangs")
                        return
                elif time.monotonic() - began > self._config.start_seconds:
                    self._set("down", f"not ready after {self._config.start_seconds:.0f} s")
                    return
                self._stopping.wait(_HEALTHY_POLL_SECONDS if self._state == "ready" else _POLL_SECONDS)

    def _set(self, state: Literal["ready", "starting", "down", "off"], detail: str | None = None) -> None:
        self._state, self._detail = state, detail


def _healthy(client: httpx.Client, port: int) -> bool:
    try:
        return client.get(f"http://127.0.0.1:{port}/health").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _open_log(logs_dir: Path) -> IO[bytes]:
    """The log to append to; one that grew large is put aside as `model.log.1`."""
    logs_dir.mkdir(parents=True, exist_ok=True)
    path = logs_dir / "model.log"
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(logs_dir / "model.log.1")
    return path.open("ab")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_TERM_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_TERM_SECONDS)
