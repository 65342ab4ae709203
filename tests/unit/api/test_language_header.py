"""Which language a request asks for."""

import pytest
from starlette.requests import Request

from app.api.language import request_language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.5, zh;q=0.9", "zh"),
        ("fr, en;q=0.2", "en"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=nonsense", "en"),
        ("en-GB,zh;q=0.5", "en"),
        ("x" * 100_000 + ",zh", "en"),
    ],
)
def test_request_language(header: str, language: str) -> None:
    request = Request({"type": "http", "headers": [(b"accept-language", header.encode())]})
    assert request_language(request) == language


@pytest.mark.parametrize(
    ("cookie", "language"), [("zh", "zh"), ("en", "en"), ("fr", "zh"), ("", "zh"), ("zh; mqa_language=en", "en")]
)
def test_what_was_chosen_on_the_pages_comes_before_the_header(cookie: str, language: str) -> None:
    headers = [(b"accept-language", b"zh"), (b"cookie", f"mqa_language={cookie}".encode())]
    assert request_language(Request({"type": "http", "headers": headers})) == language
