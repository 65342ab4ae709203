"""Lets in as many questions as can be answered or may wait; the next one is told so at once, before anything else."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.measures import Measures
from app.api.places import ASKS, Places, leave
from app.api.problems import told
from app.errors import QuestionsFull

_ASKS = re.compile(ASKS)


class Admission:
    """ASGI middleware: a question has a place until its response has been sent.

    It is taken before the key is known, so that a refusal costs nothing; a wrong key gives it up before its wait.
    """

    def __init__(self, app: ASGIApp, places: Places, measures: Measures) -> None:
        self._app = app
        self._places = places
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not _ASKS.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        if not self._places.take(scope):
            self._measures.refused()
            await told(Request(scope), QuestionsFull())(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            leave(scope)
