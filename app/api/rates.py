"""How many requests a key may make in a minute; each process counts its own."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.catalogue.records import Key
from app.errors import RateLimited


class Rates:
    """May be called by several threads."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count(self, key: Key) -> None:
        """One more request of this key; raises `RateLimited` where it has made as many in the last minute as it may."""
        if key.requests_per_minute is None:
            return
        item = RateLimitItemPerMinute(key.requests_per_minute)
        if not self._limiter.hit(item, key.id):
            free_at = self._limiter.get_window_stats(item, key.id).reset_time
            seconds = max(1, math.ceil(free_at - time.time()))
            raise RateLimited(limit=key.requests_per_minute, retry_after=seconds)
