"""The interpreter for questions first, while the words of a document are counted in the same process."""

from __future__ import annotations

import time

_RECENTLY_SECONDS = 1.0
_REST_SECONDS = 0.0005
_LONG_REST_SECONDS = 0.005


class Asides:
    """Rests between passages, longer ones while questions come in.

    Making tokens is Python code that holds the interpreter. A search gives it away with every row that it reads, and
    waits up to 5 ms each time to get it back: half a second beside the words of a long document. The rests cost such a
    document of 500 passages 0.3 s, and up to 2.5 s while questions come without a pause.
    """

    def __init__(self) -> None:
        self._searched = float("-inf")

    def searched(self) -> None:
        """A search has begun."""
        self._searched = time.monotonic()

    def rest(self) -> None:
        """Gives the interpreter to others; to be called about once a millisecond of work."""
        recently = time.monotonic() - self._searched < _RECENTLY_SECONDS
        time.sleep(_LONG_REST_SECONDS if recently else _REST_SECONDS)
