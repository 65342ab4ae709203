"""What every page has: the language and the colours that somebody chose, and titles in that language."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.web.browser import EN_DESKTOP, EN_PHONE, ZH_DESKTOP, ZH_PHONE, Look
from tests.web.person import Person

pytestmark = pytest.mark.weights
People = Callable[..., Person]


@pytest.mark.parametrize("look", [EN_DESKTOP, ZH_PHONE], ids=str)
def test_the_language_is_the_browsers_until_another_is_chosen(people: People, look: Look) -> None:
    person = people(look)
    page, other = person.page.locator("html"), "en" if look.language == "zh" else "zh-CN"
    person.open("/kb")
    expect(page).to_have_attribute("lang", look.of(en="en", zh="zh-CN"))
    heading = person.page.get_by_role("heading", level=1).inner_text()
    person.by("language").click()
    expect(page).to_have_attribute("lang", other)
    assert person.page.get_by_role("heading", level=1).inner_text() != heading
    person.open("/jobs")
    expect(page).to_have_attribute("lang", other)


@pytest.mark.parametrize("look", [EN_PHONE, ZH_DESKTOP], ids=str)
def test_colours_follow_the_system_until_others_are_chosen(people: People, look: Look) -> None:
    person = people(look)
    person.open("/kb")
    colours = set()
    for _ in range(3):
        person.by("theme").click()
        person.page.wait_for_load_state()
        chosen = person.page.locator("html").get_attribute("data-theme")
        colours.add((chosen, person.page.evaluate("getComputedStyle(document.body).backgroundColor")))
    by_theme = dict(colours)
    assert set(by_theme) == {"auto", "light", "dark"}
    assert by_theme["auto"] == by_theme["light"] != by_theme["dark"]


def test_nothing_is_wider_than_a_phone(people: People, manuals: str) -> None:
    person = people(EN_PHONE)
    wide = []
    for path in (
        "/kb",
        f"/kb/{manuals}/ask",
        f"/kb/{manuals}/documents",
        f"/kb/{manuals}/settings",
        "/evaluations",
        "/jobs",
    ):
        person.open(path)
        if person.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    assert wide == []
