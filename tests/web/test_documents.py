"""The list of documents, also a long one, and the view of one with its pages and chunks."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.fixtures.pdfs import a_pdf
from tests.web.browser import EN_DESKTOP, ZH_PHONE
from tests.web.looks import looks
from tests.web.person import Person
from tests.web.served import EN_MANUAL, Served

pytestmark = pytest.mark.weights
look = looks(EN_DESKTOP, ZH_PHONE)  # both languages and both screens
LISTED = 50
"""Documents on one page of a list."""


def test_five_hundred_documents_are_searched_sorted_and_filtered(person: Person, many: str) -> None:
    person.open(f"/kb/{many}/documents")
    expect(person.by("doc-row").first).to_be_visible()
    assert person.by("doc-row").count() == LISTED
    expect(person.page.get_by_role("navigation").filter(has_text="500")).to_be_visible()
    person.page.locator("a[rel=next]").click()
    expect(person.by("doc-row").first).to_contain_text(f"manual {LISTED:03}")
    person.by("doc-search").fill("manual 042")
    person.by("doc-search").press("Enter")
    expect(person.by("doc-row")).to_have_count(1)
    expect(person.by("doc-row")).to_contain_text("manual 042.pdf")
    person.by("doc-search").fill("")
    person.by("doc-search").press("Enter")
    expect(person.by("doc-row").nth(1)).to_be_visible()
    person.by("doc-sort").select_option("name")
    expect(person.by("doc-row").first).to_contain_text("manual 000")
    person.by("doc-sort").select_option("-name")
    expect(person.by("doc-row").first).to_contain_text("manual 499")
    person.by("doc-filter").select_option("failed")
    expect(person.by("doc-state").first).to_have_attribute("data-state", "failed")
    expect(person.by("doc-row")).to_have_count(20)


def test_a_document_shows_its_pages_and_where_they_are_cut(person: Person, manuals: str) -> None:
    person.open(f"/kb/{manuals}/documents")
    person.by("doc-row").filter(has_text=EN_MANUAL).get_by_role("link").first.click()
    image = person.by("page-image").first
    expect(image).to_be_visible()
    expect(image).to_have_js_property("complete", True)
    assert image.evaluate("image => image.naturalWidth") > 0
    expect(person.by("chunk").first).to_be_attached()
    expect(person.by("chunk-row").first).to_contain_text("Kestrim")
    person.open(person.page.url.partition("?")[0] + "?page=12")
    expect(person.by("chunk-row").filter(has_text="E-05").first).to_be_attached()


def test_a_document_is_deleted_after_a_question(person: Person, served: Served) -> None:
    base = served.base(f"deleted {person.look}")
    served.ended([served.upload(base, "old.pdf", a_pdf(["The old pump P-1 needs 3 bar."]))])
    person.open(f"/kb/{base}/documents")
    person.by("doc-row").get_by_test_id("delete").click()
    person.by("delete-confirm").click()
    expect(person.by("doc-row")).to_have_count(0)
    assert served.client.get(f"/v1/knowledge-bases/{base}/documents")["documents"] == []
