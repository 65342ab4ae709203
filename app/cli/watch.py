"""Server-sent events of the server, and streams of them that are opened again where they break off."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

import httpx

from app.errors import ServerNotRunning

Json = dict[str, Any]
OPENED, QUIET, LOST = "opened", "quiet", "lost"
"""Events of ours: a connection was made, nothing has happened for a while, the server does not answer.

What happened before a connection, or between two, is not told by events.
"""

PATIENCE_SECONDS = 120.0
"""A server that is started again loads its models first."""
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.2, 3.0


def read_events(response: httpx.Response) -> Iterator[tuple[str, Json]]:
    """The events of a response as (event, data); a comment, which servers send to keep a stream open, is `QUIET`."""
    event = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield event, json.loads(line.removeprefix("data: "))
        elif line.startswith(":"):
            yield QUIET, {}


class Watch:
    """Events without end: broken streams are opened again; `close`, from any thread, ends the iteration."""

    def __init__(self, connect: Callable[[], AbstractContextManager[httpx.Response]], url: Callable[[], str]) -> None:
        self._connect = connect
        self._url = url
        self._closed = False
        self._response: httpx.Response | None = None

    def __iter__(self) -> Iterator[tuple[str, Json]]:
        """(event, data), `OPENED` after each connection, `LOST` once before it.

        Raises `ServerError`, and `ServerNotRunning` after a while.
        """
        wait, since, lost = FIRST_WAIT_SECONDS, time.monotonic(), False
        while not self._closed:
            try:
                with self._connect() as self._response:
                    lost = False
                    yield OPENED, {}
                    for found in read_events(self._response):
                        wait, since = FIRST_WAIT_SECONDS, time.monotonic()
                        yield found
            except (httpx.TransportError, ServerNotRunning) as error:
                if not self._closed and time.monotonic() - since > PATIENCE_SECONDS:
                    raise ServerNotRunning(url=self._url()) from error
                if not self._closed and not lost:
                    lost = True
                    yield LOST, {}
            if not self._closed:
                time.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    def close(self) -> None:
        """Wakes the thread that waits for the next event, and ends its iteration."""
        self._closed = True
        response = self._response
        stream = response.extensions.get("network_stream") if response is not None else None
        if stream is not None:
            with suppress(OSError):  # closed already
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
