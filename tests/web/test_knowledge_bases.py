"""Making, naming, setting and deleting knowledge bases."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.web.browser import EN_DESKTOP, ZH_PHONE
from tests.web.looks import looks
from tests.web.person import Person
from tests.web.served import Served

pytestmark = pytest.mark.weights
look = looks(EN_DESKTOP, ZH_PHONE)  # both languages and both screens


def test_from_the_list_to_a_new_one_and_to_its_end(person: Person, served: Served) -> None:
    """The list, a new knowledge base, a taken name, another name, and the end, which asks for the name."""
    name, renamed = f"Pumps {person.look}", f"Valves {person.look}"
    person.open("/kb")
    person.by("kb-name").fill(name)
    person.by("kb-create").click()
    expect(person.page).to_have_url(re.compile(r"/kb/kb-\w+/documents"))
    base = person.page.url.split("/")[4]
    person.watch.expect("status of 409")
    person.open("/kb")
    card = person.by("kb-card").filter(has_text=name)
    expect(card).to_be_visible()
    person.by("kb-name").fill(name)
    person.by("kb-create").click()
    expect(person.page.get_by_role("alert").filter(has_text=name)).to_be_visible()
    person.open(f"/kb/{base}/settings")
    person.by("kb-name").fill(renamed)
    person.by("kb-name").press("Enter")
    expect(person.by("toast").first).to_be_visible()
    assert served.client.get(f"/v1/knowledge-bases/{base}")["name"] == renamed
    person.by("delete").click()
    person.by("delete-name").fill(name)
    expect(person.by("delete-confirm")).to_be_disabled()
    person.by("delete-name").fill(renamed)
    person.by("delete-confirm").click()
    expect(person.page).to_have_url(re.compile(r"/kb$"))
    expect(person.by("kb-card").filter(has_text=renamed)).to_have_count(0)


def test_the_threshold_shows_at_once_which_passages_pass(person: Person, manuals: str, served: Served) -> None:
    person.open(f"/kb/{manuals}/settings")
    person.by("preview-question").fill(person.talk.question)
    person.by("preview-question").press("Enter")
    expect(hits(person, passed=True).first).to_be_visible()
    person.by("threshold").fill("0.99")
    expect(hits(person, passed=True)).to_have_count(0)
    person.by("threshold").fill("0")
    expect(hits(person, passed=False)).to_have_count(0)
    assert threshold(served, manuals) is None
    person.by("save-threshold").click()
    expect(person.by("threshold-default")).to_be_enabled()
    assert threshold(served, manuals) == 0
    person.by("threshold-default").click()
    expect(person.by("threshold-default")).to_be_disabled()
    assert threshold(served, manuals) is None


def test_other_sizes_of_chunks_build_the_index_anew(person: Person, served: Served) -> None:
    base = served.base(f"rebuilt {person.look}")
    served.ended([served.upload(base, "pump.md", b"# Pump\n\nThe pump P-1 needs 3 bar.\n")])
    person.open(f"/kb/{base}/settings")
    person.by("chunk-size").fill("500")
    person.by("rebuild").click()
    expect(person.page.locator("#rebuild")).to_contain_text(person.look.of(en="Done", zh="已完成"))
    expect(person.by("rebuild")).to_be_enabled()
    assert served.client.get(f"/v1/knowledge-bases/{base}")["fingerprint"]["chunk_size"] == 500


def hits(person: Person, *, passed: bool) -> Locator:
    return person.page.locator(f'[data-testid="preview-hit"][data-passed="{str(passed).lower()}"]')


def threshold(served: Served, base: str) -> float | None:
    found: float | None = served.client.get(f"/v1/knowledge-bases/{base}")["settings"]["threshold"]
    return found
