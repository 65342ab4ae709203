"""How many requests a key may make in a minute; each process counts its own."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.catalogue.records import Key
from app.errors import RateLimited

_STEP_SECONDS = 1.0
"""A clock that is kept right by small corrections goes back by less."""


class Rates:
    """May be called by several threads."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._clock = _clock_offset()

    def count(self, key: Key) -> None:
        """One more request of this key; raises `RateLimited` where it has made as many in the last minute as it may."""
        if key.requests_per_minute is None:
            return
        self._begin_anew_where_the_clock_went_back()
        item = RateLimitItemPerMinute(key.requests_per_minute)
        if not self._limiter.hit(item, key.id):
            free_at = self._limiter.get_window_stats(item, key.id).reset_time
            seconds = max(1, math.ceil(free_at - time.time()))
            raise RateLimited(limit=key.requests_per_minute, retry_after=min(60, seconds))

    def _begin_anew_where_the_clock_went_back(self) -> None:
        """The library goes by the wall clock: requests of its future would keep a key out until then."""
        offset = _clock_offset()
        if offset < self._clock - _STEP_SECONDS:
            self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._clock = offset


def _clock_offset() -> float:
    """By how much the wall clock is ahead of one that is never set."""
    return time.time() - time.monotonic()
