"""The page of operations as it is sent: figures, filters, who may see it."""

from __future__ import annotations

import time

import pytest

from app.catalogue.keys import Role
from tests.unit.api.conftest import MANUAL, Api


@pytest.fixture
def base(api: Api) -> str:
    made = api.base(f"<watched> {time.monotonic_ns()}")
    assert api.ready(made, "kettle.md", MANUAL.encode())["state"] == "ready"
    api.model_says("E-04 means that the water tank is empty. Let it cool for 45 minutes.")
    asked = api.client.post(f"/v1/knowledge-bases/{made}/ask", json={"question": "What does E-04 mean?"})
    assert asked.status_code == 200, asked.text
    return made


def test_the_page_has_the_figures_of_a_period_in_both_languages(api: Api, base: str) -> None:
    for language, title in (("en", "Operations"), ("zh", "运行情况")):
        wanted = {"period": "hour", "knowledge_base_id": base, "model": "", "adapter_id": ""}
        page = api.client.get("/operations", params=wanted, headers={"Accept-Language": language})
        assert page.status_code == 200
        assert f"<h1>{title}</h1>" in page.text
        assert "50.0%" in page.text  # one of two sentences was withheld
        assert "&lt;watched&gt;" in page.text
        assert "<watched>" not in page.text
        assert "style=" not in page.text
        assert f"/v1/operations.csv?period=hour&amp;knowledge_base_id={base}" in page.text


def test_it_is_for_editors_and_shows_what_is_theirs(api: Api, base: str) -> None:
    _, reader = api.services.keys.create("a reader", Role.READER, None)
    assert api.client.get("/operations", headers={"Authorization": f"Bearer {reader}"}).status_code == 403
    _, other = api.services.keys.create("another", Role.EDITOR, [api.base(f"other {time.monotonic_ns()}")])
    page = api.client.get("/operations", headers={"Authorization": f"Bearer {other}"})
    assert page.status_code == 200
    assert base not in page.text
    assert " MB</span>" not in page.text  # the disk is the server's
