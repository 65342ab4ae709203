"""axe finds nothing serious on any page, light or dark, in either language."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from app.catalogue.keys import Role
from tests.web.browser import Look
from tests.web.person import Person
from tests.web.served import EN_MANUAL, Served

pytestmark = pytest.mark.weights
People = Callable[..., Person]
GRAVE = ("serious", "critical")
DARK_PHONE, LIGHT_DESKTOP = Look("zh", "phone", dark=True), Look("en", "desktop")


def grave(person: Person) -> list[str]:
    """What axe finds on the page as it is now, each with the elements."""
    found = Axe().run(person.page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{person.page.url} {person.look} {one['id']}: {node['target']} {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("look", [LIGHT_DESKTOP, DARK_PHONE], ids=str)
def test_no_page_has_a_serious_fault(people: People, served: Served, manuals: str, many: str, look: Look) -> None:
    person = people(look, Role.ADMIN)
    documents = served.client.get(f"/v1/knowledge-bases/{manuals}/documents")["documents"]
    document = next(one["id"] for one in documents if one["name"] == EN_MANUAL)
    paths = ("/kb", f"/kb/{manuals}/ask", f"/kb/{many}/documents", f"/kb/{manuals}/documents/{document}?page=12",
             f"/kb/{manuals}/settings", "/evaluations", "/jobs", "/operations", "/kb/nothing")  # fmt: skip
    person.watch.expect("status of 404")
    found = []
    for path in paths:
        person.open(path)
        found += grave(person)
    nobody = people(look, role=None)
    nobody.open("/sign-in")
    assert found + grave(nobody) == []


@pytest.mark.parametrize("look", [LIGHT_DESKTOP, DARK_PHONE], ids=str)
def test_a_conversation_and_its_viewer_have_no_serious_fault(people: People, manuals: str, look: Look) -> None:
    person = people(look, Role.READER)
    person.open(f"/kb/{manuals}/ask")
    person.ask(person.talk.off_topic)
    expect(person.by("refusal")).to_be_visible()
    turn = person.ask(person.talk.question)
    turn.get_by_test_id("citation").first.wait_for()
    turn.get_by_test_id("why").click()
    found = grave(person)
    turn.get_by_test_id("citation").first.click()
    expect(person.by("viewer-box").first).to_be_visible()
    assert found + grave(person) == []


def test_the_streamed_answer_is_announced(people: People, manuals: str) -> None:
    person = people(LIGHT_DESKTOP, Role.READER)
    person.open(f"/kb/{manuals}/ask")
    person.ask(person.talk.question)
    expect(person.by("citation").first).to_be_visible()
    live = person.page.locator("[aria-live=polite]").filter(has_text=person.talk.answer[0])
    expect(live.first).to_be_attached()
