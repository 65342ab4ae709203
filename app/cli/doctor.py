"""`manualqa doctor`: what would keep questions from being answered, and what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from app.cli.client import Client, ServerError
from app.cli.models import wanted
from app.cli.words import WORDS
from app.errors import ManualqaError, ServerNotRunning
from app.models.store import ModelStore
from app.phrases import translated

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

FORBIDDEN = 403


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str
    found: dict[str, Any] | None = None


def examine(at: Terminal, *, repair: bool = False, deep: bool = False, as_json: bool) -> int:
    """Prints what it finds, mended where `repair` says so; returns 0 where nothing needs a hand."""
    findings = list(_findings(at, repair=repair, deep=deep))
    if as_json:
        at.print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark, style = ("ok", "green") if finding.ok else ("!!", "red")
            at.out.print(f"[{style}]{mark}[/] ", end="")
            text = at.words("line", name=_label(at, finding.check), text=finding.detail)
            at.out.print(text, markup=False, highlight=False, soft_wrap=True)
        if all(finding.ok for finding in findings):
            at.out.print(at.words("all_well"))
    return 0 if all(finding.ok for finding in findings) else 1


def _findings(at: Terminal, *, repair: bool, deep: bool) -> Iterator[Finding]:
    store = ModelStore.from_settings(at.settings)
    for name in wanted(at):
        try:
            yield Finding("weights", ok=True, detail=at.words("line", name=name, text=store.resolve(name).path))
        except ManualqaError as error:
            yield Finding("weights", ok=False, detail=error.message(at.words.language))
    yield _disk(at)
    try:
        with at.client() as client:
            ready = client.ready()
            agreement = list(_consistency(at, client, repair=repair, deep=deep))
    except ServerNotRunning as error:
        yield Finding("server", ok=False, detail=error.message(at.words.language))
        return
    status = translated(ready["status"], at.words.language)
    yield Finding("server", ok=ready["status"] == "ready", detail=at.words("line", name=client.url, text=status))
    for name, part in ready["parts"].items():
        yield Finding(name, ok=part["state"] in ("ready", "off"), detail=_state(at, part))
    yield from agreement


def _consistency(at: Terminal, client: Client, *, repair: bool, deep: bool) -> Iterator[Finding]:
    """Whether catalogue, files and indexes agree; a key that is no admin's is told only where it asked for more."""
    try:
        report = client.post("/v1/maintenance/check", {"repair": repair, "deep": deep}, patient=True)
    except ServerError as error:
        if error.server_status != FORBIDDEN or repair or deep:
            yield Finding("consistency", ok=False, detail=error.message(at.words.language))
        return
    for found in report["findings"]:
        note = "repaired" if found["repaired"] else None if repair else "repairable"
        text = at.words("with_detail", text=found["message"], detail=at.words(note)) if note else found["message"]
        yield Finding("consistency", ok=found["repaired"], detail=text, found=found)
    if not report["findings"]:
        yield Finding("consistency", ok=True, detail=at.words("agrees", **report["checked"]))


def _state(at: Terminal, part: dict[str, Any]) -> str:
    """State of a part of the server, and what it says of it in the language it was asked in."""
    state = translated(part["state"], at.words.language)
    return at.words("with_detail", text=state, detail=part["detail"]) if part["detail"] else state


def _label(at: Terminal, check: str) -> str:
    """The name of a check; a server of another version may have parts that have no words here."""
    key = f"check_{check}"
    return at.words(key) if key in WORDS else check


def _disk(at: Terminal) -> Finding:
    folder = at.settings.data_dir.expanduser().resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free // 1_000_000
    return Finding(
        "disk", ok=free >= at.settings.min_free_disk_mb, detail=at.words("disk_free", free=free, folder=folder)
    )
