"""`manualqa` that kills itself: `python -m tests.unit.moving.killed POINT NUMBER ARGUMENTS...`."""

from __future__ import annotations

import os
import signal
import sys

from app.cli import main
from app.failpoints import watch


def kill_at(point: str, number: int) -> None:
    """The `number`-th time that it comes to this point, it is gone."""
    left = [number]

    def look(name: str) -> None:
        if name == point:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    watch(look)


if __name__ == "__main__":
    kill_at(sys.argv[1], int(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    main()
