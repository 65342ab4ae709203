"""Reviewing: an answer is marked and becomes an evaluation question in two clicks, which is then corrected and used."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from app.catalogue.keys import Role
from tests.web.browser import EN_DESKTOP, Look
from tests.web.person import Person
from tests.web.served import Served
from tests.web.test_accessibility import DARK_PHONE, LIGHT_DESKTOP, grave

pytestmark = pytest.mark.weights
People = Callable[..., Person]
EVIL = "<img src=x onerror=alert(1)>"
MANUAL = "# Kettle K-9\n\nE-04 means that the water tank is empty. Fill it and press OK.\n"
GOOD = "E-04 means that the water tank is empty."


def a_base(served: Served, name: str, *questions: str) -> str:
    """A knowledge base that was asked the questions."""
    base = served.base(name)
    served.ended([served.upload(base, f"kettle {EVIL[:4]}.md", MANUAL.encode())])
    served.model_says(GOOD)
    for question in questions:
        served.client.post(f"/v1/knowledge-bases/{base}/ask", {"question": question, "stream": False})
    return base


@pytest.mark.parametrize("look", [LIGHT_DESKTOP, DARK_PHONE], ids=str)
def test_a_wrong_answer_is_a_question_in_two_clicks(people: People, served: Served, look: Look) -> None:
    base = a_base(served, f"reviews {EVIL} {look}", f"What does E-04 mean? {EVIL}")
    person = people(look, Role.EDITOR)
    person.open(f"/reviews?kb={base}")
    review = person.by("review")
    expect(review).to_have_count(1)
    expect(review).to_contain_text(EVIL)
    expect(person.by("review-answer")).to_contain_text("water tank")
    assert grave(person) == []
    person.by("label-wrong").click()
    expect(person.by("label-wrong")).to_have_attribute("aria-pressed", "true")
    person.by("make-question").click()
    expect(person.by("made-question")).to_be_visible()
    [kept] = served.client.get(f"/v1/knowledge-bases/{base}/reviews")["reviews"]
    assert kept["label"] == "wrong"
    person.by("source").first.click()
    expect(person.by("viewer-text")).to_contain_text("E-04")
    person.by("viewer-close").click()
    person.by("made-question").click()
    person.page.wait_for_url(re.compile(r"/reviews/drafts"))  # and for its scripts
    expect(person.by("draft")).to_have_count(1)
    expect(person.by("draft-evaluate")).to_be_disabled()
    person.by("draft-find").click()
    person.by("draft-take").first.click()
    expect(person.by("draft-document")).to_have_value(f"kettle {EVIL[:4]}.md")
    person.by("draft-answers").fill("the water tank is empty")
    assert grave(person) == []
    assert not person.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    person.by("draft-save").click()
    expect(person.by("draft-evaluate")).to_be_enabled()
    person.by("draft-evaluate").click()
    expect(person.page).to_have_url(re.compile(r"/evaluations/eval-"))


def test_answers_are_marked_by_keys(people: People, served: Served) -> None:
    base = a_base(served, "by keys", "What does E-04 mean?", "What is E-04?")
    person = people(EN_DESKTOP, Role.EDITOR)
    person.open(f"/reviews?kb={base}")
    reviews = person.by("review")
    expect(reviews).to_have_count(2)
    person.page.keyboard.press("w")  # no answer has the focus
    person.page.keyboard.press("j")
    person.page.keyboard.press("j")
    expect(reviews.nth(1)).to_be_focused()
    person.page.keyboard.press("u")
    expect(reviews.nth(1).get_by_test_id("label-unsupported")).to_have_attribute("aria-pressed", "true")
    person.page.keyboard.press("t")
    expect(reviews.nth(1).get_by_test_id("made-pair")).to_be_visible()
    note = reviews.nth(1).get_by_test_id("review-note")
    note.fill("no proof: r")
    with person.page.expect_response(re.compile(r"/label$")):
        reviews.nth(1).get_by_test_id("review-save-note").click()
    found = served.client.get(f"/v1/knowledge-bases/{base}/reviews", labelled=True)["reviews"]
    expect(reviews.nth(0).get_by_test_id("label-wrong")).to_have_attribute("aria-pressed", "false")
    assert [one["label"] for one in found] == ["unsupported"]
    person.by("review-show").select_option("unsupported")
    expect(reviews).to_have_count(1)
    expect(person.by("review-note")).to_have_value("no proof: r")


def test_readers_have_no_reviews(people: People) -> None:
    person = people(EN_DESKTOP, Role.READER)
    person.watch.expect("status of 403")
    person.open("/kb")
    expect(person.page.get_by_role("link", name="Reviews", exact=True)).to_have_count(0)
    person.open("/reviews")
    expect(person.by("review-base")).to_have_count(0)
