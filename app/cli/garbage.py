"""The garbage collector of a server: it waits for the end of the start, and leaves alone what the start has made.

That is a million objects that stay. Going through them takes the interpreter's lock for half a second, several times
in a start and then a few times a minute under load, and every question waits.
"""

from __future__ import annotations

import gc
import threading

_LONGEST_START_SECONDS = 300.0


def begin() -> None:
    """No collections from here on."""
    gc.disable()


def end() -> None:
    """Collections as ever: the server has stopped."""
    gc.enable()


def collect_after(start: threading.Event) -> None:
    """Collections again once the start is over, or has taken too long."""
    threading.Thread(target=_settle, args=(start,), name="garbage", daemon=True).start()


def _settle(start: threading.Event) -> None:
    start.wait(_LONGEST_START_SECONDS)
    gc.collect()
    gc.freeze()
    gc.enable()
