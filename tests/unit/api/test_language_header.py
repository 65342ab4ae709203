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
