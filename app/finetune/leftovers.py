"""What processes that died have left in a folder that several share: half-made adapters and run folders."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

import anyio
import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from app.errors import Unavailable

log = structlog.get_logger(__name__)

ALONE: Final = "local"
"""The maker's name where there is one process, which sweeps everything when it starts."""

UNLISTED_SECONDS: Final = 3600.0
"""So long nothing is in no row but what a process left that died between its last rename and its row; it takes
milliseconds. Also for what older versions half made, which has no maker's name."""

_SWEEP_SECONDS: Final = 60.0
_HALF_MADE: Final = re.compile(r"\.(?:new|upload)-(?P<maker>[0-9a-z-]+)\.(?:ad|ft)-[0-9a-f]{16}")
_GONE: Final = re.compile(r"\.gone-ft-[0-9a-f]{16}")
_UNLISTED: Final = re.compile(r"(?:\.(?:new|upload)-)?(?P<id>(?:ad|ft)-[0-9a-f]{16})")


def half_made(prefix: str, maker: str, identity: str) -> str:
    """The name of what the process `maker` is making, until it has its own."""
    return f"{prefix}{maker}.{identity}"


class Leftovers:
    """Safe beside processes that make, list and remove in the same folder, and beside others that sweep it.

    Half-made things carry the name of their maker and go when that does not live. A whole one goes when this process
    has seen it, by its own clock, in no row for `UNLISTED_SECONDS`; `listed` has the ids that have a row.
    """

    def __init__(
        self, root: Path, listed: Callable[[], Collection[str]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._root = root
        self._listed = listed
        self._clock = clock
        self._unlisted: dict[str, float] = {}

    def sweep(self, living: Callable[[], Collection[str]]) -> int:
        """Removes them; how many. What is listed and who lives is asked for after the folder was looked at."""
        if not self._root.is_dir():
            return 0
        names = [path.name for path in self._root.iterdir()]
        alive, listed, moment = living(), self._listed(), self._clock()
        unlisted = {name for name in names if (found := _UNLISTED.fullmatch(name)) and found["id"] not in listed}
        self._unlisted = {name: self._unlisted.get(name, moment) for name in unlisted}
        left = [
            name
            for name in names
            if _GONE.fullmatch(name)
            or ((found := _HALF_MADE.fullmatch(name)) and found["maker"] not in alive)
            or (name in unlisted and moment - self._unlisted[name] > UNLISTED_SECONDS)
        ]
        for name in left:
            _remove(self._root / name)
        if left:
            log.info("leftovers_removed", folder=self._root.name, count=len(left))
        return len(left)


def _remove(path: Path) -> None:
    """Another process may remove the same at the same time."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


async def sweep_now_and_then(places: Sequence[Leftovers], living: Callable[[], Collection[str]]) -> None:
    """Until it is cancelled: of processes that have died since, too."""
    while True:
        await anyio.sleep(_SWEEP_SECONDS)
        for place in places:
            try:
                await to_thread.run_sync(place.sweep, living)
            except (SQLAlchemyError, Unavailable, OSError) as error:  # the next look may do
                log.warning("leftovers_not_swept", detail=repr(error))
