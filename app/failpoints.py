"""Named moments at which tests kill the process; without a test nothing happens there."""

from __future__ import annotations

from collections.abc import Callable

_watchers: list[Callable[[str], None]] = []


def failpoint(name: str) -> None:
    """Says that the moment `name` has come."""
    for watcher in _watchers:
        watcher(name)


def watch(watcher: Callable[[str], None]) -> None:
    """Has `watcher` called at every moment, on the thread that is there; no setting and no request leads here."""
    _watchers.append(watcher)
