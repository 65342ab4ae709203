"""Every response says what a browser may do with it; what browsers report is counted and not trusted."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from app.api.csp_reports import MOST_A_MINUTE, CspReports
from tests.unit.api.conftest import Api
from tests.unit.api.test_bad_requests import problem

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def policy(text: str) -> dict[str, str]:
    return dict(part.strip().partition(" ")[::2] for part in text.split(";"))


def test_a_page_runs_only_what_is_ours(browser: TestClient) -> None:
    page = browser.get("/sign-in")
    assert page.headers["content-type"].startswith("text/html")
    rules = policy(page.headers["content-security-policy"])
    assert rules == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "font-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "report-uri": "/csp-report",
    }
    assert page.headers["cache-control"] == "no-store"
    assert ALWAYS.items() <= page.headers.items()
    assert "camera=()" in page.headers["permissions-policy"]


@pytest.mark.parametrize(
    ("path", "status"), [("/healthz", 200), ("/v1/knowledge-bases", 200), ("/v1/nothing", 404), ("/openapi.json", 200)]
)
def test_what_is_no_page_runs_nothing(api: Api, path: str, status: int) -> None:
    response = api.client.get(path)
    assert response.status_code == status
    assert ALWAYS.items() <= response.headers.items()
    assert policy(response.headers["content-security-policy"]) == {
        "default-src": "'none'",
        "frame-ancestors": "'none'",
    }


def test_refusals_before_and_after_the_routes_have_the_headers_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    too_large = api.client.post("/v1/knowledge-bases", content=b"x" * 300_000)
    problem(too_large, 413, "body_too_large")
    assert ALWAYS.items() <= too_large.headers.items()

    def crash(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(api.services.bases, "all", crash)
    client = TestClient(api.client.app, headers=api.client.headers, raise_server_exceptions=False)
    with capture_logs():
        crashed = client.get("/v1/knowledge-bases")
    problem(crashed, 500, "manualqa_error")
    assert ALWAYS.items() <= crashed.headers.items()


def test_a_file_keeps_a_policy_of_its_own(api: Api, kettle: str) -> None:
    document = api.client.get(f"/v1/knowledge-bases/{kettle}/documents").json()["documents"][0]
    file = api.client.get(f"/v1/knowledge-bases/{kettle}/documents/{document['id']}/file")
    assert file.headers["content-security-policy"] == "sandbox"
    assert "cross-origin-opener-policy" not in file.headers  # browsers refuse to load what asks for both


def a_report(**changes: str) -> bytes:
    sent = {
        "document-uri": "http://testserver/kb?q=secret",
        "effective-directive": "script-src-elem",
        "blocked-uri": "https://evil.example/x.js?token=secret",
        **changes,
    }
    return json.dumps({"csp-report": sent}).encode()


def test_a_report_is_counted_and_logged_without_queries(api: Api, browser: TestClient) -> None:
    reports: CspReports = api.client.app.state.csp_reports  # type: ignore[attr-defined]
    before = reports.count
    with capture_logs() as logs:
        sent = browser.post("/csp-report", content=a_report(), headers={"Content-Type": "application/csp-report"})
    assert (sent.status_code, sent.content) == (204, b"")
    assert reports.count == before + 1
    [entry] = [entry for entry in logs if entry["event"] == "csp_report"]
    assert (entry["directive"], entry["page"]) == ("script-src-elem", "http://testserver/kb")
    assert entry["blocked"] == "https://evil.example/x.js"
    assert "secret" not in str(entry)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"5", b'{"csp-report": []}', b"[" * 50_000, a_report(**{"document-uri": "x" * 20_000})]
)
def test_what_is_no_report_does_no_harm(browser: TestClient, body: bytes) -> None:
    with capture_logs() as logs:
        assert browser.post("/csp-report", content=body).status_code == 204
    assert all(len(str(entry)) < 1000 for entry in logs)


def test_reports_do_not_fill_the_log() -> None:
    reports = CspReports()
    assert [reports.take(60.0) for _ in range(MOST_A_MINUTE + 5)].count(True) == MOST_A_MINUTE
    assert reports.take(120.0)
    assert reports.count == MOST_A_MINUTE + 6
