"""`manualqa adapters list`, `show`, `import`, `export`, `host`, `unhost` and `retire`."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from app.errors import InvalidInput

if TYPE_CHECKING:
    from app.cli.client import Client
    from app.cli.terminal import Terminal
    from app.types import PromptKind

Json = dict[str, Any]
BASE = "base"
FILES = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
"""What of a folder is sent; the last of them to be told what is wrong with it."""
MOST_LISTED = 500


@dataclass(frozen=True, slots=True)
class Given:
    """What the user says of an adapter that is imported."""

    name: str
    base: str
    prompt: PromptKind | None
    context_tokens: int | None

    def params(self) -> dict[str, str | int]:
        """As the API takes it."""
        told = {"name": self.name, "base": self.base, "prompt": self.prompt, "context_tokens": self.context_tokens}
        return {key: value for key, value in told.items() if value}


def find_adapter(at: Terminal, client: Client, name: str) -> Json:
    """The adapter of this id or name; raises `InvalidInput` with the names there are."""
    adapters: list[Json] = client.get("/v1/adapters", limit=MOST_LISTED)["adapters"]
    for adapter in adapters:
        if name in (adapter["id"], adapter["name"]):
            return adapter
    known = ", ".join(adapter["name"] for adapter in adapters if adapter["state"] != "retired")
    raise InvalidInput(reason=at.words("no_such_adapter", name=name, names=known or "-"))


def adapter_id(at: Terminal, client: Client, name: str) -> str:
    """The id that a question names: `base`, or that of the adapter."""
    return BASE if name == BASE else str(find_adapter(at, client, name)["id"])


def list_adapters(at: Terminal, *, as_json: bool) -> None:
    """Prints a line for each adapter, newest first."""
    with at.client() as client:
        found = client.get("/v1/adapters", limit=MOST_LISTED)
    if as_json:
        at.print_json(found)
        return
    for adapter in found["adapters"]:
        print_line(at, adapter)


def print_line(at: Terminal, adapter: Json) -> None:
    """One adapter on one line: id, state, whether it can be asked, base model, name."""
    state = at.words(f"adapter_{adapter['state']}")
    if adapter["hosted"] or adapter["wanted"]:
        detail = at.words("adapter_hosted" if adapter["hosted"] else "adapter_wanted")
        state = at.words("with_detail", text=state, detail=detail)
    line = f"{adapter['id']}  {state}  r={adapter['rank']}  {adapter['base']}  {adapter['name']}"
    at.out.print(Text(line), soft_wrap=True)


def show_adapter(at: Terminal, name: str, *, as_json: bool) -> None:
    """Prints all that is known of an adapter."""
    with at.client() as client:
        adapter = client.get(f"/v1/adapters/{find_adapter(at, client, name)['id']}")
    if as_json:
        at.print_json(adapter)
        return
    print_line(at, adapter)
    for key in ("base_revision", "prompt", "context_tokens", "bytes", "sha256", "job_id", "data_hash", "created_at"):
        if adapter[key] is not None:
            at.out.print(Text(at.words("line", name=key, text=adapter[key])), soft_wrap=True)
    for key, value in sorted(adapter["figures"].items()):
        at.out.print(Text(at.words("line", name=key, text=value)), soft_wrap=True)


def import_adapter(at: Terminal, path: Path, given: Given, *, as_json: bool) -> None:
    """Sends a folder or an archive and prints what became of it."""
    with at.client() as client, tempfile.TemporaryDirectory(prefix="manualqa-adapter-") as temporary:
        archive = _packed(at, path, Path(temporary) / "adapter.zip") if path.is_dir() else path
        with archive.open("rb") as file:
            adapter = client.send("/v1/adapters", archive.stat().st_size, file, **given.params())
    if as_json:
        at.print_json(adapter)
    else:
        print_line(at, adapter)


def _packed(at: Terminal, folder: Path, target: Path) -> Path:
    """The adapter's files of a folder as a ZIP file; a link is told by the server, so it is not followed here."""
    found = [folder / name for name in FILES if (folder / name).is_file() and not (folder / name).is_symlink()]
    if not found:
        raise InvalidInput(reason=at.words("no_adapter_in", folder=folder))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in found:
            archive.write(path, path.name)
    return target


def export_adapter(at: Terminal, name: str, out: Path | None, *, as_json: bool) -> None:
    """Writes the adapter's files as a ZIP file, whole or not at all."""
    with at.client() as client:
        adapter = find_adapter(at, client, name)
        target = out or Path(f"{adapter['id']}.zip")
        client.download(f"/v1/adapters/{adapter['id']}/file", target)
    if as_json:
        at.print_json({"file": str(target), "adapter": adapter["id"]})
    else:
        at.out.print(Text(at.words("exported", file=target)), soft_wrap=True)


def change_adapter(at: Terminal, name: str, action: str, *, as_json: bool) -> None:
    """Has an adapter hosted, unhosted or retired."""
    with at.client() as client:
        adapter = find_adapter(at, client, name)
        changed = client.post(f"/v1/adapters/{adapter['id']}/{action}", {})
    if as_json:
        at.print_json(changed)
    else:
        print_line(at, changed)
