"""The page of operations in a browser: a question turns up in its figures while somebody looks at it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from app.catalogue.keys import Role
from tests.web.browser import EN_DESKTOP, ZH_PHONE
from tests.web.looks import looks
from tests.web.person import Person
from tests.web.served import Served

pytestmark = pytest.mark.weights
look = looks(EN_DESKTOP, ZH_PHONE)  # both languages and both screens


def test_a_question_turns_up_in_the_figures(person: Person, served: Served) -> None:
    base = served.base(f"watched {person.look}")
    served.ended([served.upload(base, "pump.md", b"# Pump\n\nThe pump P-1 needs 3 bar.\n")])
    person.open(f"/operations?period=hour&knowledge_base_id={base}")
    calls = person.page.locator('[data-testid="op-tile"][data-name="calls"]')
    expect(calls).to_contain_text("0")
    served.client.post(f"/v1/knowledge-bases/{base}/ask", {"question": "What does the pump need?", "threshold": 1.0})
    expect(calls.locator(".tile-value")).to_have_text("1", timeout=60_000)
    refusals = person.page.locator('[data-testid="op-tile"][data-name="refusal_rate"]')
    expect(refusals).to_contain_text("100.0%")
    expect(person.by("op-row").first).to_contain_text(f"watched {person.look}")
    person.by("op-period").select_option("week")
    expect(person.page).to_have_url(re.compile(rf"period=week&knowledge_base_id={base}"))
    expect(calls.locator(".tile-value")).to_have_text("1")
    assert person.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with person.page.expect_download() as download:
        person.by("op-csv").click()
    assert download.value.suggested_filename == "operations-week.csv"


def test_readers_are_not_led_there(people: Callable[..., Person]) -> None:
    person = people(EN_DESKTOP, Role.READER)
    person.open("/kb")
    expect(person.page.locator('a[href="/operations"]')).to_have_count(0)


def test_alarms_stand_above_the_figures(person: Person) -> None:
    person.open("/operations?period=hour")
    band = person.by("op-alarms")
    expect(band).to_be_visible()
    well = band.locator('[data-testid="op-rule"][data-phase="ok"]')
    expect(well.filter(visible=True)).to_have_count(0)  # what is well says no more than that
    history = person.page.locator("#op-history")
    history.locator("summary").click()
    expect(person.by("op-rule").filter(visible=True)).to_have_count(6)
    with person.page.expect_response(re.compile("/operations"), timeout=60_000):
        pass  # the page looks again by itself
    expect(person.by("op-rule").filter(visible=True)).to_have_count(6)
    assert person.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
