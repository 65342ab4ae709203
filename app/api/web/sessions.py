"""Signing in and out, and the reader's choice of language and colours, which cookies keep."""

from __future__ import annotations

from typing import Final, Literal, get_args

import anyio
from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from app.api.deps import SESSION_COOKIE, ServicesDep, key_of_secret
from app.api.language import LANGUAGE_COOKIE, request_language
from app.api.origin import require_same_origin
from app.api.sign_in_links import links_of
from app.api.web.forms import form_fields, local_path
from app.api.web.rendering import THEME_COOKIE, Theme, render
from app.catalogue.web_sessions import LONGEST
from app.errors import InvalidRequest, KeyInvalid, ManualqaError, SessionEnded, SignInLinkInvalid
from app.services import Services
from app.types import Language

router = APIRouter(include_in_schema=False)

SEE_OTHER = 303
YEAR_SECONDS: Final = 365 * 24 * 3600
_from_our_page = Depends(require_same_origin)


@router.get("/sign-in")
def show_sign_in(request: Request, services: ServicesDep, next: str = "/") -> Response:  # noqa: A002 - the address says so
    """The page that asks for a key; who is signed in goes on."""
    place = local_path(next)
    try:
        services.web_sessions.find(request.cookies.get(SESSION_COOKIE, ""))
    except SessionEnded:
        return _sign_in_page(request, place)
    return _to(place)


@router.post("/sign-in", dependencies=[_from_our_page])
async def sign_in(request: Request, services: ServicesDep) -> Response:
    """Begins a session with a key; a wrong one is refused after a moment."""
    form = await form_fields(request)
    place = local_path(form.get("next"))
    try:
        key = await to_thread.run_sync(key_of_secret, services, form.get("key", "").strip())
    except KeyInvalid as error:
        await anyio.sleep(services.settings.wrong_key_seconds)
        return _sign_in_page(request, place, error)
    return await to_thread.run_sync(_signed_in, request, services, key.id, place)


@router.get("/sign-in/once")
def sign_in_once(request: Request, services: ServicesDep, token: str = "") -> Response:
    """Begins a session by a link that the server gave out; it holds once, for an hour, on the server's machine."""
    try:
        key_id = links_of(request).use(token, request.client.host if request.client else "")
    except SignInLinkInvalid as error:
        return _sign_in_page(request, "/", error)
    return _signed_in(request, services, key_id, "/")


@router.post("/sign-out", dependencies=[_from_our_page])
def sign_out(request: Request, services: ServicesDep) -> Response:
    """Ends the session at once, here and in the browser."""
    services.web_sessions.close(request.cookies.get(SESSION_COOKIE, ""))
    response = _to("/sign-in")
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.post("/language", dependencies=[_from_our_page])
async def choose_language(request: Request) -> Response:
    """Chooses the language of pages and messages, before what the browser prefers."""
    return await _chosen(request, "language", LANGUAGE_COOKIE, get_args(Language))


@router.post("/theme", dependencies=[_from_our_page])
async def choose_theme(request: Request) -> Response:
    """Chooses light or dark, or what the system says."""
    return await _chosen(request, "theme", THEME_COOKIE, get_args(Theme))


async def _chosen(
    request: Request, field: Literal["language", "theme"], cookie: str, known: tuple[str, ...]
) -> Response:
    form = await form_fields(request)
    value = form.get(field, "")
    if value not in known:
        raise InvalidRequest(reason="a field of the form has an unknown value")
    response = _to(local_path(form.get("next")))
    response.set_cookie(cookie, value, max_age=YEAR_SECONDS, samesite="lax", secure=_is_https(request))
    return response


def _signed_in(request: Request, services: Services, key_id: str, place: str) -> Response:
    """A new session in place of the one that the browser may have."""
    services.web_sessions.close(request.cookies.get(SESSION_COOKIE, ""))
    response = _to(place)
    response.set_cookie(
        SESSION_COOKIE,
        services.web_sessions.open(key_id),
        max_age=int(LONGEST.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=_is_https(request),
    )
    return response


def _sign_in_page(request: Request, place: str, error: ManualqaError | None = None) -> Response:
    message = None if error is None else error.message(request_language(request))
    return render(request, "sign_in.html", status=200 if error is None else error.status, error=message, next=place)


def _to(place: str) -> RedirectResponse:
    return RedirectResponse(place, SEE_OTHER)


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"
