"""`manualqa link`: a one-time link that signs a browser on the server's machine in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from app.cli.client import Client

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - where a server listens everywhere, a browser goes here


def print_link(at: Terminal, *, as_json: bool) -> None:
    """Prints a fresh link of the running server."""
    with at.client() as client:
        url, expires_at = fresh_link(client)
    if as_json:
        at.print_json({"url": url, "expires_at": expires_at})
    else:
        at.out.print(at.words("sign_in_link", url=url), markup=False, highlight=False, soft_wrap=True)


def fresh_link(client: Client) -> tuple[str, str]:
    """A new link, as a browser on the server's machine opens it, and when it ends."""
    made = client.post("/v1/sign-in-links", {})
    return browser_url(client.url) + made["path"], made["expires_at"]


def browser_url(url: str) -> str:
    """The address of a server as a browser on its machine can open it."""
    parts = urlsplit(url)
    host = _ANY.get(parts.hostname or "")
    if host is None:
        return url.rstrip("/")
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, host + port, parts.path.rstrip("/"), "", ""))
