"""The system's Chromium, and how a person looks at the pages: language, screen, light or dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from app.types import Language

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing outside can be reached, and fails at once
)
MOST_WAIT_MS = 15_000
"""How long an action or an expectation may take on a busy machine."""

Screen = Literal["desktop", "phone"]
_SCREENS: dict[Screen, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
_LOCALES: dict[Language, str] = {"en": "en-GB", "zh": "zh-CN"}


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody looks at the pages; the browser asks for the language, no page was told of it."""

    language: Language
    screen: Screen
    dark: bool = False

    def __str__(self) -> str:
        return "-".join((self.language, self.screen, *(["dark"] if self.dark else [])))

    def of(self, *, en: str, zh: str) -> str:
        """The one of two texts that is in this language."""
        return zh if self.language == "zh" else en


EN_DESKTOP, EN_PHONE = Look("en", "desktop"), Look("en", "phone")
ZH_DESKTOP, ZH_PHONE = Look("zh", "desktop"), Look("zh", "phone")
LOOKS = (EN_DESKTOP, EN_PHONE, ZH_DESKTOP, ZH_PHONE)


def chromium() -> Path | None:
    """The program, where it is installed."""
    return next((Path(found) for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def launched(program: Path) -> Iterator[Browser]:
    """A browser without a window, gone at the end of the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def opened(browser: Browser, look: Look, url: str) -> BrowserContext:
    """A fresh profile that looks at the server in this way; relative addresses are of `url`."""
    context = browser.new_context(
        base_url=url,
        locale=_LOCALES[look.language],
        timezone_id="UTC",
        color_scheme="dark" if look.dark else "light",
        reduced_motion="reduce",
        **_SCREENS[look.screen],
    )
    context.set_default_timeout(MOST_WAIT_MS)
    return context
