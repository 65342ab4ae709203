"""An adapter from its file to the questions of a knowledge base, and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from app.catalogue.keys import Role
from tests.web.browser import EN_DESKTOP, ZH_PHONE, Look
from tests.web.person import Person
from tests.web.served import Served, an_archive
from tests.web.test_accessibility import DARK_PHONE, LIGHT_DESKTOP, grave
from tests.web.test_evaluating import a_set

pytestmark = pytest.mark.weights
People = Callable[..., Person]
EVIL = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize("look", [EN_DESKTOP, ZH_PHONE], ids=str)
def test_an_adapter_is_imported_hosted_proved_promoted_and_rolled_back(
    people: People, manuals: str, files: Path, look: Look
) -> None:
    person = people(look)
    name = f"{EVIL} {look}"
    person.open("/adapters")
    person.by("adapter-name").fill(name)
    person.by("adapter-file").set_input_files(an_archive(files))
    person.by("adapter-import").click()
    expect(person.page).to_have_url(re.compile(r"/adapters/ad-\w+"))
    expect(person.page.get_by_role("heading", level=1)).to_have_text(name)
    person.by("host").click()
    expect(person.by("adapter-hosted")).to_be_visible()

    person.watch.expect("status of 409")
    person.by("promote-base").select_option(manuals)
    person.by("promote").click()
    expect(person.by("promote-fault")).to_be_visible()

    person.by("prove-base").select_option(manuals)
    person.by("prove-file").set_input_files(a_set(files))
    person.by("prove").click()
    expect(person.by("for")).to_be_visible(timeout=60_000)
    expect(person.by("proof-compare")).to_have_attribute("href", re.compile(r"/evaluations/compare\?before=.*after="))

    person.by("promote-base").select_option(manuals)
    person.by("promote-share").fill("20")
    person.by("promote").click()
    expect(person.by("standing")).to_contain_text("20%")
    person.by("rollback").click()
    person.by("rollback-confirm").click()
    expect(person.by("standing")).to_have_count(0)
    person.by("retire").click()
    person.by("retire-confirm").click()
    expect(person.by("adapter-state")).to_have_attribute("data-state", "retired")


@pytest.mark.parametrize("look", [LIGHT_DESKTOP, DARK_PHONE], ids=str)
def test_the_pages_have_no_serious_fault_and_fit_the_screen(people: People, served: Served, look: Look) -> None:
    adapter = served.adapter(f"for axe {look}")
    person = people(look, Role.ADMIN)
    found = []
    for path in ("/adapters", f"/adapters/{adapter}"):
        person.open(path)
        found += grave(person)
        assert not person.page.evaluate("document.documentElement.scrollWidth > innerWidth"), path
    served.client.post(f"/v1/adapters/{adapter}/retire", {})
    assert found == []


def test_a_file_that_is_no_adapter_is_refused_with_its_reason(people: People, files: Path) -> None:
    bad = files / "bad.zip"
    bad.write_bytes(b"no archive")
    person = people(EN_DESKTOP)
    person.watch.expect("status of 422")
    person.open("/adapters")
    person.by("adapter-name").fill("bad")
    person.by("adapter-file").set_input_files(bad)
    person.by("adapter-import").click()
    expect(person.by("import-fault")).to_be_visible()


@pytest.mark.parametrize("look", [EN_DESKTOP, ZH_PHONE], ids=str)
def test_a_question_is_answered_by_both_side_by_side(people: People, served: Served, manuals: str, look: Look) -> None:
    person = people(look, Role.READER)
    person.open(f"/kb/{manuals}/ask")
    expect(person.by("compare")).to_have_count(0)
    name = f"{EVIL} beside {look}"
    adapter = served.adapter(name)
    person.open(f"/kb/{manuals}/ask")
    person.by("compare").select_option(adapter)
    person.by("question").fill(person.talk.question)
    person.by("ask").click()
    sides = person.by("compare-side")
    expect(sides).to_have_count(2)
    for side, heading in ((sides.nth(0), look.of(en="Base model", zh="基础模型")), (sides.nth(1), name)):
        expect(side.get_by_role("heading")).to_have_text(heading)
        expect(side.get_by_test_id("answer")).to_contain_text(person.talk.answer[0])
        expect(side.get_by_test_id("citation").first).to_be_visible()
    first, second = sides.nth(0).bounding_box(), sides.nth(1).bounding_box()
    assert first is not None
    assert second is not None
    assert (first["y"] == second["y"]) is (look.screen == "desktop"), "beside each other, or one below the other"
    assert adapter in [request["model"] for request in served.model.requests]
    assert grave(person) == []
    sides.nth(1).get_by_test_id("citation").first.click()
    expect(person.by("viewer-box").first).to_be_visible()
    person.page.keyboard.press("Escape")
    person.by("question").fill(person.talk.off_topic)
    person.by("ask").click()
    expect(sides.nth(3)).to_have_attribute("data-state", "refused")
    served.client.post(f"/v1/adapters/{adapter}/retire", {})
    person.by("question").fill(person.talk.question)
    person.watch.expect("status of 409")
    person.by("ask").click()
    expect(sides.nth(5)).to_have_attribute("data-state", "failed")
    expect(sides.nth(4)).to_have_attribute("data-state", "answered")
