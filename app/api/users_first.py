"""Tells evaluations that users' questions are under way, so that these need not share the model with those."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.places import ASKS
from app.evaluation.courtesy import Courtesy

_QUESTION = re.compile(rf"{ASKS}|/v1/knowledge-bases/[^/]+/search|/v1/embeddings")


class UsersFirst:
    """ASGI middleware: a question counts as under way until its response has been sent."""

    def __init__(self, app: ASGIApp, courtesy: Courtesy) -> None:
        self._app = app
        self._courtesy = courtesy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _QUESTION.fullmatch(scope["path"]):
            with self._courtesy.user():
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)
