"""Answers that were judged by people, and what becomes of them: questions for evaluations and pairs for training."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.catalogue.keys import Role
from app.finetune.pairs import read_pairs
from app.types import CallOutcome, Channel
from eval.question_sets import parse
from tests.unit.api.conftest import MANUAL, Api

GOOD = "E-04 means that the water tank is empty."
QUESTION = "What does E-04 mean?"


@pytest.fixture
def base(api: Api) -> str:
    made = api.base(f"reviews {time.monotonic_ns()}")
    assert api.ready(made, "kettle.md", MANUAL.encode())["state"] == "ready"
    return made


def asked(api: Api, base: str, reply: str = GOOD, **more: object) -> str:
    """The id of a call."""
    api.model_says(reply)
    response = api.client.post(f"/v1/knowledge-bases/{base}/ask", json={"question": QUESTION, "stream": False, **more})
    assert response.status_code == 200, response.text
    return str(response.json()["call_id"])


def queue(api: Api, base: str, **asked_for: object) -> list[dict[str, Any]]:
    found = api.client.get(f"/v1/knowledge-bases/{base}/reviews", params=asked_for)  # type: ignore[arg-type]
    assert found.status_code == 200, found.text
    return list(found.json()["reviews"])


def label(api: Api, call: str, **body: object) -> dict[str, Any]:
    said = api.client.put(f"/v1/calls/{call}/label", json=body)
    assert said.status_code == 200, said.text
    return dict(said.json())


def draft(api: Api, call: str, kind: str) -> dict[str, Any]:
    made = api.client.post(f"/v1/calls/{call}/drafts", json={"kind": kind})
    assert made.status_code in (200, 201), made.text
    return dict(made.json())


def headers(api: Api, role: Role, *bases: str) -> dict[str, str]:
    _, secret = api.services.keys.create("other", role, bases or None)
    return {"Authorization": f"Bearer {secret}"}


def test_thumbs_of_a_turn_reach_its_call(api: Api, base: str) -> None:
    conversation = api.client.post(f"/v1/knowledge-bases/{base}/conversations").json()["id"]
    api.model_says(GOOD)
    api.client.post(f"/v1/conversations/{conversation}/ask", json={"question": QUESTION})
    [turn] = api.client.get(f"/v1/conversations/{conversation}").json()["turns"]
    api.client.put(f"/v1/turns/{turn['id']}/feedback", json={"verdict": "down", "comment": "no"})
    [review] = queue(api, base)
    assert (review["id"], review["channel"]) == (turn["answer"]["call_id"], Channel.CONVERSATION)
    assert review["feedback"] == {"verdict": "down", "comment": "no"}
    api.client.delete(f"/v1/turns/{turn['id']}/feedback")
    assert queue(api, base)[0]["feedback"] is None


def test_thumbs_of_other_answers_are_the_asker_s_alone(api: Api, base: str) -> None:
    call = asked(api, base)
    path = f"/v1/calls/{call}/feedback"
    other = headers(api, Role.ADMIN)
    assert api.client.put(path, json={"verdict": "down"}, headers=other).status_code == 404
    assert api.client.put(path, json={"verdict": "up"}).json() == {"verdict": "up", "comment": None}
    assert queue(api, base)[0]["feedback"]["verdict"] == "up"
    assert api.client.delete(path, headers=other).status_code == 404
    assert api.client.delete(path).status_code == 204
    assert queue(api, base)[0]["feedback"] is None


def test_what_needs_looking_at_comes_first_and_can_be_narrowed(api: Api, base: str) -> None:
    plain = asked(api, base)
    withheld = asked(api, base, GOOD + " Let it cool for 45 minutes.")
    down = asked(api, base)
    refused = asked(api, base, threshold=1.0)
    api.client.put(f"/v1/calls/{down}/feedback", json={"verdict": "down"})
    assert [review["id"] for review in queue(api, base)][:2] == [down, withheld]
    assert {review["id"] for review in queue(api, base)} == {plain, withheld, down, refused}
    assert [review["id"] for review in queue(api, base, limit=1, offset=1)] == [withheld]
    assert [review["id"] for review in queue(api, base, outcome=CallOutcome.REFUSED)] == [refused]
    said = label(api, plain, label="wrong", note=" not so ")
    assert (said["label"], said["note"]) == ("wrong", "not so")
    assert [review["id"] for review in queue(api, base, labelled=True)] == [plain]
    assert plain not in {review["id"] for review in queue(api, base, labelled=False)}
    assert queue(api, base, label="right") == []
    assert api.client.delete(f"/v1/calls/{plain}/label").status_code == 204
    assert queue(api, base, labelled=True) == []


def test_reviewing_is_for_editors_of_the_knowledge_base_and_audited(api: Api, base: str) -> None:
    call = asked(api, base)
    other = api.base(f"other {time.monotonic_ns()}")
    path = f"/v1/calls/{call}/label"
    body = {"label": "unsupported"}
    assert api.client.put(path, json=body, headers=headers(api, Role.READER)).status_code == 403
    assert api.client.put(path, json=body, headers=headers(api, Role.EDITOR, other)).status_code == 404
    assert api.client.put(path, json=body, headers=headers(api, Role.EDITOR, base)).status_code == 200
    assert api.client.put(path, json={"label": "great"}).status_code == 422
    changes = api.client.get("/v1/audit").json()["changes"]
    kept = [one["action"] for one in changes if one["target"] == {"call_id": call}]
    assert kept == ["PUT /v1/calls/{call_id}/label"]


def test_where_words_are_not_kept_there_is_nothing_to_review(api: Api, base: str) -> None:
    api.services.calls._keep_questions = False
    try:
        call = asked(api, base)
    finally:
        api.services.calls._keep_questions = True
    assert queue(api, base) == []
    assert api.client.put(f"/v1/calls/{call}/label", json={"label": "wrong"}).status_code == 404
    assert api.client.put(f"/v1/calls/{call}/feedback", json={"verdict": "up", "comment": "secret"}).status_code == 200
    assert api.client.get(f"/v1/knowledge-bases/{base}/reviews").json()["questions_kept"] is True


def test_a_wrong_answer_becomes_a_question_and_a_pair_that_are_taken_as_they_are(api: Api, base: str) -> None:
    call = asked(api, base)
    label(api, call, label="wrong")
    question, pair = draft(api, call, "question"), draft(api, call, "pair")
    assert (question["question"], question["answers"], question["document"]) == (QUESTION, [], "kettle.md")
    assert draft(api, call, "pair")["id"] == pair["id"]
    export = f"/v1/knowledge-bases/{base}/drafts/export"
    assert api.client.get(export, params={"kind": "question"}).text == ""
    body = {"question": QUESTION, "answers": [GOOD], "document": "kettle.md", "pages": [1], "quote": GOOD}
    for made in (question, pair):
        corrected = api.client.put(f"/v1/drafts/{made['id']}", json=body)
        assert (corrected.status_code, corrected.json()["reviewed"]) == (200, True), corrected.text
    questions = api.client.get(export, params={"kind": "question"}).text
    [read] = parse(questions, "jsonl", "reviewed").questions
    assert (read.answers, read.relevant_pages, read.draft) == ((GOOD,), (("kettle.md", 1),), False)
    pairs = api.client.get(export, params={"kind": "pair"}).text
    [learned] = read_pairs(pairs, "jsonl", "reviewed").pairs
    assert (learned.answer, learned.quote, learned.document) == (GOOD, GOOD, "kettle.md")
    api.model_says(GOOD)
    run = {"knowledge_base_id": base, "question_set_name": "reviewed", "questions": questions, "format": "jsonl"}
    started = api.client.post("/v1/evaluations", json=run)
    assert started.status_code == 202, started.text
    address = f"/v1/evaluations/{started.json()['id']}"
    api.until(lambda: api.client.get(address).json()["finished_at"] is not None)
    ended = api.client.get(address).json()
    assert (ended["state"], ended["done"], ended["verdicts"]["right"]) == ("done", 1, 1)
    api.client.delete(address)


def test_a_refusal_that_is_right_becomes_an_unanswerable_question(api: Api, base: str) -> None:
    call = asked(api, base, threshold=1.0)
    made = draft(api, call, "pair")
    assert (made["answers"], made["document"]) == ([], None)
    address = f"/v1/drafts/{made['id']}"
    incomplete = api.client.put(address, json={"question": QUESTION})
    assert (incomplete.status_code, incomplete.json()["code"]) == (422, "draft_incomplete")
    no_document = api.client.put(address, json={"question": QUESTION, "answers": [GOOD], "pages": [1]})
    assert no_document.json()["code"] == "draft_incomplete"
    assert api.client.put(address, json={"question": QUESTION, "answerable": False}).status_code == 200
    pairs = api.client.get(f"/v1/knowledge-bases/{base}/drafts/export", params={"kind": "pair"}).text
    assert not read_pairs(pairs, "jsonl", "reviewed").pairs[0].question.answerable
    assert [one["id"] for one in api.client.get(f"/v1/knowledge-bases/{base}/drafts").json()["drafts"]] == [made["id"]]
    assert api.client.delete(address).status_code == 204
    assert api.client.put(address, json={"question": QUESTION, "answerable": False}).status_code == 404
