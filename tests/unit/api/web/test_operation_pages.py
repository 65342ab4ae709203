"""The page of operations as it is sent: figures, filters, who may see it."""

from __future__ import annotations

import re
import time

import pytest

from app.api.web.operation_pages import MEASURES, _top
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


@pytest.mark.parametrize(
    ("most", "whole", "top"),
    [(0, True, 2), (0, False, 1), (1, True, 2), (7, True, 8), (23, True, 40), (0.034, False, 0.04), (1, False, 1)],
)
def test_an_axis_ends_at_a_round_number_above_all(most: float, whole: bool, top: float) -> None:
    assert _top(most, whole=whole) == top


def test_every_chart_has_an_axis_with_values_and_units(api: Api, base: str) -> None:
    page = api.client.get("/operations", params={"period": "hour", "knowledge_base_id": base}).text
    axes = [re.findall("<span>(.*?)</span>", axis) for axis in re.findall('data-testid="op-axis">(.*?)</div>', page)]
    assert len(axes) == len(MEASURES)
    assert axes[0] == ["2", "1", "0"]
    units = {measure.name: {axis[0][-1] for axis in [axes[at]]} for at, measure in enumerate(MEASURES)}
    assert units["ungrounded_rate"] == {"%"}
    assert units["p95"] == {"s"}
    assert all(float(axis[0].rstrip(" s%")) == 2 * float(axis[1].rstrip(" s%")) for axis in axes)
