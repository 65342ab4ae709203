"""Search, ask and ask-batch over HTTP, with a model whose words the tests write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fixtures.scripted_model import Fault
from tests.unit.api.conftest import Api


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_search_explains_its_scores(api: Api, kettle: str) -> None:
    body = {"question": "What does E-04 mean?", "limit": 3}
    result = api.client.post(f"/v1/knowledge-bases/{kettle}/search", json=body).json()
    first = result["hits"][0]
    assert "E-04" in first["chunk"]["text"]
    assert first["scores"]["rank"] == 1
    assert first["scores"]["bm25_rank"] == 1
    assert first["scores"]["cosine"] >= result["threshold"]


def test_an_answer_is_cited_with_the_manuals_own_words(api: Api, kettle: str) -> None:
    api.model_says("E-04 means that the water tank is empty.")
    answer = api.client.post(f"/v1/knowledge-bases/{kettle}/ask", json={"question": "What does E-04 mean?"}).json()
    assert (answer["refused"], answer["mode"], answer["model"]) == (False, "generated", "scripted")
    citation = answer["citations"][0]
    assert citation["document_name"] == "kettle.md"
    assert "E-04 means that the water tank is empty" in citation["quote"]


def test_an_invented_number_is_withheld(api: Api, kettle: str) -> None:
    api.model_says("E-11 means that the heater is too hot. Let it cool for 45 minutes.")
    answer = api.client.post(f"/v1/knowledge-bases/{kettle}/ask", json={"question": "What does E-11 mean?"}).json()
    assert "45" not in answer["text"]
    assert any("45" in sentence for sentence in answer["withheld"])


def test_events_come_in_order_and_done_is_the_checked_answer(api: Api, kettle: str) -> None:
    api.model_says("Rated power is 1500 W at 220 V.")
    body = {"question": "What is the rated power?", "stream": True}
    response = api.client.post(f"/v1/knowledge-bases/{kettle}/ask", json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    found = events(response.text)
    names = [name for name, _ in found]
    assert names[0] == "sources"
    assert set(names[1:-1]) == {"token"}
    assert names[-1] == "done"
    assert "1500 W" in found[-1][1]["text"]


def test_nothing_over_the_threshold_is_a_refusal_without_a_model_call(api: Api, kettle: str) -> None:
    before = len(api.model.requests)
    body = {"question": "What does E-04 mean?", "threshold": 1.0}
    answer = api.client.post(f"/v1/knowledge-bases/{kettle}/ask", json=body).json()
    assert (answer["refused"], answer["reason"], answer["citations"]) == (True, "below_threshold", [])
    assert len(api.model.requests) == before


def test_an_empty_knowledge_base_says_so(api: Api) -> None:
    base = api.base("empty")
    answer = api.client.post(f"/v1/knowledge-bases/{base}/ask", json={"question": "电压是多少？"}).json()
    assert (answer["refused"], answer["reason"], answer["language"]) == (True, "no_documents", "zh")


def test_a_model_that_is_away_gives_an_extract(api: Api, kettle: str) -> None:
    api.model_says("", Fault.ERROR_500)
    answer = api.client.post(f"/v1/knowledge-bases/{kettle}/ask", json={"question": "What does E-04 mean?"}).json()
    assert (answer["mode"], answer["refused"]) == ("extractive", False)
    assert answer["degraded"]
    assert "E-04" in answer["text"]
    assert answer["citations"]


def test_a_batch_keeps_going_past_a_bad_question(api: Api, kettle: str) -> None:
    api.model_says("E-04 means that the water tank is empty.")
    body = {"questions": ["What does E-04 mean?", "  ", "x" * 3000]}
    items = api.client.post(f"/v1/knowledge-bases/{kettle}/ask-batch", json=body).json()["items"]
    assert items[0]["answer"]["refused"] is False
    assert [item["error"]["code"] for item in items[1:]] == ["question_empty", "question_too_long"]


@pytest.mark.parametrize(
    ("question", "code"), [("", "question_empty"), (" \n", "question_empty"), ("为" * 100_000, "body_too_large")]
)
def test_questions_that_cannot_be_asked(api: Api, kettle: str, question: str, code: str) -> None:
    for path in ("ask", "search"):
        response = api.client.post(f"/v1/knowledge-bases/{kettle}/{path}", json={"question": question})
        assert response.json()["code"] == code
