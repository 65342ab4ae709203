"""Keeps each request within what its key may touch, from its first byte to its last."""

from __future__ import annotations

from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.catalogue.audit import Audit
from app.catalogue.changes import change_under_way, without_change
from app.catalogue.haste import hasty
from app.catalogue.scope import CLOSED, within

_FIRST_FAULT = 400


class Guard:
    """ASGI middleware: a request begins without any scope, and `app.api.deps.get_key` opens the one of its key.

    What an administrator has done is noted here where no transaction has noted it. Nothing of a request waits long for
    a lock but that note, which comes when all is done.
    """

    def __init__(self, app: ASGIApp, audit: Audit) -> None:
        self._app = app
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with within(CLOSED), without_change():
            with hasty():
                await self._app(scope, receive, watched)
            change = change_under_way()
            if change is not None and change.always and 0 < status < _FIRST_FAULT:
                await to_thread.run_sync(self._audit.note, change)
