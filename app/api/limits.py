"""Bounds every JSON body before anything reads it; what has its own limit is bounded where it is received.

The framework has such a bound, but refuses in plain English text before our error handlers see it.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

from anyio import to_thread
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import told
from app.errors import BodyTooLarge

B = TypeVar("B", bound=BaseModel)

_BOUNDED_THERE = re.compile(
    r"/v1/knowledge-bases/[^/]+/documents|/v1/evaluations|/v1/adapters(/[^/]+/prove)?"
    r"|/v1/finetune/(?:datasets|estimate|jobs)"
)
"""POST routes that check the caller's key first and then read a larger body, piece by piece."""


def described(shape: type[BaseModel]) -> dict[str, Any]:
    """What the API's description says of such a body, which the framework does not see.

    Its parts stand in their places, since they have no names there.
    """
    schema = shape.model_json_schema(ref_template="{model}")
    parts: dict[str, Any] = schema.pop("$defs", {})

    def whole(node: Any) -> Any:  # noqa: ANN401 - any piece of a JSON schema
        if isinstance(node, dict):
            part = whole(parts[node["$ref"]]) if "$ref" in node else {}
            return part | {name: whole(value) for name, value in node.items() if name != "$ref"}
        return [whole(item) for item in node] if isinstance(node, list) else node

    return {"requestBody": {"required": True, "content": {"application/json": {"schema": whole(schema)}}}}


async def received(request: Request, limit: int, setting: str) -> bytes:
    """The body of one of those, `limit` bytes at most; raises `BodyTooLarge`, naming the setting."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > limit:
        raise BodyTooLarge(limit_mb=limit / 1_000_000, setting=setting)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise BodyTooLarge(limit_mb=limit / 1_000_000, setting=setting)
    return bytes(body)


async def received_as(shape: type[B], request: Request, limit_mb: int, setting: str) -> B:
    """Such a body, read as JSON in a thread; raises `BodyTooLarge`, and what a body of any other route raises."""
    body = await received(request, limit_mb * 1_000_000, setting)
    try:
        return await to_thread.run_sync(shape.model_validate_json, body)
    except ValidationError as error:
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in error.errors()]) from error


class BodyLimit:
    """ASGI middleware: a body beyond `limit_kb` is answered 413, whether or not its length was told."""

    def __init__(self, app: ASGIApp, limit_kb: int) -> None:
        self._app = app
        self._limit = limit_kb * 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"] == "POST" and _BOUNDED_THERE.fullmatch(scope["path"])):
            await self._app(scope, receive, send)
            return
        body = await self._read(Request(scope), receive)
        if isinstance(body, bytes):
            await self._app(scope, _replay(body, receive), send)
        elif body is not None:
            await told(Request(scope), body)(scope, receive, send)

    async def _read(self, request: Request, receive: Receive) -> bytes | BodyTooLarge | None:
        """The body; the error where it is too large; None where the client went away."""
        too_large = BodyTooLarge(limit_mb=self._limit / 1_000_000, setting="MQA_MAX_BODY_KB")
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._limit:
            return too_large
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            if len(body) > self._limit:
                return too_large
            more = message.get("more_body", False)
        return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hands the body over once; after that, the client's own messages (a disconnect)."""
    handed = False

    async def replayed() -> Message:
        nonlocal handed
        if handed:
            return await receive()
        handed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
