"""Operations over HTTP: figures and calls, who may see them, and a table that is safe in a spreadsheet."""

from __future__ import annotations

import csv
import io
import time

import pytest

from app.catalogue.keys import Role
from tests.unit.api.conftest import MANUAL, Api

QUESTION = "What does E-04 mean?"


@pytest.fixture
def base(api: Api) -> str:
    made = api.base(f"=operations {time.monotonic_ns()}")
    assert api.ready(made, "kettle.md", MANUAL.encode())["state"] == "ready"
    api.model_says("E-04 means that the water tank is empty. Let it cool for 45 minutes.")
    asked = api.client.post(f"/v1/knowledge-bases/{made}/ask", json={"question": QUESTION})
    assert asked.status_code == 200, asked.text
    return made


def headers(api: Api, role: Role, *bases: str) -> dict[str, str]:
    _, secret = api.services.keys.create(f"an {role}", role, bases or None)
    return {"Authorization": f"Bearer {secret}"}


def test_a_question_is_in_the_figures(api: Api, base: str) -> None:
    found = api.client.get("/v1/operations", params={"knowledge_base_id": base, "period": "hour"}).json()
    total = found["total"]
    assert (total["calls"], total["outcomes"]["answered"], total["error_rate"]) == (1, 1, 0)
    assert (total["sentences"], total["withheld"], total["ungrounded_rate"]) == (2, 1, 0.5)
    assert total["times"]["total"]["p95"] > 0
    assert [(group["id"], group["name"][0]) for group in found["knowledge_bases"]] == [(base, "=")]
    assert [group["id"] for group in found["models"]] == ["scripted"]
    assert sum(bucket["figures"]["calls"] for bucket in found["buckets"]) == 1
    assert api.client.get("/v1/operations", params={"period": "year"}).status_code == 422


def test_no_cell_of_the_table_is_a_formula(api: Api, base: str) -> None:
    sent = api.client.get("/v1/operations.csv", params={"knowledge_base_id": base})
    assert sent.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(sent.content.decode("utf-8-sig"))))
    assert {row["by"] for row in rows} == {"total", "before", "time", "knowledge_base", "model", "adapter"}
    (named,) = [row for row in rows if row["by"] == "knowledge_base"]
    assert named["name"].startswith("'=operations")
    assert (named["calls"], named["answered"], named["ungrounded_rate"]) == ("1", "1", "0.5")
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_readers_see_their_own_calls_and_no_figures(api: Api, base: str) -> None:
    reader, other = headers(api, Role.READER, base), headers(api, Role.READER, base)
    api.client.post(f"/v1/knowledge-bases/{base}/ask", json={"question": "Mine: what is E-11?"}, headers=reader)
    listed = api.client.get("/v1/calls", headers=reader).json()["calls"]
    assert [call["question"] for call in listed] == ["Mine: what is E-11?"]
    assert api.client.get("/v1/calls", headers=other).json() == {"calls": []}
    seen = api.client.get("/v1/calls", headers=headers(api, Role.EDITOR, base)).json()["calls"]
    assert [call["question"] for call in seen] == ["Mine: what is E-11?", QUESTION]
    for path in ("/v1/operations", "/v1/operations.csv"):
        assert api.client.get(path, headers=reader).status_code == 403


def test_editors_of_another_see_nothing_of_it(api: Api, base: str) -> None:
    other = headers(api, Role.EDITOR, api.base(f"other {time.monotonic_ns()}"))
    assert api.client.get("/v1/calls", headers=other).json() == {"calls": []}
    assert api.client.get("/v1/operations", headers=other).json()["total"]["calls"] == 0
    assert base not in api.client.get("/v1/operations.csv", headers=other).text
