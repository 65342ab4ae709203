"""Signing in with a key, with a one-time link and not at all; what a cookie may do and from where."""

from __future__ import annotations

import time
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from app.api.sign_in_links import SignInLinks, is_loopback
from app.api.web.forms import local_path
from app.catalogue.keys import Role
from app.errors import SignInLinkInvalid
from tests.unit.api.conftest import Api
from tests.unit.api.test_bad_requests import problem

ZH = {"Accept-Language": "zh"}


def send(browser: TestClient, path: str, headers: dict[str, str] | None = None, **fields: str) -> Response:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return browser.post(path, content=urlencode(fields), headers={**form, **(headers or {})})


def a_link(api: Api, **headers: str) -> str:
    made = api.client.post("/v1/sign-in-links", headers=headers)
    assert made.status_code == 201
    return str(made.json()["path"])


def without_fetch_site(api: Api, cookie: str, **headers: str) -> Response:
    client = TestClient(api.client.app, base_url="http://manuals.example:8080", cookies={"mqa_session": cookie})
    return client.post("/v1/knowledge-bases/kb-none/search", json={"question": "E-04"}, headers=headers)


def test_a_key_opens_a_session_and_the_cookie_is_no_key(api: Api, browser: TestClient) -> None:
    answer = send(browser, "/sign-in", key=f" {api.secret} ", next="/kb?page=2")
    assert (answer.status_code, answer.headers["location"]) == (303, "/kb?page=2")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert api.secret not in cookie
    assert browser.get("/v1/knowledge-bases").status_code == 200
    session = browser.cookies["mqa_session"]
    problem(browser.get("/v1/keys", headers={"Authorization": f"Bearer {session}"}), 401, "key_invalid")


def test_over_https_the_cookie_is_kept_to_it(api: Api) -> None:
    client = TestClient(
        api.client.app,
        base_url="https://manuals.example",
        headers={"Sec-Fetch-Site": "same-origin"},
        follow_redirects=False,
    )
    assert "Secure" in send(client, "/sign-in", key=api.secret).headers["set-cookie"]


@pytest.mark.parametrize("key", ["", "mqa_wrong", "x" * 10_000, "密钥"])
def test_a_wrong_key_is_refused_after_a_moment(browser: TestClient, key: str) -> None:
    started = time.monotonic()
    answer = send(browser, "/sign-in", headers=ZH, key=key, next="/jobs")
    assert time.monotonic() - started >= 0.05
    assert answer.status_code == 401
    assert "API 密钥无效" in answer.text
    assert 'value="/jobs"' in answer.text
    assert "set-cookie" not in answer.headers


def test_a_session_has_the_role_of_its_key_and_ends_with_it(api: Api, browser: TestClient) -> None:
    made = api.client.post("/v1/keys", json={"name": "desk", "role": Role.READER}).json()
    send(browser, "/sign-in", key=made["secret"])
    assert browser.get("/v1/knowledge-bases").status_code == 200
    problem(browser.post("/v1/knowledge-bases", json={"name": "desk"}), 403, "role_too_low")
    api.client.delete(f"/v1/keys/{made['id']}")
    ended = browser.get("/v1/knowledge-bases")
    problem(ended, 401, "session_ended")


def test_signing_out_ends_the_session_on_the_server(api: Api, browser: TestClient) -> None:
    send(browser, "/sign-in", key=api.secret)
    stolen = browser.cookies["mqa_session"]
    answer = send(browser, "/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert "mqa_session" not in browser.cookies
    problem(browser.get("/v1/knowledge-bases"), 401, "key_missing")
    browser.cookies.set("mqa_session", stolen)
    problem(browser.get("/v1/knowledge-bases"), 401, "session_ended")


def test_signing_in_again_ends_the_session_before(api: Api, browser: TestClient) -> None:
    send(browser, "/sign-in", key=api.secret)
    before = browser.cookies["mqa_session"]
    send(browser, "/sign-in", key=api.secret)
    assert browser.get("/v1/knowledge-bases").status_code == 200
    other = TestClient(api.client.app, cookies={"mqa_session": before})
    problem(other.get("/v1/knowledge-bases"), 401, "session_ended")


def test_the_sign_in_page_lets_who_is_signed_in_go_on(api: Api, browser: TestClient) -> None:
    asked = browser.get("/sign-in", params={"next": "/jobs"})
    assert asked.status_code == 200
    assert 'value="/jobs"' in asked.text
    send(browser, "/sign-in", key=api.secret)
    assert browser.get("/sign-in", params={"next": "/jobs"}).headers["location"] == "/jobs"


def test_a_key_in_the_header_wins_over_the_cookie(api: Api, browser: TestClient) -> None:
    send(browser, "/sign-in", key=api.secret)
    problem(browser.get("/v1/knowledge-bases", headers={"Authorization": "Bearer no"}), 401, "key_invalid")
    browser.cookies.set("mqa_session", "nonsense")
    key = {"Authorization": f"Bearer {api.secret}", "Sec-Fetch-Site": "cross-site"}
    assert browser.post("/v1/keys", json={"name": "a", "role": "reader"}, headers=key).status_code == 201


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
def test_by_cookie_nothing_is_changed_from_another_site(api: Api, browser: TestClient, site: str) -> None:
    send(browser, "/sign-in", key=api.secret)
    from_there = {"Sec-Fetch-Site": site}
    problem(browser.post("/v1/keys", json={"name": "a"}, headers=from_there), 403, "cross_site")
    problem(browser.delete("/v1/keys/key-none", headers=from_there), 403, "cross_site")
    problem(send(browser, "/sign-out", headers=from_there), 403, "cross_site")
    problem(send(browser, "/sign-in", headers=from_there, key=api.secret), 403, "cross_site")
    assert browser.get("/v1/knowledge-bases", headers=from_there).status_code == 200


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("http://manuals.example:8080", "knowledge_base_not_found"),
        ("https://MANUALS.example:8080", "knowledge_base_not_found"),
        ("http://manuals.example", "cross_site"),
        ("http://evil.example", "cross_site"),
        ("http://[", "cross_site"),
        ("null", "cross_site"),
        (None, "cross_site"),
    ],
)
def test_browsers_that_say_no_site_must_name_our_origin(api: Api, origin: str | None, code: str) -> None:
    cookie = api.services.web_sessions.open("local")
    headers = {} if origin is None else {"Origin": origin}
    assert without_fetch_site(api, cookie, **headers).json()["code"] == code


def test_a_link_signs_in_once_with_the_key_that_made_it(api: Api, browser: TestClient) -> None:
    local = a_link(api, Authorization="Bearer local-token")
    answer = browser.get(local)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/v1/keys").status_code == 200
    again = TestClient(api.client.app, client=("127.0.0.1", 1), follow_redirects=False).get(local)
    assert again.status_code == 401
    assert "manualqa link" in again.text
    assert "set-cookie" not in again.headers


def test_only_an_admin_makes_links(api: Api) -> None:
    made = api.client.post("/v1/keys", json={"name": "desk", "role": Role.EDITOR}).json()
    own = {"Authorization": f"Bearer {made['secret']}"}
    problem(api.client.post("/v1/sign-in-links", headers=own), 403, "role_too_low")


def test_a_link_is_for_this_machine_and_stays_for_it(api: Api, browser: TestClient) -> None:
    link = a_link(api)
    far = TestClient(api.client.app, client=("192.168.1.7", 50000), follow_redirects=False)
    assert far.get(link).status_code == 401
    assert browser.get(link).status_code == 303


def test_a_link_ends_and_only_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    links = SignInLinks()
    first, _ = links.make("local")
    tokens = [links.make("local")[0] for _ in range(20)]
    with pytest.raises(SignInLinkInvalid):
        links.use(first, "127.0.0.1")
    assert links.use(tokens[0], "::1") == "local"
    late, link = links.make("local")
    monkeypatch.setattr("app.api.sign_in_links.now", lambda: link.expires_at)
    with pytest.raises(SignInLinkInvalid):
        links.use(late, "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_which_addresses_are_this_machine(host: str, own: bool) -> None:
    assert is_loopback(host) is own


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "kb",
        "/\tevil",
        "/a\nb",
        "",
        "/" + "x" * 3000,
        "///evil.example",
        "http:/kb",
        " /kb",
    ],
)
def test_nobody_is_led_away_from_this_server(address: str) -> None:
    assert local_path(address) == "/"


def test_a_place_on_this_server_stays() -> None:
    for address in ("/", "/kb/kb-1/documents?q=a%20b&sort=name", "/sign-in?next=//x", "/kb/手册"):
        assert local_path(address) == address
    assert local_path(None) == "/"


@pytest.mark.parametrize(("path", "field", "value"), [("/language", "language", "zh"), ("/theme", "theme", "dark")])
def test_choices_are_kept_for_a_year(browser: TestClient, path: str, field: str, value: str) -> None:
    answer = send(browser, path, next="/sign-in?next=%2Fjobs", **{field: value})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fjobs")
    assert browser.cookies[f"mqa_{field}"] == value
    assert "Max-Age=31536000" in answer.headers["set-cookie"]
    problem(send(browser, path, **{field: "<b>"}), 400, "invalid_request")
    problem(send(browser, path, headers={"Sec-Fetch-Site": "cross-site"}, **{field: value}), 403, "cross_site")
    if field == "language":
        assert 'lang="zh' in browser.get("/sign-in", headers={"Accept-Language": "en"}).text
        assert "没有知识库" in browser.get("/v1/nothing").text or "此地址不存在" in browser.get("/v1/nothing").text


def test_what_is_no_form_is_refused(browser: TestClient) -> None:
    problem(browser.post("/sign-in", json={"key": "x"}), 400, "invalid_request")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    problem(browser.post("/sign-in", content=b"key=\xff", headers=form), 400, "invalid_request")
    problem(browser.post("/sign-in", content=b"a=1&" * 30, headers=form), 400, "invalid_request")
    problem(browser.post("/sign-in", content=b"key=" + b"x" * 300_000, headers=form), 413, "body_too_large")
