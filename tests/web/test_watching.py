"""The net itself holds: each kind of fault is noticed on a page that has it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import pytest
from playwright.sync_api import Browser, Page

from tests.web.browser import EN_DESKTOP, MOST_WAIT_MS, opened
from tests.web.payloads import PAYLOADS, alive, missing
from tests.web.watching import Watch

HERE = "http://127.0.0.1:9"
POLICY = {"Content-Security-Policy": "default-src 'none'; script-src 'self'"}
STEP_MS = 20
HARMLESS = 0.2
"""Share of the payloads that are harmless as markup: they aim at scripts, templates or other encodings."""


@pytest.fixture
def caught(browser: Browser) -> Iterator[tuple[Page, Watch]]:
    """A page whose address the test answers itself, and its watch."""
    context = opened(browser, EN_DESKTOP, HERE)
    watch = Watch(context, HERE)
    yield context.new_page(), watch
    context.close()


def noticed(page: Page, watch: Watch, said: str) -> bool:
    """Whether it is noted, once all that is on its way has come."""
    for _ in range(MOST_WAIT_MS // STEP_MS):
        if any(said in fault for fault in watch.faults()):
            return True
        page.wait_for_timeout(STEP_MS)
    return False


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<script>alert(1)</script>", "dialog: alert 1"),
        ("<script>throw new Error('broken')</script>", "script: broken"),
        ("<script>console.error('wrong')</script>", "console: wrong"),
        ("<img src=https://evil.example/p.gif>", "request to others: https://evil.example/p.gif"),
        ("<script>new WebSocket('ws://127.0.0.1:9/')</script>", "socket: ws://127.0.0.1:9/"),
        ("<script>open('about:blank')</script>", "window: about:blank"),
    ],
)
def test_what_must_not_happen_is_noticed(caught: tuple[Page, Watch], body: str, said: str) -> None:
    page, watch = caught
    page.context.route(f"{HERE}/", lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto("/")
    assert noticed(page, watch, said), watch.faults()


def test_a_broken_policy_is_noticed(caught: tuple[Page, Watch]) -> None:
    page, watch = caught
    body = "<p style='color: red'>styled</p><script>alert(1)</script>"
    page.context.route(f"{HERE}/", lambda route: route.fulfill(body=body, content_type="text/html", headers=POLICY))
    page.goto("/")
    assert noticed(page, watch, "policy broken: style-src-attr"), watch.faults()
    assert noticed(page, watch, "policy broken: script-src-elem"), watch.faults()
    assert not any("dialog" in fault for fault in watch.faults())


def test_a_payload_taken_for_markup_is_noticed(caught: tuple[Page, Watch]) -> None:
    """As text each can be read; as markup each leaves an element or attribute, or cannot be read."""
    page, _ = caught
    harmless = []
    for payload in PAYLOADS:
        assert alive(page, f"<main>{escape(payload)}</main>") == []
        shown = page.evaluate("html => new DOMParser().parseFromString(html, 'text/html').body.textContent", payload)
        if not alive(page, f"<main>{payload}</main>") and not missing(shown, [payload]):
            harmless.append(payload)
    assert len(harmless) <= HARMLESS * len(PAYLOADS), harmless
