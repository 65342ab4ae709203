"""A citation opens the page of the manual with the quoted words boxed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from app.catalogue.keys import Role
from tests.web.browser import EN_DESKTOP, ZH_PHONE, Look
from tests.web.person import Person

pytestmark = pytest.mark.weights
People = Callable[..., Person]


def test_a_citation_opens_its_page_with_the_words_boxed(person: Person, manuals: str) -> None:
    person.open(f"/kb/{manuals}/ask")
    turn = person.ask(person.talk.question)
    citation = turn.get_by_test_id("citation").first
    citation.click()
    viewer, image = person.by("viewer"), person.by("viewer-image")
    expect(viewer).to_be_visible()
    expect(image).to_be_visible()
    expect(image).to_have_js_property("complete", True)
    expect(viewer).to_contain_text(str(person.talk.page))
    expect(person.by("viewer-box").first).to_be_visible()
    assert inside(person.by("viewer-box").first, image)
    width = image.bounding_box()["width"]  # type: ignore[index]
    person.by("viewer-zoom-in").click()
    expect_wider(image, width)
    person.by("viewer-zoom-out").click()
    person.by("viewer-next").click()
    expect(viewer).to_contain_text(str(person.talk.page + 1))
    person.by("viewer-previous").click()
    expect(person.by("viewer-box").first).to_be_visible()
    person.by("viewer-close").click()
    expect(viewer).to_be_hidden()
    expect(citation).to_be_focused()


@pytest.mark.parametrize("look", [EN_DESKTOP, ZH_PHONE], ids=str)
def test_the_words_of_a_scanned_page_are_boxed_too(people: People, scanned: str, look: Look) -> None:
    person = people(look, Role.READER)
    person.open(f"/kb/{scanned}/ask")
    turn = person.ask("What does error E-05 mean?")
    turn.get_by_test_id("citation").first.click()
    image = person.by("viewer-image")
    expect(image).to_have_js_property("complete", True)
    expect(person.by("viewer-box").first).to_be_visible()
    assert inside(person.by("viewer-box").first, image)


def test_the_keyboard_is_enough(people: People, manuals: str) -> None:
    """From the skip link to the question, the citation, the pages and back, without a mouse."""
    person = people(EN_DESKTOP, Role.READER)
    person.open(f"/kb/{manuals}/ask")
    keyboard = person.page.keyboard
    tab_to(person, person.by("question"))
    keyboard.type(person.talk.question)
    keyboard.press("Enter")
    citation = person.by("citation").first
    expect(citation).to_be_visible()
    tab_to(person, citation)
    keyboard.press("Enter")
    viewer = person.by("viewer")
    expect(viewer).to_be_visible()
    expect(viewer).to_contain_text(str(person.talk.page))
    for _ in range(20):  # the focus stays inside
        keyboard.press("Tab")
        assert person.page.evaluate(
            "document.activeElement === document.body || "
            "document.querySelector('[data-testid=viewer]').contains(document.activeElement)"
        )
    keyboard.press("ArrowRight")
    expect(viewer).to_contain_text(str(person.talk.page + 1))
    keyboard.press("ArrowLeft")
    expect(person.by("viewer-box").first).to_be_visible()
    keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(citation).to_be_focused()


def tab_to(person: Person, target: Locator) -> None:
    """Presses Tab until the element has the focus, which must be seen on everything on the way."""
    for _ in range(150):
        if target.evaluate("element => element === document.activeElement"):
            return
        person.page.keyboard.press("Tab")
        assert person.page.evaluate(
            "(() => { const e = document.activeElement, s = getComputedStyle(e);"
            "return e === document.body || s.outlineStyle !== 'none' || s.boxShadow !== 'none'; })()"
        ), person.page.evaluate("document.activeElement.outerHTML")
    raise AssertionError("Tab never came there")


def inside(box: Locator, image: Locator) -> bool:
    """Whether a box lies on its page's image, with something of it to see."""
    inner, outer = box.bounding_box(), image.bounding_box()
    assert inner is not None
    assert outer is not None
    return (
        inner["width"] > 5
        and inner["height"] > 3
        and outer["x"] - 2 <= inner["x"]
        and inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 2
        and outer["y"] - 2 <= inner["y"]
        and inner["y"] + inner["height"] <= outer["y"] + outer["height"] + 2
    )


def expect_wider(image: Locator, width: float) -> None:
    image.page.wait_for_function(
        "width => document.querySelector('[data-testid=viewer-image]').getBoundingClientRect().width > width + 20",
        arg=width,
    )
