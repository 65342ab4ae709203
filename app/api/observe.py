"""Gives every request an id, logs and counts what became of it: never its query, body or key."""

from __future__ import annotations

import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import tracing
from app.api.measures import Measures

log = structlog.get_logger(__name__)


class Observe:
    """ASGI middleware; it never touches the body, so streams and disconnects pass as they are."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, started, status = uuid.uuid4().hex, time.perf_counter(), 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            tracing.request(Headers(scope=scope), request_id=request_id) as span,
        ):
            try:
                await self._app(scope, receive, observed)
            finally:
                seconds = round(time.perf_counter() - started, 4)
                self._measures.request(scope, status, seconds)
                _tell(span, scope, status)
                log.info("request", method=scope["method"], path=scope["path"], status=status, seconds=seconds)


def _tell(span: tracing.Span, scope: Scope, status: int) -> None:
    """What a request was: the route, never the address, in which there may be names."""
    route = getattr(scope.get("route"), "path", None)
    span.note(**{"http.request.method": scope["method"], "http.response.status_code": status})
    if route is not None:
        span.rename(f"{scope['method']} {route}")
        span.note(**{"http.route": route})
