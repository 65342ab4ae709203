"""What must not happen on any page: errors on the console, broken policies, requests to others, dialogs, windows."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, WebError

_OWN_SCHEMES = ("data", "blob", "about")
_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy broken: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""


class Watch:
    """Notes every fault of a browser profile from its first page on."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._origin = _origin(url)
        self._expected: list[re.Pattern[str]] = []
        self._faults: list[str] = []
        context.add_init_script(_VIOLATIONS)
        context.on("console", self._heard)
        context.on("weberror", self._broke)
        context.on("request", self._requested)
        context.on("dialog", self._asked)
        context.on("page", self._watched)

    def expect(self, pattern: str) -> None:
        """The test brings this about itself, such as a connection that it cuts."""
        self._expected.append(re.compile(pattern))

    def faults(self) -> list[str]:
        """All that was noted and nobody expected."""
        return [fault for fault in self._faults if not any(pattern.search(fault) for pattern in self._expected)]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._faults.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _broke(self, error: WebError) -> None:
        self._faults.append(f"script: {error.error}")

    def _requested(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.path == "/csp-report":
            self._faults.append(f"policy report: {request.post_data}")
        if address.scheme not in _OWN_SCHEMES and _origin(request.url) != self._origin:
            self._faults.append(f"request to others: {request.url}")

    def _asked(self, dialog: Dialog) -> None:
        self._faults.append(f"dialog: {dialog.type} {dialog.message}")
        if dialog.type == "beforeunload":
            dialog.accept()
        else:
            dialog.dismiss()

    def _watched(self, page: Page) -> None:
        page.on("websocket", lambda socket: self._faults.append(f"socket: {socket.url}"))
        page.on("popup", lambda popup: self._faults.append(f"window: {popup.url}"))


def _origin(url: str) -> tuple[str, str]:
    address = urlsplit(url)
    return address.scheme, address.netloc
