"""A link from the command line signs a browser in, once."""

from __future__ import annotations

import httpx
import pytest

from app.cli.link import browser_url
from tests.unit.cli.conftest import Manualqa, WordServer


def test_a_fresh_link_signs_in_once(word_server: WordServer, manualqa: Manualqa) -> None:
    word_server.start()
    printed = manualqa("link")
    assert printed.code == 0
    url = next(word for word in printed.out.split() if word.startswith("http://"))
    with httpx.Client(trust_env=False) as browser:
        assert browser.get(url).status_code == 303
        assert browser.get(httpx.URL(url).join("/v1/keys")).status_code == 200
    assert httpx.get(url, trust_env=False).status_code == 401
    assert manualqa("link", "--json").json()["url"] != url


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://[::]:8080", "http://[::1]:8080"),
        ("https://manuals.example/", "https://manuals.example"),
    ],
)
def test_a_browser_gets_an_address_that_it_can_open(url: str, opened: str) -> None:
    assert browser_url(url) == opened
