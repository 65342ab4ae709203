"""One-time links that sign a browser on the server's own machine in."""

from __future__ import annotations

import ipaddress
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from pydantic import Field

from app.api.deps import KeyDep, admin
from app.api.schemas import Shape
from app.catalogue.keys import digest
from app.catalogue.tables import now
from app.errors import SignInLinkInvalid

router = APIRouter(prefix="/v1/sign-in-links", tags=["keys"])

VALID = timedelta(hours=1)
_MOST = 20
"""Links that wait to be used; the oldest ends for a new one."""


@dataclass(frozen=True, slots=True)
class SignInLink:
    """What a link is known by: whom it signs in, and until when."""

    key_id: str
    expires_at: datetime


class SignInLinks:
    """The links that were not used yet. They end with the process; only their hashes are in its memory."""

    def __init__(self) -> None:
        self._links: dict[str, SignInLink] = {}
        self._lock = threading.Lock()

    def make(self, key_id: str) -> tuple[str, SignInLink]:
        """A new link's token, and the link."""
        token, link = secrets.token_urlsafe(32), SignInLink(key_id, now() + VALID)
        with self._lock:
            self._links[digest(token)] = link
            while len(self._links) > _MOST:
                del self._links[next(iter(self._links))]
        return token, link

    def use(self, token: str, host: str) -> str:
        """Whom the link signs in, this once, for a client at `host`; raises `SignInLinkInvalid`."""
        if not is_loopback(host):
            raise SignInLinkInvalid
        with self._lock:
            link = self._links.pop(digest(token), None)
        if link is None or link.expires_at <= now():
            raise SignInLinkInvalid
        return link.key_id


def is_loopback(host: str) -> bool:
    """Whether a client's address is this machine's own."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


class SignInLinkOut(Shape):
    """A link of this server."""

    path: str = Field(description="To be opened on the machine of the server, once.")
    expires_at: datetime


def links_of(request: Request) -> SignInLinks:
    """The links of this server."""
    links: SignInLinks = request.app.state.sign_in_links
    return links


@router.post("", status_code=201, dependencies=[admin])
def make_sign_in_link(request: Request, key: KeyDep) -> SignInLinkOut:
    """Make a link that signs a browser on the server's machine in with the key of this request."""
    token, link = links_of(request).make(key.id)
    return SignInLinkOut(path=f"/sign-in/once?token={token}", expires_at=link.expires_at)
