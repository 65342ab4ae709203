"""What routes depend on: the services of this server, the caller's key and role, the language of the request."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Request, params
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.language import request_language
from app.catalogue.keys import Role
from app.catalogue.records import Key
from app.catalogue.tables import now
from app.errors import KeyInvalid, KeyMissing, RoleTooLow
from app.services import Services
from app.types import Language

MAX_KEY = 200
_bearer = HTTPBearer(auto_error=False, description="An API key of this server.")


def get_services(request: Request) -> Services:
    """The services that `create_app` was given."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]
LanguageDep = Annotated[Language, Depends(request_language)]


def get_key(
    services: ServicesDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Key:
    """The caller's key; raises `KeyMissing` or `KeyInvalid`."""
    if credentials is None or not credentials.credentials:
        raise KeyMissing
    secret = credentials.credentials
    if len(secret) > MAX_KEY:
        raise KeyInvalid
    if services.run_token and hmac.compare_digest(secret.encode(), services.run_token.encode()):
        return Key(id="local", name="command line on this machine", role=Role.ADMIN, created_at=now())
    return services.keys.find(secret)


def _require(needed: Role) -> params.Depends:
    def check(key: Annotated[Key, Depends(get_key)]) -> Key:
        if not Role(key.role).covers(needed):
            raise RoleTooLow(role=key.role, needed=needed.value)
        return key

    return params.Depends(check)


reader, editor, admin = _require(Role.READER), _require(Role.EDITOR), _require(Role.ADMIN)
