"""`manualqa serve`: takes the data folder and the port, then runs the server until it is told to stop."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from rich.console import Console

from app.api.app import create_app
from app.catalogue.folder import DataFolder, RunNote
from app.catalogue.keys import Role, new_secret
from app.cli import garbage
from app.cli.client import Client
from app.cli.link import fresh_link
from app.cli.logs import configure_logging
from app.cli.words import Words
from app.errors import AddressUnusable, ManualqaError, PortInUse
from app.parts import Parts
from app.phrases import translated
from app.services import Services
from app.settings import Settings, go_offline, share_cores
from app.wiring.parts import check_weights
from app.wiring.services import Duty, build_services
from app.wiring.traces import traces

SAMPLE_BASE = "sample"
BACKLOG = 512


def run_server(
    settings: Settings,
    words: Words,
    console: Console,
    sample: Path | None,
    parts: Parts | None = None,
    duty: Duty = Duty.BOTH,
) -> None:
    """Runs until SIGTERM or Ctrl-C; raises `DataFolderLocked`, `PortInUse`, `WeightsMissing`, `MigrationFailed`,
    `DatabaseUnusable`, `ProcessesNotShared`.

    `parts` stand in for those that the settings name.
    """
    started = time.monotonic()
    with owned_folder(settings, parts) as folder:
        listener = _listen(settings)
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        note = RunNote(pid=os.getpid(), url=f"http://{shown}:{port}", token=new_secret())
        services = build_services(settings, note.token, parts, duty, folder.process_id())
        garbage.collect_after(services.embedding.tried)
        _show_first_key(services, words, console)
        folder.announce(note)
        console.print(words("listening", url=note.url), markup=False)
        guide = _Guide(note, words, console, sample, started, links=settings.first_key is None)
        threading.Thread(target=guide.run, name="guide", daemon=True).start()
        config = uvicorn.Config(
            create_app(services),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=int(settings.shutdown_seconds),
            server_header=False,
            lifespan="on",
        )
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, _stopped)  # the server takes them first, and raises them again when it has ended
        _Server(config, services).run(sockets=[listener])
        if services.is_hurrying():  # a step that still runs would hold up the end, and write on without the lock
            folder.forget()
            os._exit(0)
    console.print(words("stopped"), markup=False)


@contextmanager
def owned_folder(settings: Settings, parts: Parts | None) -> Iterator[DataFolder]:
    """The data folder as this process's own, before anything else is made: logs go there, the weights are looked for.

    Raises `DataFolderLocked`, `WeightsMissing`; with `parts` no weights are needed.
    """
    garbage.begin()
    go_offline()
    share_cores()
    folder = DataFolder(settings.data_dir)
    folder.acquire()
    try:
        configure_logging(settings)
        if parts is None:
            check_weights(settings)
        with traces(settings):
            yield folder
    finally:
        folder.release()
        garbage.end()


def _stopped(_signal: int, _frame: object) -> None:
    """The server has drained: what is left is to give the folder back, with exit code 0."""


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        kind = PortInUse if error.errno == errno.EADDRINUSE else AddressUnusable
        raise kind(str(error), host=settings.host, port=settings.port) from error
    return listener


def _show_first_key(services: Services, words: Words, console: Console) -> None:
    given = services.settings.first_key
    if given is not None:
        services.keys.create_first(given.get_secret_value())
    elif services.keys.count() == 0:
        _, secret = services.keys.create("first key", Role.ADMIN)
        console.print(words("first_key", secret=secret), markup=False, soft_wrap=True)


class _Server(uvicorn.Server):
    """Drains on the first signal and stops at once on the second, whichever they are."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._services.drain()
        if self.should_exit:
            self.force_exit = True
        super().handle_exit(sig, frame)


class _Guide:
    """Says when the server is ready; loads the sample manuals and shows what to ask them."""

    def __init__(
        self, note: RunNote, words: Words, console: Console, sample: Path | None, started: float, *, links: bool
    ) -> None:
        self._note = note
        self._words = words
        self._console = console
        self._sample = sample
        self._started = started
        self._links = links  # not where the first key is a secret, too: what is said here stands in a container's log

    def run(self) -> None:
        """Runs beside the server; whatever fails is shown, and the server goes on."""
        try:
            with Client(self._note.url, self._note.token, self._words.language) as client:
                self._wait(client)
                if self._links:
                    self._say("sign_in_link", url=fresh_link(client)[0])
                if self._sample is not None:
                    self._load(client, self._sample)
        except (ManualqaError, OSError, ValueError) as error:
            language = self._words.language
            text = error.message(language) if isinstance(error, ManualqaError) else translated(str(error), language)
            self._console.print(text, style="red", markup=False, soft_wrap=True)

    def _wait(self, client: Client) -> None:
        told: set[str] = set()
        while (state := client.ready())["status"] == "starting" or state["parts"]["model"]["state"] == "starting":
            for name, part in state["parts"].items():
                if part["state"] == "down" and name not in told:
                    told.add(name)
                    self._console.print(f"{name}: {part['detail'] or part['state']}", style="red", markup=False)
            time.sleep(0.1)
        seconds = time.monotonic() - self._started
        self._say("ready_in", url=self._note.url, seconds=seconds)

    def _load(self, client: Client, sample: Path) -> None:
        self._say("loading_sample")
        found = client.get("/v1/knowledge-bases", name=SAMPLE_BASE)["knowledge_bases"]
        base: dict[str, Any] = found[0] if found else client.post("/v1/knowledge-bases", {"name": SAMPLE_BASE})
        jobs = [client.upload(base["id"], path, lambda _: None)["job"] for path in sorted(sample.glob("manuals/*.pdf"))]
        for job in jobs:
            for _ in client.job_states(job["id"]):
                pass
        loaded = client.get(f"/v1/knowledge-bases/{base['id']}")
        self._say("sample_ready", documents=loaded["ready"], pages=loaded["pages"])
        self._say("try")
        for question in json.loads((sample / "try.json").read_text(encoding="utf-8")):
            self._console.print(
                f'  .venv/bin/manualqa ask --kb {SAMPLE_BASE} "{question}"', markup=False, soft_wrap=True
            )

    def _say(self, key: str, **params: object) -> None:
        self._console.print(self._words(key, **params), markup=False, highlight=False, soft_wrap=True)
