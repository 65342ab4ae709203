"""`manualqa models`: lists, fetches and verifies weights; needs no server."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

from app.errors import WeightsCorrupt
from app.models.progress import BarProgress, LineProgress, Progress
from app.models.store import ModelStore, WeightsState

if TYPE_CHECKING:
    from app.cli.terminal import Terminal


def wanted(at: Terminal) -> list[str]:
    """The models that a server with these settings loads from this machine."""
    names = [] if at.settings.embedder_base_url else [at.settings.embedder]
    return names if at.settings.has_endpoint else [*names, at.settings.llm_model]


def _progress(at: Terminal) -> AbstractContextManager[Progress]:
    """Bars in a terminal, a line now and then in a log."""
    if at.err.is_terminal:
        return BarProgress(at.err, at.words.language)
    return nullcontext(
        LineProgress(
            lambda line: at.err.print(line, markup=False, highlight=False, soft_wrap=True),
            language=at.words.language,
        )
    )


def list_models(at: Terminal, *, as_json: bool) -> None:
    """Prints every known model and whether it is here."""
    rows = ModelStore.from_settings(at.settings).list()
    if as_json:
        at.print_json([{**asdict(row), "state": row.state.value} for row in rows])
        return
    table = Table(box=None)
    for column in ("", "", "MB", "", ""):
        table.add_column(column)
    for row in rows:
        chosen = "*" if row.name in wanted(at) else ""
        state = at.words(row.state.value)
        table.add_row(row.name + chosen, at.words(row.kind), f"{row.size / 1e6:,.0f}", state, row.licence)
    at.out.print(table)


def pull_models(at: Terminal, names: list[str], *, as_json: bool) -> None:
    """Fetches the named models, or those of the settings; raises `WeightsMissing`, `WeightsCorrupt`."""
    store = ModelStore.from_settings(at.settings)
    with _progress(at) as progress:
        pulled = [store.pull(name, progress) for name in names or wanted(at)]
    if as_json:
        at.print_json([{"name": model.name, "revision": model.revision, "path": str(model.path)} for model in pulled])
        return
    for model in pulled:
        at.err.print(at.words("verified", name=model.name), markup=False)


def verify_models(at: Terminal, names: list[str], *, as_json: bool) -> int:
    """Checks every byte of the named models, or of all that are here; raises `WeightsCorrupt`.

    As JSON, what is wrong is listed instead; returns 0 where nothing is.
    """
    store = ModelStore.from_settings(at.settings)
    present = [row.name for row in store.list() if row.state is not WeightsState.MISSING]
    with _progress(at) as progress:
        checks = [store.verify(name, progress) for name in names or present]
    if as_json:
        at.print_json([asdict(check) for check in checks])
        return 1 if any(check.problems for check in checks) else 0
    for check in checks:
        for found in check.problems:
            raise WeightsCorrupt(found.reason, name=check.name, file=found.file)
        at.out.print(at.words("verified" if check.checked else "unchecked", name=check.name), markup=False)
    return 0
