"""Bad input: a typed problem in the language asked for, and nothing kept of it."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from app.api import (
    adapters,
    calibration,
    conversations,
    documents,
    evaluations,
    finetune,
    health,
    jobs,
    keys,
    knowledge_bases,
    maintenance,
    metrics,
    page_images,
    questions,
    sign_in_links,
)
from app.api.compatible import chat, embeddings, models
from app.api.compatible.faults import is_compatible
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from tests.fixtures.pdfs import a_pdf, a_pdf_of_images
from tests.unit.api.conftest import Api

ZH = {"Accept-Language": "zh-CN"}


def described_routes() -> list[tuple[str, str]]:
    """(method, path) of every route of the API; needs no server."""
    app = FastAPI()
    modules = (health, knowledge_bases, documents, jobs, questions, evaluations, calibration, keys)
    for module in (
        *modules,
        maintenance,
        metrics,
        page_images,
        sign_in_links,
        conversations,
        adapters,
        finetune,
        models,
        chat,
        embeddings,
    ):
        app.include_router(module.router)
    return [(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods]


def problem(response: Any, status: int, code: str) -> dict[str, Any]:  # noqa: ANN401
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["code"], body["status"]) == (code, status)
    return dict(body)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "key_missing"),
        ({"Authorization": "Bearer nope"}, "key_invalid"),
        ({"Authorization": "Basic x"}, "key_missing"),
    ],
)
def test_nothing_but_health_is_open(api: Api, headers: dict[str, str], code: str) -> None:
    routes = [(method, path) for method, path in described_routes() if path not in ("/healthz", "/readyz")]
    assert len(routes) > 15
    openais = [(method, path) for method, path in routes if is_compatible(path)]
    assert len(openais) == 4
    for method, path in routes:
        address = path.replace("{knowledge_base_id}", "kb-1").replace("{document_id}", "doc-1").replace("{page}", "1")
        sent = {"Authorization": "", **headers}
        response = api.client.request(method, address, headers=sent, params={"name": "x.pdf"})
        if (method, path) in openais:
            assert (response.status_code, response.json()["error"]["code"]) == (401, code)
        else:
            problem(response, 401, code)
        assert response.headers["www-authenticate"] == "Bearer"


def test_errors_speak_the_language_asked_for(api: Api) -> None:
    chinese = problem(api.client.get("/v1/knowledge-bases/kb-none", headers=ZH), 404, "knowledge_base_not_found")
    english = problem(api.client.get("/v1/knowledge-bases/kb-none"), 404, "knowledge_base_not_found")
    assert "没有知识库" in chinese["title"]
    assert "There is no knowledge base" in english["title"]


def test_unknown_routes_fields_and_methods(api: Api) -> None:
    problem(api.client.get("/v1/nothing"), 404, "route_not_found")
    problem(api.client.put("/v1/knowledge-bases"), 405, "method_not_allowed")
    extra = problem(api.client.post("/v1/knowledge-bases", json={"name": "a", "admin": True}), 422, "invalid_input")
    assert extra["errors"][0]["field"] == "body.admin"
    broken = api.client.post("/v1/knowledge-bases", content=b"{", headers={"Content-Type": "application/json"})
    problem(broken, 400, "invalid_request")


def test_a_body_beyond_the_limit_is_refused_with_or_without_its_length(api: Api) -> None:
    problem(api.client.post("/v1/knowledge-bases", content=b"x" * 300_000), 413, "body_too_large")
    problem(api.client.post("/v1/knowledge-bases", content=iter([b"x" * 100_000] * 3)), 413, "body_too_large")


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("notes.pdf", b"<html>not found</html>", 422, "unreadable"),
        ("empty.pdf", b"", 422, "empty_file"),
        ("program.exe", b"MZ\x90\x00", 415, "unsupported_type"),
        ("..", b"text", 422, "invalid_name"),
        ("big.txt", b"x" * 2_100_000, 413, "body_too_large"),
    ],
)
def test_uploads_refused_at_the_door_leave_nothing(api: Api, name: str, content: bytes, status: int, code: str) -> None:
    base = api.base(f"door {name}")
    before = sorted(api.services.files._folder.rglob("*"))
    path = f"/v1/knowledge-bases/{base}/documents"
    body = problem(api.client.post(path, params={"name": name}, content=content, headers=ZH), status, code)
    assert any("\u4e00" <= character <= "\u9fff" for character in body["title"])
    assert api.client.get(path).json()["documents"] == []
    assert sorted(api.services.files._folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("truncated.pdf", a_pdf(["A page of text that is long enough."] * 3)[:200], "unreadable"),
        ("locked.pdf", a_pdf(user_password="open sesame"), "encrypted"),
        ("scan.pdf", a_pdf_of_images(), "needs_ocr"),
        ("blank.txt", b"   \n  \n", "no_text"),
    ],
)
def test_documents_that_cannot_be_read_say_why(api: Api, name: str, content: bytes, code: str) -> None:
    base = api.base(f"unread {name}")
    document = api.ready(base, name, content)
    assert document["state"] == "failed"
    assert document["error"]["code"] == code
    assert name in document["error"]["message"]
    shown = api.client.get(f"/v1/knowledge-bases/{base}/documents/{document['id']}", headers=ZH).json()
    assert any("\u4e00" <= character <= "\u9fff" for character in shown["error"]["message"])
    hits = api.client.post(f"/v1/knowledge-bases/{base}/search", json={"question": "text"}).json()["hits"]
    assert hits == []


def test_a_name_is_never_a_path(api: Api) -> None:
    base = api.base("paths")
    document = api.ready(base, "../../etc/passwd\u202e.txt", b"The pump needs 12 V.")
    assert document["name"] == "passwd.txt"
    stored = api.services.files.blobs.path(document["sha256"])
    assert stored.is_file()
    assert stored.resolve().is_relative_to(api.services.files._folder.resolve())


def test_an_unknown_knowledge_base_takes_no_upload(api: Api) -> None:
    path = "/v1/knowledge-bases/kb-none/documents"
    problem(api.client.post(path, params={"name": "a.txt"}, content=b"text"), 404, "knowledge_base_not_found")


def test_a_crash_is_a_problem_without_a_traceback(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("secret path /srv/x")

    monkeypatch.setattr(api.services.bases, "all", crash)
    with pytest.raises(RuntimeError):
        api.client.get("/v1/knowledge-bases")
    api.client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    try:
        response = api.client.get("/v1/knowledge-bases")
    finally:
        api.client._transport.raise_server_exceptions = True  # type: ignore[attr-defined]
    problem(response, 500, "manualqa_error")
    assert "secret" not in response.text


def test_what_is_wrong_with_a_request_is_told_in_chinese(api: Api) -> None:
    sent = {"name": "", "threshold": 2, "admin": True}
    body = problem(api.client.post("/v1/knowledge-bases", json=sent, headers=ZH), 422, "invalid_input")
    assert body["errors"] == [
        {"field": "body.name", "reason": "至少须有 1 个字符"},
        {"field": "body.threshold", "reason": "不得大于 1"},
        {"field": "body.admin", "reason": "没有这个字段"},
    ]
    assert (
        body["title"] == "请求无效：body.name：至少须有 1 个字符；body.threshold：不得大于 1；body.admin：没有这个字段"
    )
    batch = {"questions": ["a"] * 51}
    path = f"/v1/knowledge-bases/{api.base('batch limit')}/ask-batch"
    many = problem(api.client.post(path, json=batch, headers=ZH), 422, "invalid_input")
    assert "共 51 个问题" in many["title"]


def test_readiness_says_why_a_part_is_away_in_chinese(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    away = OpenAICompatibleModel("away", FixedEndpoint("http://127.0.0.1:1/v1"), first_token_seconds=1, total_seconds=1)
    monkeypatch.setattr(api.services.health, "_model", away)
    assert api.client.get("/readyz", headers=ZH).json()["parts"]["model"]["detail"] == "无法连接"
    assert api.client.get("/readyz").json()["parts"]["model"]["detail"] == "no connection"
    assert api.client.portal is not None
    api.client.portal.call(away.close)


def test_bodies_are_strict_and_whole(api: Api, kettle: str) -> None:
    for field, value in (("limit", "3"), ("threshold", "0.5"), ("limit", 3.5)):
        body = {"question": "E-04", field: value}
        problem(api.client.post(f"/v1/knowledge-bases/{kettle}/search", json=body), 422, "invalid_input")
    broken = b'{"question": "E-04 \\ud800"}'
    sent = {"Content-Type": "application/json"}
    for path in ("search", "ask"):
        response = api.client.post(f"/v1/knowledge-bases/{kettle}/{path}", content=broken, headers=sent)
        problem(response, 422, "invalid_input")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe"], ids=["no JSON", "no text"])
def test_without_a_key_a_broken_body_is_not_even_looked_at(api: Api, content: bytes) -> None:
    headers = {"Authorization": "", "Content-Type": "application/json"}
    problem(api.client.post("/v1/keys", content=content, headers=headers), 401, "key_missing")
    with_a_key = api.client.post("/v1/keys", content=content, headers={"Content-Type": "application/json"})
    problem(with_a_key, 400, "invalid_request")


def test_the_description_is_whole(api: Api) -> None:
    described = api.client.get("/openapi.json").json()
    named = described["components"]["schemas"]
    assert {one for one in _references(described) if one.removeprefix("#/components/schemas/") not in named} == set()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            good = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
            assert good, (method, path)
            empty = [status for status, answer in good.items() if status != "204" and not answer.get("content")]
            assert not empty, (method, path)
    uploading = described["paths"]["/v1/knowledge-bases/{knowledge_base_id}/documents"]["post"]
    assert {"200", "202"} <= set(uploading["responses"])


def _references(node: Any) -> list[str]:  # noqa: ANN401 - any piece of the description
    if isinstance(node, list):
        return [one for item in node for one in _references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [one for value in node.values() for one in _references(value)]


def test_the_description_is_for_holders_of_a_key(api: Api) -> None:
    problem(api.client.get("/openapi.json", headers={"Authorization": ""}), 401, "key_missing")
    assert "/v1/jobs" in api.client.get("/openapi.json").json()["paths"]
