"""Somebody at a browser, as the tests tell what they do and see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.web.browser import Look, opened
from tests.web.replies import TALKS, Talk
from tests.web.served import SESSION_COOKIE, Served
from tests.web.watching import Watch


@dataclass(slots=True)
class Person:
    """Somebody at a browser: signed in, looking at the pages in one way."""

    page: Page
    look: Look
    served: Served
    watch: Watch

    @classmethod
    def at(
        cls, browser: Browser, served: Served, look: Look, cookie: str | None = None, url: str | None = None
    ) -> Self:
        """Opens a profile; the cookie is that of a session, `url` another way to the server."""
        url = url or served.url
        context = opened(browser, look, url)
        watch = Watch(context, url)
        if cookie is not None:
            context.add_cookies([{"name": SESSION_COOKIE, "value": cookie, "url": url}])
        return cls(context.new_page(), look, served, watch)

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    @property
    def talk(self) -> Talk:
        """Questions and answers in this person's language."""
        return TALKS[self.look.language]

    def open(self, path: str) -> None:
        self.page.goto(path)

    def by(self, name: str) -> Locator:
        """The elements with this `data-testid`."""
        return self.page.get_by_test_id(name)

    def ask(self, question: str) -> Locator:
        """Types a question and sends it; the turn that it became."""
        turns = self.by("turn").count()
        self.by("question").fill(question)
        self.by("ask").click()
        expect(self.by("turn")).to_have_count(turns + 1)
        return self.by("turn").last
