"""150 payloads through six ways into the pages: all are text, streamed and reloaded; nothing runs, nothing is fetched.

Dialogs, scripts and foreign requests are noted by the watch of every test. Here each payload must also be readable as
it was written, and the page must have no element or attribute that came of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest
from playwright.sync_api import Locator, expect

from app.catalogue.keys import Role
from tests.fixtures.scripted_model import Fault
from tests.web.browser import EN_DESKTOP, LOOKS
from tests.web.payloads import BATCH, PAYLOADS, alive, batches, missing
from tests.web.person import Person
from tests.web.served import Served

pytestmark = pytest.mark.weights
People = Callable[..., Person]
LISTED = 50
SAID_SO_FAR = "All have been said."
"""Stands after them: a payload itself may be a part of an earlier one."""
MARKDOWN = re.compile(r"[*`\\]|__")
_ANSWER = """turn => {
  const parts = [...turn.querySelectorAll("[data-testid=answer], .withheld")].map((part) => part.cloneNode(true));
  for (const part of parts) for (const chip of part.querySelectorAll("button")) chip.remove();
  return parts.map((part) => part.textContent).join("\\n");
}"""


def test_there_are_150() -> None:
    assert len(set(PAYLOADS)) == 150


def test_file_names(people: People, served: Served) -> None:
    base = served.base("names")
    served.rows(base, PAYLOADS)
    person = people(EN_DESKTOP, Role.ADMIN)
    unread: Sequence[str] = PAYLOADS
    for number in range(1, len(PAYLOADS) // LISTED + 1):
        person.open(f"/kb/{base}/documents?page={number}")
        expect(person.by("doc-row").first).to_be_visible()
        unread = missing(person.page.locator("main").inner_text(), unread)
        assert alive(person.page) == []
    assert unread == []
    for payload in PAYLOADS[:10]:
        person.by("doc-search").fill(payload)
        person.by("doc-search").press("Enter")
        expect(person.by("doc-search")).to_have_value(payload)
        assert alive(person.page) == []


def test_pdf_text_and_metadata(people: People, served: Served, sheets: str) -> None:
    """The document page with its text and chunks, and its name, which is the first payload."""
    documents = served.client.get(f"/v1/knowledge-bases/{sheets}/documents")["documents"]
    assert len(documents) == len(PAYLOADS) // BATCH
    person = people(EN_DESKTOP, Role.READER)
    unread: Sequence[str] = PAYLOADS
    for document in documents:
        person.open(f"/kb/{sheets}/documents/{document['id']}")
        expect(person.by("chunk-row").first).to_be_attached()
        unread = missing(person.page.locator("main").evaluate("main => main.textContent"), unread)
        assert alive(person.page) == []
    assert unread == []


@pytest.mark.parametrize("part", range(3))
def test_question_model_output_and_feedback(people: People, served: Served, sheets: str, part: int) -> None:
    """One conversation: its questions, answers and comments are payloads; then all of it again after a reload."""
    person = people(LOOKS[part], Role.READER)
    person.open(f"/kb/{sheets}/ask")
    mine = [batch for number, batch in batches(BATCH) if number % 3 == part]
    for batch in mine:
        served.model_says()
        expect(person.ask("\n".join(batch)).get_by_test_id("refusal")).to_be_visible()
        assert missing(asked(person.by("turn").last), batch) == []
        served.model_says(f"Quote: {batch[0]}\nAnswer: " + "\n".join(batch))
        turn = person.ask(f"{batch[0]} {batch[1]}")
        expect(turn.get_by_test_id("citation").first).to_be_visible()
        assert unread(turn, batch) == []
        assert alive(person.page) == []
        turn.get_by_test_id("feedback-down").click()
        comment = turn.get_by_test_id("feedback-comment")
        comment.fill("\n".join(batch))
        with person.page.expect_response("**/feedback"):
            comment.press("Control+Enter")
    person.page.reload()
    expect(person.by("turn")).to_have_count(2 * len(mine))
    for number, batch in enumerate(mine):
        assert missing(asked(person.by("turn").nth(2 * number)), batch) == []
        turn = person.by("turn").nth(2 * number + 1)
        assert unread(turn, batch) == []
        assert missing(turn.get_by_test_id("feedback-comment").input_value(), batch) == []
    assert alive(person.page) == []
    person.by("citation").first.click()
    expect(person.by("viewer-image")).to_be_visible()
    assert alive(person.page) == []


def test_model_output_while_it_is_written(people: People, served: Served, sheets: str) -> None:
    """The model falls silent in the middle: what it has said so far is there as text, as it was said.

    Only what the manuals say too is shown at once.
    """
    person = people(EN_DESKTOP, Role.READER)
    for _, batch in batches(BATCH):
        person.open(f"/kb/{sheets}/ask")
        said = "\n".join([*batch, SAID_SO_FAR])
        served.model_says(f"Answer: {said}\n" + "And more of it. " * (len(said) // 8), Fault.STALL_MIDWAY)
        turn = person.ask(f"{batch[0]} {batch[1]}")
        expect(turn.get_by_test_id("answer")).to_contain_text(SAID_SO_FAR)
        assert missing(turn.get_by_test_id("answer").inner_text(), batch) == []
        assert alive(person.page) == []
        person.by("stop").click()
        expect(turn).to_have_attribute("data-state", "stopped")
        assert alive(person.page) == []


def asked(turn: Locator) -> str:
    """The question of a turn, as it can be read."""
    return turn.get_by_role("heading").first.inner_text()


def unread(turn: Locator, batch: Sequence[str]) -> list[str]:
    """Payloads that cannot be read in the turn's answer, but those in which Markdown sees emphasis or code."""
    return missing(turn.evaluate(_ANSWER), [payload for payload in batch if not MARKDOWN.search(payload)])


def test_names_of_knowledge_bases_and_evaluations(people: People, served: Served) -> None:
    names = [payload[:110] for payload in PAYLOADS[::10]]
    person = people(EN_DESKTOP, Role.ADMIN)
    for name in names:
        served.base(name)
    person.open("/kb")
    assert missing(person.page.locator("main").inner_text(), names) == []
    assert alive(person.page) == []
    person.open("/evaluations")
    assert alive(person.page) == []
    person.open("/jobs")
    assert alive(person.page) == []
