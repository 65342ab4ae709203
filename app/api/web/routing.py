"""Routes of pages: who is signed in, and faults as pages people can read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from app.api.deps import get_key
from app.api.language import request_language
from app.api.web.rendering import here, render
from app.catalogue.keys import Role
from app.catalogue.records import Key
from app.errors import ManualqaError, RoleTooLow, RouteNotFound

UNAUTHORIZED = 401


class PageRoute(APIRoute):
    """A route whose faults are pages; without a session it leads to the sign-in page and from there back."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError:
                return problem_page(request, RouteNotFound())
            except ManualqaError as error:
                if error.status == UNAUTHORIZED:
                    return RedirectResponse(f"/sign-in?next={quote(here(request), safe='')}", 303)
                return problem_page(request, error)

        return shown


def problem_page(request: Request, error: ManualqaError) -> Response:
    """The page that says what went wrong."""
    key = getattr(request.state, "key", None)
    return render(
        request,
        "problem.html",
        key=key,
        status=error.status,
        message=error.message(request_language(request)),
        error_status=error.status,
    )


async def _signed_in(request: Request, key: Annotated[Key, Depends(get_key)]) -> Key:
    request.state.key = key
    return key


async def _editing(key: Annotated[Key, Depends(_signed_in)]) -> Key:
    if not Role(key.role).covers(Role.EDITOR):
        raise RoleTooLow(role=key.role, needed=Role.EDITOR.value)
    return key


KeyDep = Annotated[Key, Depends(_signed_in)]
EditorDep = Annotated[Key, Depends(_editing)]
