"""The local model server as child processes: started, watched, restarted with growing pauses, replaced while it answers
by one with other adapters, stopped."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import httpx
import structlog

from app.errors import HostingFailed, ModelUnavailable
from app.generate.llm import Route
from app.generate.model_server import HEALTH_TIMEOUT_SECONDS, TERM_SECONDS, EngineConfig, LoadedAdapter, ModelServer
from app.ports import ModelStatus

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.25
_HEALTHY_POLL_SECONDS = 2.0
_HANGS_AFTER = 30
"""A live process is left alone for that many failed health checks in a row: a long prompt can hold up its answers."""

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_STEADY_SECONDS = 120.0
"""After that long in good health the next restart waits the first pause again."""


class LocalEngine:
    """An `Endpoint` for `OpenAICompatibleModel`. `start` returns at once; `status` says when it answers.

    One child answers; while its adapters change, a second one gets ready beside it and takes over, and the first ends
    once it has written the answers that it began.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._lock = threading.Lock()  # of the fields below; held for moments, as requests wait for it
        self._serving = threading.Lock()  # one change of adapters at a time
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._leaving: threading.Thread | None = None
        self._server: ModelServer | None = None
        self._adapters: tuple[LoadedAdapter, ...] = ()
        self._state: Literal["ready", "starting", "down", "off"] = "off"
        self._detail: str | None = None
        self._api_key = secrets.token_urlsafe(24)

    # --- where it answers -----------------------------------------------------------------------------------------

    @property
    def base_url(self) -> str | None:
        """Where the child answers; None while it does not."""
        with self._lock:
            return self._server.base_url if self._server is not None and self._state == "ready" else None

    @property
    def api_key(self) -> str:
        return self._api_key

    @property
    def pid(self) -> int | None:
        """The process id of the child that answers, or is about to, while there is one."""
        server = self._server
        return None if server is None else server.pid

    @contextmanager
    def entered(self, adapter: str | None) -> Iterator[Route]:
        """The route to the child that answers now, which does not end before the block does."""
        with self._lock:
            server = self._server
            if server is None or self._state != "ready":
                raise ModelUnavailable(reason=self._state)
            route = server.route(adapter)
            server.enter()
        try:
            yield route
        finally:
            server.leave()

    def status(self) -> ModelStatus:
        return ModelStatus(self._state, self._config.name, self._detail)

    def adapters(self) -> frozenset[str]:
        """The ids of the adapters that it answers with, or will as soon as it answers."""
        return frozenset(adapter.id for adapter in self._adapters)

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the child and its watcher; a second call does nothing."""
        with self._lock:
            if self._watcher is not None:
                return
            self._stopping.clear()
            self._state, self._detail = "starting", None
            self._watcher = threading.Thread(target=self._watch, name="model-server", daemon=True)
            self._watcher.start()

    def stop(self) -> None:
        """End all children, politely and then not; returns within some seconds. It may be started again."""
        with self._lock:
            watcher, self._watcher = self._watcher, None
            self._stopping.set()
            self._changed.set()
        if watcher is not None:
            watcher.join(TERM_SECONDS * 2 + HEALTH_TIMEOUT_SECONDS)
        with self._serving:  # a change of adapters has noticed, and has ended what it started
            self._wait_for_leaving(TERM_SECONDS * 2)
        with self._lock:
            self._state, self._detail = "off", None

    def serve(self, adapters: Sequence[LoadedAdapter]) -> None:
        """Has it answer with exactly these adapters beside the base model, from the return of the call on.

        No request fails for it: the child that answers goes on until another is ready, and that one takes the next
        requests. Before `start` it is only noted. Raises `HostingFailed`; then all is as it was.
        """
        wanted = tuple(adapters)
        with self._serving:
            if self._watcher is None or wanted == self._adapters:
                self._adapters = wanted
                return
            self._wait_for_leaving(self._config.answer_seconds)  # there are two children at most
            began = time.monotonic()
            server = self._begun(wanted)
            with self._lock:
                stopped = self._stopping.is_set()
                if not stopped:
                    old, self._server, self._adapters = self._server, server, wanted
                    self._state, self._detail = "ready", None
                    self._changed.set()
            if stopped:
                server.end()
                raise HostingFailed(reason="off")
            log.info("model_server_replaced", seconds=round(time.monotonic() - began, 2), adapters=len(wanted))
            if old is not None:
                self._leaving = threading.Thread(
                    target=self._see_off, args=(old,), name="old-model-server", daemon=True
                )
                self._leaving.start()

    def _begun(self, adapters: tuple[LoadedAdapter, ...]) -> ModelServer:
        """A child beside the one that answers, in good health; raises `HostingFailed`."""
        try:
            server = ModelServer(self._config, adapters, self._api_key)
        except OSError as error:
            raise HostingFailed(reason=f"cannot start: {error.strerror}") from error
        began = time.monotonic()
        with httpx.Client(timeout=HEALTH_TIMEOUT_SECONDS) as client:
            while not self._stopping.is_set():
                fault = _fault_at_start(server, began, self._config.start_seconds)
                if fault:
                    server.end()
                    raise HostingFailed(reason=fault)
                if server.is_healthy(client):
                    return server
                self._stopping.wait(_POLL_SECONDS)
        server.end()
        raise HostingFailed(reason="off")

    def _see_off(self, server: ModelServer) -> None:
        """Ends a child that another has taken over from, once it has written its answers; none takes longer."""
        last = time.monotonic() + self._config.answer_seconds
        while not self._stopping.is_set() and time.monotonic() < last:
            if server.wait_until_idle(_POLL_SECONDS):
                break
        server.end()

    def _wait_for_leaving(self, seconds: float) -> None:
        if self._leaving is not None:
            self._leaving.join(seconds + TERM_SECONDS * 2)
            self._leaving = None

    # --- the watcher ----------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            if self._run_once():
                continue
            if time.monotonic() - began > _STEADY_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            log.warning("model_server_down", reason=self._detail, restart_in_seconds=pause)
            self._pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        with self._lock:
            server, self._server = self._server, None  # one that took over at the very end
        if server is not None:
            server.end()

    def _run_once(self) -> bool:
        """One life of the child that answers, from its start, or from where it took over, to its end.

        Whether there is nothing to wait for after it: another has taken over, or all is to stop. Else the state says
        why it ended.
        """
        server = self._started()
        if server is None:
            return self._stopping.is_set()
        try:
            self._tend(server)
        finally:
            with self._lock:
                mine = self._server is server
                if mine:
                    self._server = None
            if mine:
                server.end()
        return not mine or self._stopping.is_set()

    def _started(self) -> ModelServer | None:
        """The child that answers, a new one where there is none; None where it cannot be started, as the state says."""
        with self._lock:
            if self._server is not None:
                return self._server
        if not self._config.weights.is_file():
            self._set("down", f"weights are missing: {self._config.weights.name}", of=None)
            return None
        self._set("starting", of=None)
        try:
            server = ModelServer(self._config, self._adapters, self._api_key)
        except OSError as error:
            self._set("down", f"cannot start: {error.strerror}", of=None)
            return None
        with self._lock:
            if self._server is None and not self._stopping.is_set():
                self._server = server
                return server
        server.end()  # one with other adapters has come up meanwhile
        return self._server

    def _tend(self, server: ModelServer) -> None:
        """Watches it until it is ill, another takes over or all is to stop; the state says how it is."""
        began = time.monotonic()
        misses = 0
        with httpx.Client(timeout=HEALTH_TIMEOUT_SECONDS) as client:
            while not self._stopping.is_set() and self._server is server:
                ready = self._state == "ready"
                code = server.exit_code()
                if code is not None:
                    return self._set("down", f"ended with code {code}", of=server)
                if server.is_healthy(client):
                    misses = 0
                    if not ready:
                        log.info("model_server_ready", seconds=round(time.monotonic() - began, 2))
                        self._set("ready", of=server)
                elif ready:
                    misses += 1
                    if misses > _HANGS_AFTER:
                        return self._set("down", "it hangs", of=server)
                else:
                    fault = _fault_at_start(server, began, self._config.start_seconds)
                    if fault:
                        return self._set("down", fault, of=server)
                self._pause(_HEALTHY_POLL_SECONDS if self._state == "ready" else _POLL_SECONDS)
        return None

    def _pause(self, seconds: float) -> None:
        """Waits, but not where there is something new to see to."""
        self._changed.wait(seconds)
        self._changed.clear()

    def _set(
        self, state: Literal["ready", "starting", "down"], detail: str | None = None, *, of: ModelServer | None
    ) -> None:
        """Notes how the child that answers is, or that there is none; nothing where another one is it by now."""
        with self._lock:
            if self._server is of:
                self._state, self._detail = state, detail


def _fault_at_start(server: ModelServer, began: float, seconds: float) -> str:
    """Why a child that is not healthy will not be any more; empty while it may."""
    code = server.exit_code()
    if code is not None:
        return f"ended with code {code}"
    return f"not ready after {seconds:.0f} s" if time.monotonic() - began > seconds else ""
