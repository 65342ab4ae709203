"""Every question is recorded as it ended, whichever way it came in; texts only where they may be kept."""

from __future__ import annotations

import json
import time

import httpx
import pytest
from sqlalchemy import select

from app.catalogue.tables import CallRow
from app.types import CallOutcome, Channel
from tests.fixtures.scripted_model import Fault
from tests.unit.api.conftest import MANUAL, Api

GOOD = "E-04 means that the water tank is empty."
QUESTION = "What does E-04 mean?"


def rows(api: Api, base: str, number: int | None = None) -> list[CallRow]:
    """The calls of a knowledge base, once there are so many."""
    if number is not None:
        api.until(lambda: len(rows(api, base)) == number)
    with api.services.calls._sessions() as session:
        found = select(CallRow).where(CallRow.knowledge_base_id == base).order_by(CallRow.asked_at)
        return list(session.scalars(found))


@pytest.fixture
def base(api: Api) -> str:
    made = api.base(f"calls {time.monotonic_ns()}")
    assert api.ready(made, "kettle.md", MANUAL.encode())["state"] == "ready"
    return made


def ask(api: Api, base: str, **more: object) -> dict[str, object]:
    response = api.client.post(f"/v1/knowledge-bases/{base}/ask", json={"question": QUESTION, **more})
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_an_answer_is_recorded_under_the_id_that_it_names(api: Api, base: str) -> None:
    api.model_says(GOOD + " Let it cool for 45 minutes.")
    answer = ask(api, base)
    (row,) = rows(api, base, 1)
    assert (row.id, row.channel, row.outcome) == (answer["call_id"], Channel.API, CallOutcome.ANSWERED)
    assert (row.question, row.model, row.sentences, row.withheld) == (QUESTION, "scripted", 2, 1)
    assert json.loads(row.answer or "")["text"] == answer["text"]
    assert row.sources_seconds is not None
    assert row.first_token_seconds is not None
    assert 0 < row.sources_seconds <= row.first_token_seconds <= row.total_seconds


def test_every_way_in_is_recorded_with_what_it_got(api: Api, base: str) -> None:
    api.model_says(GOOD)
    ask(api, base, threshold=1.0)
    api.client.post(f"/v1/knowledge-bases/{base}/ask-batch", json={"questions": [QUESTION]})
    made = api.client.post(f"/v1/knowledge-bases/{base}/conversations").json()
    api.client.post(f"/v1/conversations/{made['id']}/ask", json={"question": QUESTION})
    body = {"model": base, "messages": [{"role": "user", "content": QUESTION}]}
    assert api.client.post("/v1/chat/completions", json=body).status_code == 200
    api.model_says("", Fault.ERROR_500)
    ask(api, base, stream=False)
    assert [(row.channel, row.outcome, row.reason) for row in rows(api, base, 5)] == [
        (Channel.API, CallOutcome.REFUSED, "below_threshold"),
        (Channel.BATCH, CallOutcome.ANSWERED, None),
        (Channel.CONVERSATION, CallOutcome.ANSWERED, None),
        (Channel.OPENAI, CallOutcome.ANSWERED, None),
        (Channel.API, CallOutcome.EXTRACTED, None),
    ]


def test_what_may_not_be_asked_is_no_call(api: Api, base: str) -> None:
    assert api.client.post(f"/v1/knowledge-bases/{base}/ask", json={"question": " "}).status_code == 422
    assert api.client.post("/v1/knowledge-bases/kb-none/ask", json={"question": QUESTION}).status_code == 404
    assert rows(api, base) == []


def test_a_client_that_leaves_is_recorded_as_such(api: Api, base: str, address: tuple[str, int]) -> None:
    api.model_says("never", Fault.STALL)
    url = "http://{}:{}/v1/knowledge-bases/{}/ask".format(*address, base)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url, json={"question": QUESTION}, headers={"Authorization": f"Bearer {api.secret}"}, timeout=1)
    api.until(lambda: [row.outcome for row in rows(api, base)] == [CallOutcome.LEFT])


def test_prometheus_counts_calls(api: Api, base: str) -> None:
    def counted(name: str) -> float:
        lines = api.client.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    names = (
        'manualqa_calls_total{channel="api",outcome="answered"}',
        'manualqa_sentences_total{grounded="no"}',
        'manualqa_call_seconds_count{stage="first_token"}',
    )
    before = [counted(name) for name in names]
    api.model_says(GOOD + " Let it cool for 45 minutes.")
    ask(api, base)
    assert [counted(name) for name in names] == [count + 1 for count in before]


def test_calls_and_conversations_go_after_their_days(api: Api, base: str) -> None:
    api.model_says(GOOD)
    ask(api, base)
    rows(api, base, 1)
    made = api.client.post(f"/v1/knowledge-bases/{base}/conversations").json()
    assert api.services.calls.remove_older(1) == 0
    assert api.services.conversations.remove_older(1) == 0
    assert api.services.calls.remove_older(0) > 0
    assert api.services.conversations.remove_older(0) > 0
    assert rows(api, base) == []
    assert api.client.get(f"/v1/conversations/{made['id']}").status_code == 404


def test_the_lag_of_the_event_loop_is_told(api: Api) -> None:
    def counted() -> float:
        lines = api.client.get("/metrics").text.splitlines()
        return float(
            next(line for line in lines if line.startswith("manualqa_event_loop_lag_seconds_count")).split()[1]
        )

    before = counted()
    api.until(lambda: counted() > before)
