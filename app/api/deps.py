"""What routes depend on: the services of this server, the caller's key and role, the language of the request."""

from __future__ import annotations

import hmac
from typing import Annotated

import anyio
import structlog
from anyio import to_thread
from fastapi import Depends, Request, params
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.language import request_language
from app.api.origin import SAFE_METHODS, require_same_origin
from app.api.places import leave
from app.catalogue.changes import Change, begin_change
from app.catalogue.keys import Role, local_user
from app.catalogue.records import Key
from app.catalogue.scope import open_to, require_whole
from app.errors import KeyInvalid, KeyMissing, RoleTooLow
from app.services import Services
from app.types import Language

MAX_KEY = 200
SESSION_COOKIE = "mqa_session"
_bearer = HTTPBearer(auto_error=False, description="An API key of this server.")


def get_services(request: Request) -> Services:
    """The services that `create_app` was given."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]
LanguageDep = Annotated[Language, Depends(request_language)]


async def get_key(
    request: Request,
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Key:
    """The caller's key, by `Authorization` or else by the cookie of a session; the one way in, for API and pages.

    From here on the request may touch what the key may, and nothing else: this runs in the request's own context, where
    a function on a thread would open only its own. Raises `KeyMissing`, `KeyInvalid`, `KeyExpired`, `SessionEnded`,
    `CrossSite`, `RateLimited`.
    """
    try:
        key = await to_thread.run_sync(_caller, request, services, credentials)
    except KeyInvalid:
        leave(request.scope)
        await anyio.sleep(services.settings.wrong_key_seconds)  # guessing is slow, and nobody else waits for it
        raise
    request.app.state.rates.count(key)
    open_to(key.knowledge_base_ids)
    return key


def _caller(request: Request, services: Services, credentials: HTTPAuthorizationCredentials | None) -> Key:
    """A browser sends the cookie whoever asked it to: what changes something must come from a page of ours."""
    if credentials is not None and credentials.credentials:
        return key_of_secret(services, credentials.credentials)
    session = request.cookies.get(SESSION_COOKIE)
    if not session:
        raise KeyMissing
    if request.method not in SAFE_METHODS:
        require_same_origin(request)
    return services.web_sessions.find(session)


def key_of_secret(services: Services, secret: str) -> Key:
    """The key that this is the secret of; raises `KeyInvalid`."""
    if len(secret) > MAX_KEY:
        raise KeyInvalid
    if services.run_token and hmac.compare_digest(secret.encode(), services.run_token.encode()):
        return local_user()
    return services.keys.find(secret)


async def read_metrics(
    request: Request,
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> None:
    """Lets in the metrics' own key, which opens nothing else, and every key of the whole server.

    Raises what `get_key` does, and `KeyLimited`.
    """
    own = services.settings.metrics_key
    given = "" if credentials is None else credentials.credentials
    if own is None or not hmac.compare_digest(given.encode(), own.get_secret_value().encode()):
        await get_key(request, services, credentials)
        require_whole()
    open_to(None)


KeyDep = Annotated[Key, Depends(get_key)]


async def count_questions(services: Services, key: Key, questions: int = 1) -> None:
    """So many questions are about to be asked with this key; raises `QuotaSpent`."""
    if key.questions_per_day is not None:
        await to_thread.run_sync(services.quotas.count, key, questions)


def _require(needed: Role) -> params.Depends:
    async def check(request: Request, key: KeyDep) -> Key:
        if not Role(key.role).covers(needed):
            raise RoleTooLow(role=key.role, needed=needed.value)
        if needed != Role.READER and request.method not in SAFE_METHODS:
            begin_change(_change(request, key, always=needed == Role.ADMIN))
        return key

    return params.Depends(check)


def _change(request: Request, key: Key, *, always: bool) -> Change:
    """What this request does, as the audit log will have it: the route and what its address names, never a body."""
    route = request.scope["route"].path
    request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
    return Change(key.id, key.name, f"{request.method} {route}", dict(request.path_params), request_id, always)


metrics_reader = params.Depends(read_metrics)
reader, editor, admin = _require(Role.READER), _require(Role.EDITOR), _require(Role.ADMIN)
