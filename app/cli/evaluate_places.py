"""Where an evaluation takes place: a knowledge base that is there, or one made of a folder for this run alone."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.client import Client
from app.cli.ingest import ingest_paths
from app.cli.own_server import own_server
from app.cli.questions import find_base
from app.cli.terminal import FAILED
from app.errors import InvalidInput, ManualqaError, ServerNotRunning

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

Json = dict[str, Any]
NAME_CHARACTERS = 40
DATA_FOLDER = "service"


@dataclass(slots=True)
class Place:
    """A knowledge base of a server. `own` says that the server ends with this command, `stays` that the base outlives
    it; whoever leaves an evaluation running in the service sets it."""

    client: Client
    base: Json
    own: bool = False
    stays: bool = True


@dataclass(frozen=True, slots=True)
class Folder:
    """Manuals to make a knowledge base of; with `keep` it stays, in `keep_in` where no service is running."""

    path: Path
    keep: bool
    keep_in: Path
    need_model: bool


@contextmanager
def present(at: Terminal, base_name: str | None) -> Iterator[Place]:
    """The knowledge base of this name in the running service, or the only one."""
    with at.client() as client:
        yield Place(client, find_base(at, client, base_name))


@contextmanager
def made_of(at: Terminal, folder: Folder) -> Iterator[Place]:
    """A knowledge base of the folder's manuals, in the running service or else in one of this command's own.

    It is removed afterwards unless it stays. Raises `InvalidInput` where no manual of the folder can be read, and
    KeyboardInterrupt where loading was broken off.
    """
    with ExitStack() as closing:
        closing.enter_context(_ended_by_signal())
        here, own = _server(at, folder, closing)
        client = closing.enter_context(here.client())
        made = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        name = f"eval {folder.path.resolve().name[:NAME_CHARACTERS]} {made}"
        base = client.post("/v1/knowledge-bases", {"name": name})
        place = Place(client, base, own, stays=folder.keep)
        try:
            place.base = _load(here, client, base, folder.path)
            yield place
        finally:
            if not place.stays and not own:
                _remove(at, client, base)


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM ends the block as an exception does, so that what was made for it goes too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _remove(at: Terminal, client: Client, base: Json) -> None:
    """Deletes the knowledge base; where that fails it is told, since the results count more."""
    try:
        client.delete(f"/v1/knowledge-bases/{base['id']}")
    except ManualqaError as error:
        said = at.words("not_removed", name=base["name"], reason=error.message(at.words.language))
        at.err.print(said, style="red", markup=False, soft_wrap=True)


def _server(at: Terminal, folder: Folder, closing: ExitStack) -> tuple[Terminal, bool]:
    """The terminal of the running service, or that of a server started now, and whether it was."""
    try:
        with at.client() as client:
            client.ready()
            return at, False
    except ServerNotRunning:
        if at.settings.url:
            raise
    if folder.keep:
        data_dir = folder.keep_in / DATA_FOLDER
    else:
        data_dir = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="manualqa-eval-"))) / DATA_FOLDER
    at.err.print(at.words("starting_own_server", folder=data_dir), markup=False, soft_wrap=True)
    closing.enter_context(own_server(data_dir, need_model=folder.need_model, language=at.words.language))
    settings = at.settings.model_copy(update={"data_dir": data_dir, "url": None, "api_key": None})
    return replace(at, settings=settings), True


def _load(at: Terminal, client: Client, base: Json, folder: Path) -> Json:
    """The knowledge base with the folder's manuals in it; those that cannot be read have been told."""
    ingest_paths(at, [folder], base["name"], as_json=False)
    loaded = client.get(f"/v1/knowledge-bases/{base['id']}")
    if client.get("/v1/jobs", knowledge_base_id=base["id"], state=("queued", "running"))["jobs"]:
        raise KeyboardInterrupt
    if not loaded["ready"]:
        raise InvalidInput(reason=at.words("nothing_loaded", folder=folder))
    return loaded
