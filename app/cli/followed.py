"""Something on its way in the service, followed through the server's events and shown as one bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.watch import LOST

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.cli.terminal import Terminal
    from app.cli.watch import Watch

Json = dict[str, Any]
ENDED = ("done", "failed", "cancelled")


class Interrupted(Exception):
    """Ctrl-C while it was shown; `last` is how it was then."""

    def __init__(self, last: Json) -> None:
        super().__init__(last["id"])
        self.last = last


def followed(at: Terminal, watch: Watch, first: Json, total: str, shown: Callable[[Json], tuple[int, str]]) -> Json:
    """It as it ended; raises `Interrupted` on Ctrl-C, and what the connection raised.

    `shown` tells of each state how much is done and what stands beside the bar; `total` is the field that says of how
    much.
    """
    last = first
    columns = (TextColumn("{task.description}", markup=False), BarColumn(16))
    note = TextColumn("{task.fields[note]}", markup=False)
    with Progress(*columns, note, TimeElapsedColumn(), console=at.err) as bars:
        task = bars.add_task(first["name"], total=first[total] or 1, note="")
        try:
            for event, data in watch:
                if event == LOST:
                    at.err.print(at.words("connection_lost"), markup=False)
                if "state" in data:
                    last = data
                    done, beside = shown(last)
                    bars.update(task, completed=done, total=last[total] or 1, note=beside)
                if last["state"] in ENDED:
                    return last
        except KeyboardInterrupt as stop:
            raise Interrupted(last) from stop
        finally:
            watch.close()
    return last
