"""Conversations over HTTP: a question after the other, each kept as it was answered, stopped or failed."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.catalogue.keys import Role
from app.types import TurnState
from tests.fixtures.scripted_model import Fault
from tests.unit.api.conftest import MANUAL, Api
from tests.unit.api.test_bad_requests import ZH, problem
from tests.unit.api.test_questions import events

ANSWER = "E-04 means that the water tank is empty."
REWRITTEN = "What should I do about E-04 when the water tank is empty?"


def begin(api: Api, base: str) -> str:
    made = api.client.post(f"/v1/knowledge-bases/{base}/conversations", json={})
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/v1/conversations/{made.json()['id']}"
    return str(made.json()["id"])


def ask(api: Api, conversation: str, question: str, **fields: Any) -> list[tuple[str, dict[str, Any]]]:  # noqa: ANN401
    response = api.client.post(f"/v1/conversations/{conversation}/ask", json={"question": question, **fields})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return events(response.text)


def shown(api: Api, conversation: str) -> dict[str, Any]:
    return dict(api.client.get(f"/v1/conversations/{conversation}").json())


def model_rewrites(api: Api, rewritten: str, answer: str) -> None:
    def reply(request: dict[str, Any]) -> str:
        return rewritten if "rewrite" in request["messages"][0]["content"] else answer

    api.model.reply, api.model.fault = reply, Fault.NONE


def test_a_question_is_answered_and_kept_before_done_is_sent(api: Api, kettle: str) -> None:
    api.model_says(ANSWER)
    conversation = begin(api, kettle)
    found = ask(api, conversation, "What does E-04 mean?")
    names = [name for name, _ in found]
    assert (names[0], names[1], names[-1]) == ("turn", "sources", "done")
    assert set(names[2:-1]) == {"token"}
    kept = shown(api, conversation)
    assert kept["title"] == "What does E-04 mean?"
    [turn] = kept["turns"]
    assert (turn["id"], turn["state"], turn["standalone"], turn["error"]) == (found[0][1]["id"], "answered", None, None)
    assert turn["answer"] == found[-1][1]
    assert turn["sources"] == found[1][1]
    assert turn["feedback"] is turn["written"] is None


def test_a_follow_up_is_answered_as_it_stands_alone(api: Api, kettle: str) -> None:
    conversation = begin(api, kettle)
    api.model_says(ANSWER)
    ask(api, conversation, "What does E-04 mean?")
    model_rewrites(api, REWRITTEN, "Fill it and press OK.")
    found = ask(api, conversation, "What should I do about it?")
    assert found[1] == ("rewritten", {"question": REWRITTEN})
    done = found[-1][1]
    assert done["question"] == REWRITTEN
    assert done["citations"]
    turn = shown(api, conversation)["turns"][1]
    assert (turn["question"], turn["standalone"]) == ("What should I do about it?", REWRITTEN)
    assert turn["answer"]["timings"]["total"] >= turn["answer"]["timings"]["sources"] > 0


def test_the_first_question_and_one_that_stands_alone_stay(api: Api, kettle: str) -> None:
    conversation = begin(api, kettle)
    model_rewrites(api, REWRITTEN, ANSWER)
    assert "rewritten" not in dict(ask(api, conversation, "What does it mean?"))
    assert "rewritten" not in dict(ask(api, conversation, "What does E-04 mean?"))


def test_without_the_model_a_follow_up_is_asked_as_it_is(api: Api, kettle: str) -> None:
    conversation = begin(api, kettle)
    api.model_says(ANSWER)
    ask(api, conversation, "What does E-04 mean?")
    api.model_says("", Fault.ERROR_500)
    found = ask(api, conversation, "Does it mean that the water tank is empty?")
    assert "rewritten" not in dict(found)
    assert found[-1][1]["mode"] == "extractive"


def test_nobody_but_the_asker_sees_a_conversation(api: Api, kettle: str) -> None:
    conversation = begin(api, kettle)
    api.model_says(ANSWER)
    turn = ask(api, conversation, "What does E-04 mean?")[0][1]["id"]
    made = api.client.post("/v1/keys", json={"name": "other admin", "role": Role.ADMIN}).json()
    for secret in (made["secret"], "local-token"):
        other = {"Authorization": f"Bearer {secret}"}
        path = f"/v1/conversations/{conversation}"
        problem(api.client.get(path, headers=other), 404, "conversation_not_found")
        problem(api.client.delete(path, headers=other), 404, "conversation_not_found")
        asked = api.client.post(f"{path}/ask", json={"question": "And now?"}, headers=other)
        problem(asked, 404, "conversation_not_found")
        rated = api.client.put(f"/v1/turns/{turn}/feedback", json={"verdict": "up"}, headers=other)
        problem(rated, 404, "turn_not_found")
        listed = api.client.get(f"/v1/knowledge-bases/{kettle}/conversations", headers=other).json()
        assert listed == {"conversations": []}
    assert len(shown(api, conversation)["turns"]) == 1


def test_a_reader_asks_in_a_conversation_of_its_own(api: Api, kettle: str) -> None:
    made = api.client.post("/v1/keys", json={"name": "desk", "role": Role.READER}).json()
    own = {"Authorization": f"Bearer {made['secret']}"}
    conversation = api.client.post(f"/v1/knowledge-bases/{kettle}/conversations", headers=own).json()["id"]
    api.model_says(ANSWER)
    asked = api.client.post(
        f"/v1/conversations/{conversation}/ask", json={"question": "What does E-04 mean?"}, headers=own
    )
    assert events(asked.text)[-1][0] == "done"
    listed = api.client.get(f"/v1/knowledge-bases/{kettle}/conversations", headers=own).json()["conversations"]
    assert [(one["id"], one["turns"]) for one in listed] == [(conversation, 1)]
    assert api.client.delete(f"/v1/conversations/{conversation}", headers=own).status_code == 204


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"question": " "}, 422, "question_empty"),
        ({"question": "x" * 3000}, 422, "question_too_long"),
        ({"question": "E-04", "stream": True}, 422, "invalid_input"),
        ({"question": "E-04", "limit": "3"}, 422, "invalid_input"),
    ],
)
def test_what_cannot_be_asked_leaves_no_turn(
    api: Api, kettle: str, body: dict[str, Any], status: int, code: str
) -> None:
    conversation = begin(api, kettle)
    problem(api.client.post(f"/v1/conversations/{conversation}/ask", json=body), status, code)
    assert shown(api, conversation)["turns"] == []


def test_a_conversation_belongs_to_a_knowledge_base_that_is_there(api: Api) -> None:
    nowhere = api.client.post("/v1/knowledge-bases/kb-none/conversations")
    problem(nowhere, 404, "knowledge_base_not_found")
    base = api.base("gone soon")
    conversation = begin(api, base)
    extra = api.client.post(f"/v1/knowledge-bases/{base}/conversations", json={"title": "x"})
    problem(extra, 422, "invalid_input")
    api.client.delete(f"/v1/knowledge-bases/{base}")
    problem(api.client.get(f"/v1/conversations/{conversation}"), 404, "conversation_not_found")


def test_a_full_conversation_says_so(api: Api, kettle: str) -> None:
    conversation = begin(api, kettle)
    for number in range(api.services.settings.max_turns):
        api.services.conversations.begin(conversation, key_of(api), f"question {number}")
    response = api.client.post(f"/v1/conversations/{conversation}/ask", json={"question": "E-04?"}, headers=ZH)
    assert "MQA_MAX_TURNS" in problem(response, 409, "conversation_full")["title"]


def key_of(api: Api) -> str:
    return next(str(key["id"]) for key in api.client.get("/v1/keys").json()["keys"] if key["name"] == "tests")


def test_a_client_that_leaves_stops_the_turn_and_the_model(api: Api, kettle: str, address: tuple[str, int]) -> None:
    conversation = begin(api, kettle)
    api.model_says(ANSWER, Fault.STALL_MIDWAY)
    api.model.gone.clear()
    body = json.dumps({"question": "What does E-04 mean?"})
    request = (
        f"POST /v1/conversations/{conversation}/ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {api.secret}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    with socket.create_connection(address) as connection:
        connection.sendall(request.encode())
        received = b""
        while b"event: token" not in received:
            received += connection.recv(65536)
        assert shown(api, conversation)["turns"][0]["state"] == "running"
    assert api.model.gone.wait(60)
    api.until(lambda: shown(api, conversation)["turns"][0]["state"] == "stopped")
    [turn] = shown(api, conversation)["turns"]
    assert turn["sources"]["hits"]
    assert turn["answer"] is None
    assert ANSWER.startswith(turn["written"])


def test_a_client_that_leaves_during_the_rewriting_stops_the_turn(
    api: Api, kettle: str, address: tuple[str, int]
) -> None:
    conversation = begin(api, kettle)
    api.model_says(ANSWER)
    ask(api, conversation, "What does E-04 mean?")
    api.model_says("", Fault.STALL)
    api.model.gone.clear()
    body = json.dumps({"question": "And how do I clear it?"})
    request = (
        f"POST /v1/conversations/{conversation}/ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {api.secret}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    before = len(api.model.requests)
    with socket.create_connection(address) as connection:
        connection.sendall(request.encode())
        api.until(lambda: len(api.model.requests) > before)
    assert api.model.gone.wait(60)
    api.until(lambda: shown(api, conversation)["turns"][1]["state"] == "stopped")
    assert shown(api, conversation)["turns"][1]["sources"] is None


def test_what_fails_after_the_first_event_is_kept_with_its_reason(
    api: Api, kettle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = begin(api, kettle)
    check, calls = api.services.questions.check_question, []

    def gone(question: Any) -> Any:  # noqa: ANN401
        calls.append(question)
        return check(question) if len(calls) == 1 else api.services.bases.get("kb-none")

    monkeypatch.setattr(api.services.questions, "check_question", gone)
    found = ask(api, conversation, "What does E-04 mean?")
    assert [name for name, _ in found] == ["turn", "error"]
    assert found[1][1]["code"] == "knowledge_base_not_found"
    turn = api.client.get(f"/v1/conversations/{conversation}", headers=ZH).json()["turns"][0]
    assert (turn["state"], turn["error"]["code"]) == ("failed", "knowledge_base_not_found")
    assert "没有知识库" in turn["error"]["message"]


def test_a_crash_leaves_no_turn_open(api: Api, kettle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = begin(api, kettle)

    def crash(*_: object) -> None:
        raise RuntimeError("inner state")

    monkeypatch.setattr(api.services.questions, "_search", crash)
    with capture_logs(), pytest.raises(RuntimeError):
        api.client.post(f"/v1/conversations/{conversation}/ask", json={"question": "E-04?"})
    [turn] = shown(api, conversation)["turns"]
    assert (turn["state"], turn["error"]["code"]) == (TurnState.FAILED, "manualqa_error")


def test_feedback_stays_with_the_turn(api: Api, kettle: str) -> None:
    conversation = begin(api, kettle)
    api.model_says(ANSWER)
    turn = ask(api, conversation, "What does E-04 mean?")[0][1]["id"]
    path = f"/v1/turns/{turn}/feedback"
    rated = api.client.put(path, json={"verdict": "down", "comment": " <script>1</script> 错页 "})
    assert rated.json() == {"verdict": "down", "comment": "<script>1</script> 错页"}
    assert shown(api, conversation)["turns"][0]["feedback"] == rated.json()
    api.client.put(path, json={"verdict": "up"})
    assert shown(api, conversation)["turns"][0]["feedback"] == {"verdict": "up", "comment": None}
    assert api.client.delete(path).status_code == 204
    assert shown(api, conversation)["turns"][0]["feedback"] is None
    for wrong in ({"verdict": "maybe"}, {"verdict": "up", "comment": "x" * 2001}, {"comment": "x"}):
        problem(api.client.put(path, json=wrong), 422, "invalid_input")


def test_what_was_answered_stays_when_its_document_goes(api: Api) -> None:
    base = api.base("short lived")
    document = api.ready(base, "kettle.md", MANUAL.encode())
    conversation = begin(api, base)
    api.model_says(ANSWER)
    ask(api, conversation, "What does E-04 mean?")
    api.client.delete(f"/v1/knowledge-bases/{base}/documents/{document['id']}")
    [turn] = shown(api, conversation)["turns"]
    assert turn["answer"]["citations"][0]["document_id"] == document["id"]


def test_evaluations_make_way_for_a_question_of_a_conversation(api: Api, kettle: str) -> None:
    seen = []
    courtesy = api.client.app.state.evaluations.courtesy  # type: ignore[attr-defined]

    def reply(_: dict[str, Any]) -> str:
        seen.append(courtesy._users)
        return ANSWER

    api.model.reply, api.model.fault = reply, Fault.NONE
    ask(api, begin(api, kettle), "What does E-04 mean?")
    assert seen == [1]
    deadline = time.monotonic() + 60
    while courtesy._users and time.monotonic() < deadline:
        time.sleep(0.01)
    assert courtesy._users == 0
