"""Server-sent events: one event as bytes, and streams of what changes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import anyio
from anyio import to_thread
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import BaseModel

EVENT_STREAM = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events until what is watched has ended.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    }
}
LOOK_SECONDS = 0.5
"""Between two looks; progress is written about as often."""
KEEP_ALIVE_SECONDS = 15.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look(Generic[T]):
    """What is new since the last look, and whether there will be no more."""

    new: list[T]
    ended: bool


def sse(event: str, data: BaseModel) -> bytes:
    """One event."""
    return format_sse_event(event=event, data_str=data.model_dump_json())


def watched(event: str, look: Callable[[], Look[BaseModel]], draining: Callable[[], bool]) -> StreamingResponse:
    """A stream of `look`, which runs on a worker thread twice a second, until it ends or the server drains.

    A comment line now and then keeps proxies from closing a quiet stream.
    """
    return StreamingResponse(_events(event, look, draining), media_type=EVENT_STREAM, headers=HEADERS)


async def _events(
    event: str, look: Callable[[], Look[BaseModel]], draining: Callable[[], bool]
) -> AsyncIterator[bytes]:
    quiet_since = time.monotonic()
    while True:
        found = await to_thread.run_sync(look)
        for data in found.new:
            yield sse(event, data)
        if found.ended or draining():
            return
        now = time.monotonic()
        if found.new:
            quiet_since = now
        elif now - quiet_since >= KEEP_ALIVE_SECONDS:
            quiet_since = now
            yield format_sse_event(comment="waiting")
        await anyio.sleep(LOOK_SECONDS)
