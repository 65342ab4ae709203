"""Signing in with a key, what each role sees, and how a session ends."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from app.catalogue.keys import Role
from tests.web.browser import EN_DESKTOP, EN_PHONE, LOOKS, ZH_PHONE, Look
from tests.web.person import Person
from tests.web.served import SESSION_COOKIE, Served

pytestmark = pytest.mark.weights
People = Callable[..., Person]
REFUSED = r"the server responded with a status of 401"


def sign_in(person: Person, secret: str) -> None:
    person.by("key").fill(secret)
    person.by("sign-in").click()


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_key_leads_to_the_page_that_was_asked_for(people: People, served: Served, look: Look) -> None:
    _, secret = served.key(Role.READER)
    person = people(look, role=None)
    person.open("/jobs")
    expect(person.page).to_have_url(re.compile(r"/sign-in\?next="))
    person.watch.expect(REFUSED)
    sign_in(person, "mqa_wrong")
    expect(person.page.get_by_role("alert")).to_be_visible()
    sign_in(person, secret)
    expect(person.page).to_have_url(re.compile(r"/jobs$"))
    [cookie] = [one for one in person.context.cookies() if one["name"] == SESSION_COOKIE]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert secret not in cookie["value"]
    assert person.page.evaluate("document.cookie.includes('mqa_session')") is False


@pytest.mark.parametrize("look", [EN_DESKTOP, ZH_PHONE], ids=str)
def test_signing_out_ends_the_session_everywhere(people: People, served: Served, look: Look) -> None:
    cookie = served.signed_in(served.key(Role.READER)[1])
    person = people(look, cookie=cookie)
    person.open("/kb")
    person.by("sign-out").click()
    expect(person.by("key")).to_be_visible()
    person.open("/kb")
    expect(person.by("key")).to_be_visible()
    answer = httpx.get(f"{served.url}/v1/knowledge-bases", cookies={SESSION_COOKIE: cookie}, trust_env=False)
    assert answer.status_code == httpx.codes.UNAUTHORIZED


@pytest.mark.parametrize("look", [EN_DESKTOP, ZH_PHONE], ids=str)
def test_a_session_that_ended_leads_back_to_where_one_was(
    people: People, served: Served, manuals: str, look: Look
) -> None:
    key_id, secret = served.key(Role.READER)
    person = people(look, cookie=served.signed_in(secret))
    person.open(f"/kb/{manuals}/ask")
    served.client.delete(f"/v1/keys/{key_id}")
    person.watch.expect(REFUSED)
    person.by("question").fill(person.talk.question)
    person.by("ask").click()
    expect(person.page).to_have_url(re.compile(r"/sign-in"))
    sign_in(person, served.key(Role.READER)[1])
    expect(person.page).to_have_url(re.compile(rf"/kb/{manuals}/ask"))
    expect(person.by("question")).to_have_value(person.talk.question)


def test_a_one_time_link_works_once(people: People, served: Served) -> None:
    link = served.client.post("/v1/sign-in-links", {})["path"]
    first = people(EN_DESKTOP, role=None)
    first.open(link)
    expect(first.by("kb-create")).to_be_visible()
    second = people(EN_DESKTOP, role=None)
    second.watch.expect(REFUSED)
    second.open(link)
    expect(second.by("key")).to_be_visible()
    expect(second.page.get_by_role("alert")).to_be_visible()


@pytest.mark.parametrize("look", [EN_PHONE, ZH_PHONE], ids=str)
def test_readers_see_nothing_that_they_may_not_do(people: People, manuals: str, look: Look) -> None:
    person = people(look, Role.READER)
    person.open("/kb")
    expect(person.by("kb-card").first).to_be_visible()
    expect(person.by("kb-create")).to_have_count(0)
    person.open(f"/kb/{manuals}/documents")
    expect(person.by("doc-row")).to_have_count(2)
    for name in ("upload-input", "upload-folder", "delete"):
        expect(person.by(name)).to_have_count(0)
    person.watch.expect("status of 403")
    person.open(f"/kb/{manuals}/settings")
    for name in ("threshold", "delete"):
        expect(person.by(name)).to_have_count(0)
    person.open("/evaluations")
    expect(person.by("eval-start")).to_have_count(0)


@pytest.mark.parametrize("look", [EN_DESKTOP, ZH_PHONE], ids=str)
def test_editors_may_not_delete_a_knowledge_base(people: People, manuals: str, look: Look) -> None:
    person = people(look, Role.EDITOR)
    person.open(f"/kb/{manuals}/settings")
    expect(person.by("threshold")).to_be_visible()
    expect(person.by("delete")).to_have_count(0)
