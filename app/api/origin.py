"""Whether a browser sent a request from a page of ours."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from app.errors import CrossSite

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def require_same_origin(request: HTTPConnection) -> None:
    """Raises `CrossSite` unless the browser says that the request is of the same origin.

    By `Sec-Fetch-Site`, which no script can set; browsers leave it out over plain HTTP from other machines, and then
    `Origin` must name the host that the request was sent to.
    """
    site = request.headers.get("sec-fetch-site")
    if site is None:
        host = request.headers.get("host", "").lower()
        if not host or _host_of(request.headers.get("origin", "")) != host:
            raise CrossSite
    elif site != "same-origin":
        raise CrossSite


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
