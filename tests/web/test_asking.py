"""A question, its streamed answer with sources and citations, and what becomes of it when something breaks."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.fixtures.scripted_model import Fault
from tests.web.browser import Look
from tests.web.person import Person
from tests.web.served import Served
from tests.web.wire import a_wire

pytestmark = pytest.mark.weights
LIVELY_SECONDS = 10.0


def test_a_question_is_answered_with_its_proof(person: Person, manuals: str) -> None:
    """Sources, the answer by sentences with citations, its reasons; all of it is there again after a reload."""
    person.open(f"/kb/{manuals}/ask")
    person.ask(person.talk.question)
    expect(person.page).to_have_url(re.compile(rf"/kb/{manuals}/ask/con-\w+"))
    for _ in range(2):
        turn = person.by("turn").last
        for sentence in person.talk.answer:
            expect(turn.get_by_test_id("answer")).to_contain_text(sentence)
        expect(turn.get_by_test_id("citation").first).to_be_visible()
        expect(turn.get_by_test_id("source").first).to_contain_text(person.talk.document.removesuffix(".pdf"))
        turn.get_by_test_id("why").click()
        expect(turn).to_contain_text(re.compile(r"0\.\d\d"))
        person.page.reload()
    expect(person.by("history-item").first).to_contain_text(person.talk.question)


def test_the_answer_is_seen_while_it_is_written(person: Person, manuals: str, served: Served) -> None:
    """Half an answer and its sources are on the page while the model still writes; stop ends the model's request."""
    person.open(f"/kb/{manuals}/ask")
    served.model_says(fault=Fault.STALL_MIDWAY)
    turn = person.ask(person.talk.question)
    expect(turn.get_by_test_id("answer")).to_contain_text(person.talk.answer[0][:4])
    expect(turn.get_by_test_id("source").first).to_be_visible()
    assert not served.model.gone.is_set()
    person.by("stop").click()
    assert served.model.gone.wait(LIVELY_SECONDS), "the model was not told to stop"
    expect(person.by("ask")).to_be_enabled()
    served.model_says()
    person.ask(person.talk.question)
    expect(person.by("answer").last).to_contain_text(person.talk.answer[1])
    person.page.reload()
    expect(person.by("turn")).to_have_count(2)


def test_a_lost_connection_is_said_and_nothing_is_lost(
    people: Callable[..., Person], look: Look, manuals: str, served: Served
) -> None:
    """The page says so at once, and takes up what the server has kept as soon as there is a connection again."""
    with a_wire(served.url) as wire:
        person = people(look, url=wire.url)
        person.watch.expect(r"net::ERR_\w+")
        person.open(f"/kb/{manuals}/ask")
        served.model_says(fault=Fault.STALL_MIDWAY)
        turn = person.ask(person.talk.question)
        expect(turn.get_by_test_id("answer")).to_contain_text(person.talk.answer[0][:4])
        wire.cut()
        expect(turn.get_by_role("alert")).to_contain_text(look.of(en="connection", zh="连接"))
        assert served.model.gone.wait(LIVELY_SECONDS), "the model was not told to stop"
        wire.mend()
        expect(turn).to_have_attribute("data-state", "stopped")
        served.model_says()
        turn.locator("[data-again]").click()
        expect(person.by("answer").last).to_contain_text(person.talk.answer[1])
        person.page.reload()
        expect(person.by("turn")).to_have_count(2)


def test_a_refusal_says_why_and_shows_what_came_nearest(person: Person, manuals: str) -> None:
    person.open(f"/kb/{manuals}/ask")
    person.ask(person.talk.off_topic)
    for _ in range(2):
        turn = person.by("turn").last
        expect(turn.get_by_test_id("refusal")).to_be_visible()
        expect(turn.get_by_test_id("citation")).to_have_count(0)
        expect(turn.get_by_test_id("source").first).to_be_visible()
        person.page.reload()


def test_without_the_model_the_manuals_own_words_are_given(person: Person, manuals: str, served: Served) -> None:
    person.open(f"/kb/{manuals}/ask")
    served.model_says(fault=Fault.ERROR_500)
    turn = person.ask(person.talk.question)
    expect(turn.get_by_test_id("citation").first).to_be_visible()
    expect(turn.get_by_test_id("answer")).to_contain_text(person.look.of(en="E-05", zh="F-05"))


def test_a_second_question_is_rewritten_to_stand_alone(person: Person, manuals: str) -> None:
    person.open(f"/kb/{manuals}/ask")
    person.ask(person.talk.question)
    expect(person.by("answer").last).to_contain_text(person.talk.answer[1])
    person.ask(person.talk.follow_up)
    for _ in range(2):
        turn = person.by("turn").last
        expect(turn.get_by_test_id("rewritten")).to_contain_text(person.talk.rewritten)
        expect(turn.get_by_test_id("answer")).to_contain_text(person.talk.second_answer)
        person.page.reload()
    expect(person.by("turn")).to_have_count(2)


def test_an_answer_is_judged_and_copied_with_its_citations(person: Person, manuals: str) -> None:
    person.context.grant_permissions(["clipboard-read", "clipboard-write"])
    person.open(f"/kb/{manuals}/ask")
    turn = person.ask(person.talk.question)
    expect(turn.get_by_test_id("citation").first).to_be_visible()
    turn.get_by_test_id("copy").click()
    expect(person.by("toast").first).to_be_visible()
    copied = person.page.evaluate("navigator.clipboard.readText()")
    assert person.talk.answer[0] in copied
    assert person.talk.document in copied
    comment = f"not the whole truth {person.look}"
    turn.get_by_test_id("feedback-down").click()
    expect(turn.get_by_test_id("feedback-down")).to_have_attribute("aria-pressed", "true")
    turn.get_by_test_id("feedback-comment").fill(comment)
    with person.page.expect_response("**/feedback"):
        turn.get_by_test_id("feedback-comment").press("Control+Enter")
    expect(turn.get_by_test_id("feedback-down")).to_have_attribute("aria-pressed", "true")
    person.page.reload()
    expect(person.by("feedback-down")).to_have_attribute("aria-pressed", "true")
    expect(person.by("turn")).to_contain_text(comment)
    person.by("feedback-up").click()
    expect(person.by("feedback-up")).to_have_attribute("aria-pressed", "true")


def test_history_is_ones_own(person: Person, manuals: str) -> None:
    person.open(f"/kb/{manuals}/ask")
    person.ask(person.talk.question)
    expect(person.by("citation").first).to_be_visible()
    address = person.page.url
    person.open(f"/kb/{manuals}/ask")
    expect(person.by("turn")).to_have_count(0)
    person.open(address)
    expect(person.by("turn")).to_have_count(1)
