"""The pages as the server sends them: to whom, in which language, with every name inert."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from app.api.web.static import FOR_EVER, assets
from app.catalogue.keys import Role
from tests.unit.api.conftest import Api

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}'
NOBODY = {"Authorization": ""}
ZH = {"Accept-Language": "zh-CN,zh;q=0.9"}


class _Tags(HTMLParser):
    """What stands in a page: tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    return _Tags(text).tags


def page(api: Api, path: str, status: int = 200, **headers: str) -> str:
    answer = api.client.get(path, headers=headers, follow_redirects=False)
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


def role_of(api: Api, role: Role) -> dict[str, str]:
    _, secret = api.services.keys.create(f"a {role}", role)
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="package")
def evil(api: Api) -> tuple[str, str]:
    """A knowledge base and a document with names that would be markup."""
    base = api.base(EVIL)
    return base, str(api.ready(base, f"{EVIL}.md", b"# Heading\n\nThe lamp L-3 has 3 W.\n")["id"])


@pytest.fixture(scope="package")
def paths(evil: tuple[str, str]) -> list[str]:
    base, document = evil
    return [
        "/kb",
        f"/kb/{base}/ask",
        f"/kb/{base}/documents",
        f"/kb/{base}/documents/{document}",
        f"/kb/{base}/settings",
        "/evaluations",
        "/jobs",
    ]


def test_without_a_session_every_page_leads_to_the_sign_in_page_and_back(api: Api, paths: list[str]) -> None:
    for path in [
        *paths,
        "/",
        "/kb/kb-none/turns/turn-1",
        "/evaluations/eval-1",
        "/evaluations/compare?before=a&after=b",
    ]:
        answer = api.client.get(path, headers=NOBODY, follow_redirects=False)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/sign-in?next=%2F"), path
    asked = api.client.get("/kb/x/documents?q=a&page=2", headers=NOBODY, follow_redirects=False)
    assert asked.headers["location"] == "/sign-in?next=%2Fkb%2Fx%2Fdocuments%3Fq%3Da%26page%3D2"


def test_names_are_text_wherever_they_stand(api: Api, paths: list[str]) -> None:
    for path in paths:
        text = page(api, path)
        assert "alert(1)</script>" not in text, path
        for tag, attributes in tags(text):
            assert not [name for name in attributes if name.startswith("on") or name == "style"], (path, tag)
            assert (tag, attributes.get("src")) != ("img", "x"), path
        assert "{{7*7}}" in text or EVIL not in text


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(api: Api, paths: list[str]) -> None:
    for path in [*paths, "/kb/nothing"]:
        text = api.client.get(path).text
        for tag, attributes in tags(text):
            if tag == "script":
                inert = attributes.get("type") == "application/json"
                assert inert or attributes.get("src", "").startswith("/static/"), (path, attributes)  # type: ignore[union-attr]
            assert tag != "style", path
            for name in ("src", "href", "action"):
                assert not re.match(r"(?:\w+:|//)", attributes.get(name) or ""), (path, tag, attributes)


def test_each_page_is_in_the_language_asked_for(api: Api, paths: list[str]) -> None:
    for path in paths:
        english, chinese = page(api, path), page(api, path, **ZH)
        assert '<html lang="en"' in english, path
        assert '<html lang="zh-CN"' in chinese, path
        assert "退出登录" in chinese
        assert "退出登录" not in english


def test_the_theme_is_the_one_chosen(api: Api) -> None:
    assert 'data-theme="auto"' in page(api, "/kb")
    assert 'data-theme="dark"' in page(api, "/kb", Cookie="mqa_theme=dark")
    assert 'data-theme="auto"' in page(api, "/kb", Cookie='mqa_theme="><b>')


def test_pages_are_kept_by_nobody_and_come_compressed(api: Api) -> None:
    plain = api.client.get("/kb", headers={"Accept-Encoding": "identity"})
    packed = api.client.get("/kb", headers={"Accept-Encoding": "gzip"})
    assert plain.headers["cache-control"] == packed.headers["cache-control"] == "no-store"
    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.text) == ("gzip", plain.text)


def test_readers_see_nothing_that_they_may_not_do(api: Api, evil: tuple[str, str]) -> None:
    base, document = evil
    reader = role_of(api, Role.READER)
    for path in ("/kb", f"/kb/{base}/documents", f"/kb/{base}/documents/{document}", "/evaluations", "/jobs"):
        text = page(api, path, **reader)
        for name in ("kb-create", "upload-input", "delete", "retry", "eval-start", "job-cancel"):
            assert f'data-testid="{name}"' not in text, (path, name)
    assert "/settings" not in page(api, f"/kb/{base}/ask", **reader)
    assert "role" in page(api, f"/kb/{base}/settings", 403, **reader)


def test_only_administrators_can_delete_a_knowledge_base(api: Api, evil: tuple[str, str]) -> None:
    settings = f"/kb/{evil[0]}/settings"
    assert 'data-testid="delete"' not in page(api, settings, **role_of(api, Role.EDITOR))
    assert 'data-testid="delete"' in page(api, settings, **role_of(api, Role.ADMIN))


@pytest.mark.parametrize(
    "path", ["/kb/kb-none", "/kb/kb-none/ask", "/kb/kb-none/documents", "/evaluations/eval-none", "/jobs?page=0"]
)
def test_what_is_not_there_is_said_on_a_page(api: Api, path: str) -> None:
    assert "There is nothing here" in page(api, path, 404)
    assert "这里没有内容" in page(api, path, 404, **ZH)


def test_an_address_that_nobody_has_is_a_page_for_people_and_a_problem_for_programs(api: Api) -> None:
    assert "There is nothing here" in page(api, "/nothing", 404, **NOBODY, Accept="text/html,*/*;q=0.8")
    for path, accept in (("/nothing", "*/*"), ("/v1/nothing", "text/html")):
        assert api.client.get(path, headers={"Accept": accept}).json()["code"] == "route_not_found"


def test_pages_of_one_knowledge_base_show_nothing_of_another(api: Api, evil: tuple[str, str], kettle: str) -> None:
    page(api, f"/kb/{kettle}/documents/{evil[1]}", 404)
    page(api, f"/kb/{evil[0]}/documents/{evil[1]}?page=99", 404)


def test_a_knowledge_base_opens_where_there_is_something_to_do(api: Api, kettle: str) -> None:
    empty = api.base("nothing in it yet")

    def leads(base: str, headers: dict[str, str]) -> str:
        return api.client.get(f"/kb/{base}", headers=headers, follow_redirects=False).headers["location"]

    assert leads(kettle, {}) == f"/kb/{kettle}/ask"
    assert leads(empty, {}) == f"/kb/{empty}/documents"
    assert leads(empty, role_of(api, Role.READER)) == f"/kb/{empty}/ask"


def test_the_list_of_documents_is_searched_and_sorted(api: Api) -> None:
    base = api.base("a list")
    for name in ("apple.md", "pear.md", "apple pie.md"):
        api.ready(base, name, f"# {name}\n\nIt is a fruit.\n".encode())

    def shown(query: str) -> list[str]:
        return re.findall(r'class="doc-name" href="[^"]*">([^<]*)<', page(api, f"/kb/{base}/documents?{query}"))

    assert shown("q=APPLE&sort=name") == ["apple pie.md", "apple.md"]
    assert shown("sort=-name&state=ready") == ["pear.md", "apple.md", "apple pie.md"]
    assert shown("state=failed") == []
    assert len(shown("sort=nonsense&state=nonsense")) == 3
    assert "No document matches" in page(api, f"/kb/{base}/documents?q=plum")


def test_a_document_that_failed_says_why(api: Api) -> None:
    base = api.base("failures")
    document = api.ready(base, "blank.md", b" \n \n")
    assert document["state"] == "failed"
    for path in (f"/kb/{base}/documents", f"/kb/{base}/documents/{document['id']}"):
        assert document["error"]["message"] in page(api, path)


def test_jobs_are_listed_by_state(api: Api, evil: tuple[str, str]) -> None:  # noqa: ARG001 - it has jobs
    assert 'data-testid="job-row"' in page(api, "/jobs")
    assert 'data-state="failed"' not in page(api, "/jobs?state=done")


# --- conversations ----------------------------------------------------------------------------------------------------


def asked(api: Api, base: str, question: str, reply: str) -> tuple[str, str]:
    """The ids of a conversation and of its only turn."""
    api.model_says(reply)
    conversation = api.client.post(f"/v1/knowledge-bases/{base}/conversations", json={}).json()["id"]
    assert api.client.post(f"/v1/conversations/{conversation}/ask", json={"question": question}).status_code == 200
    [turn] = api.client.get(f"/v1/conversations/{conversation}").json()["turns"]
    return conversation, turn["id"]


def test_a_turn_is_shown_with_its_proof_alone_and_in_its_conversation(api: Api, kettle: str) -> None:
    question = "What does E-04 mean?"
    reply = "Quote: E-04 means that the water tank is empty.\nAnswer: E-04 means that the **water tank** is empty."
    conversation, turn = asked(api, kettle, question, reply)
    for path in (f"/kb/{kettle}/turns/{turn}", f"/kb/{kettle}/ask/{conversation}"):
        text = page(api, path)
        assert "<strong>water tank</strong>" in text
        assert 'data-testid="citation"' in text
        assert 'data-quote="E-04 means that the water tank is empty."' in text
        assert "kettle.md" in text
    assert question in page(api, f"/kb/{kettle}/ask")


def test_a_conversation_is_nobody_elses(api: Api, kettle: str, evil: tuple[str, str]) -> None:
    conversation, turn = asked(api, kettle, "What does E-04 mean?", "Quote: none\nAnswer: Not stated in the manuals.")
    other = role_of(api, Role.ADMIN)
    page(api, f"/kb/{kettle}/ask/{conversation}", 404, **other)
    page(api, f"/kb/{kettle}/turns/{turn}", 404, **other)
    page(api, f"/kb/{evil[0]}/ask/{conversation}", 404)
    page(api, f"/kb/{evil[0]}/turns/{turn}", 404)


def test_a_refusal_explains_itself(api: Api, kettle: str) -> None:
    _, turn = asked(api, kettle, "Which error needs a new heater?", "Quote: none\nAnswer: Not stated in the manuals.")
    text = page(api, f"/kb/{kettle}/turns/{turn}")
    assert 'data-testid="refusal"' in text
    assert "The nearest passages" in text
    assert 'data-testid="citation"' not in text


def test_what_is_asked_and_written_is_text(api: Api, kettle: str) -> None:
    reply = f"Quote: E-04 means that the water tank is empty.\nAnswer: E-04 means that the water tank is empty {EVIL}."
    conversation, _ = asked(api, kettle, f"What does E-04 mean? {EVIL}", reply)
    text = page(api, f"/kb/{kettle}/ask/{conversation}")
    assert "alert(1)</script>" not in text
    assert not [attributes for tag, attributes in tags(text) if tag == "img" and attributes.get("src") == "x"]


# --- evaluations ------------------------------------------------------------------------------------------------------


def test_an_evaluation_is_shown_and_compared(api: Api, kettle: str) -> None:
    api.model_says("Quote: E-04 means that the water tank is empty.\nAnswer: E-04 means that the water tank is empty.")
    body = {
        "knowledge_base_id": kettle,
        "question_set_name": "two <b>",
        "questions": '{"id": "a", "question": "What does E-04 mean?", "answers": ["the water tank is empty"]}\n',
    }
    ids = []
    for _ in range(2):
        made = api.client.post("/v1/evaluations", json=body)
        assert made.status_code == 202, made.text
        ids.append(made.json()["id"])
        api.until(lambda: api.client.get(f"/v1/evaluations/{ids[-1]}").json()["finished_at"] is not None)
    text = page(api, f"/evaluations/{ids[0]}")
    assert 'data-testid="eval-report"' in text
    assert "100%" in text
    assert "two &lt;b&gt;" in page(api, "/evaluations")
    compared = page(api, f"/evaluations/compare?before={ids[0]}&after={ids[1]}", **ZH)
    assert "共有 1 个相同问题" in compared
    for evaluation in ids:
        api.client.delete(f"/v1/evaluations/{evaluation}")


# --- files ------------------------------------------------------------------------------------------------------------


def test_files_are_served_under_the_digest_of_them_all(api: Api) -> None:
    for path, asset in assets().files.items():
        answer = api.client.get(assets().url(path), headers={**NOBODY, "Accept-Encoding": "identity"})
        assert answer.content == asset.content
        assert answer.headers["cache-control"] == FOR_EVER
        assert answer.headers["x-content-type-options"] == "nosniff"
    packed = api.client.get(assets().url("css/base.css"), headers={"Accept-Encoding": "gzip"})
    assert (packed.headers["content-encoding"], packed.content) == ("gzip", assets().files["css/base.css"].content)


@pytest.mark.parametrize(
    "path", ["0000000000000000/css/base.css", "{digest}/no.css", "{digest}/../words.py", "{digest}/"]
)
def test_no_other_file_is_served(api: Api, path: str) -> None:
    assert api.client.get(f"/static/{path.format(digest=assets().digest)}").status_code == 404


def test_pages_name_only_files_that_are_there(api: Api, paths: list[str]) -> None:
    named = {address for path in [*paths, "/sign-in"] for address in re.findall(r'"(/static/[^"]+)"', page(api, path))}
    assert len(named) > 15
    assert {address for address in named if address not in {assets().url(file) for file in assets().files}} == set()


def test_modules_import_only_modules_that_are_there() -> None:
    for path, asset in assets().files.items():
        if path.endswith(".js"):
            for name in re.findall(r'from "(.+?)"|^import "(.+?)"', asset.content.decode(), re.MULTILINE):
                assert f"js/{''.join(name).removeprefix('./')}" in assets().files, (path, name)
