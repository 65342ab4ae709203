"""`manualqa doctor`: what would keep questions from being answered, and what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from app.cli.models import wanted
from app.errors import ManualqaError, ServerNotRunning
from app.models.store import ModelStore

if TYPE_CHECKING:
    from app.cli.main import Terminal


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str


def examine(at: Terminal, *, as_json: bool) -> int:
    """Prints what it finds; returns 0 where nothing needs a hand."""
    findings = list(_findings(at))
    if as_json:
        at.print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark, style = ("ok", "green") if finding.ok else ("!!", "red")
            at.out.print(f"[{style}]{mark}[/] ", end="")
            at.out.print(f"{finding.check}: {finding.detail}", markup=False, highlight=False)
        if all(finding.ok for finding in findings):
            at.out.print(at.words("all_well"))
    return 0 if all(finding.ok for finding in findings) else 1


def _findings(at: Terminal) -> Iterator[Finding]:
    store = ModelStore.from_settings(at.settings)
    for name in wanted(at):
        try:
            yield Finding("weights", ok=True, detail=f"{name}: {store.resolve(name).path}")
        except ManualqaError as error:
            yield Finding("weights", ok=False, detail=error.message(at.words.language))
    yield _disk(at)
    try:
        with at.client() as client:
            ready = client.ready()
    except ServerNotRunning as error:
        yield Finding("server", ok=False, detail=error.message(at.words.language))
        return
    yield Finding("server", ok=ready["status"] == "ready", detail=f"{client.url}: {ready['status']}")
    for name, part in ready["parts"].items():
        yield Finding(
            name, ok=part["state"] in ("ready", "off"), detail=" ".join(filter(None, (part["state"], part["detail"])))
        )


def _disk(at: Terminal) -> Finding:
    folder = at.settings.data_dir.expanduser().resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free // 1_000_000
    return Finding("disk", ok=free >= at.settings.min_free_disk_mb, detail=f"{free} MB free in {folder}")
