"""Evaluations over HTTP: start, watch, read, report, compare, stop, go on, and what is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.catalogue.keys import Role
from tests.fixtures.scripted_model import Fault
from tests.unit.api.conftest import MANUAL, Api

Json = dict[str, Any]

TANK = "E-04 means that the water tank is empty."
HEATER = "E-11 means that the heater is too hot."
QUESTIONS = [
    {"id": "tank", "question": "What does E-04 mean?", "answers": ["the water tank is empty"], "type": "code"},
    {"id": "heater", "question": "What does E-11 mean?", "answers": ["the heater is too hot"], "type": "code"},
    {
        "id": "wrong",
        "question": "What is the rated power?",
        "answers": ["2400 W"],
        "relevant_pages": [["kettle.md", 1]],
    },
    {"id": "none", "question": "Who won the world cup in 1998?", "answerable": False},
]
ENDED = ("done", "failed", "cancelled")


def lines(*questions: Json) -> str:
    return "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in questions)


def numbered(count: int) -> str:
    return lines(*({"id": f"q{n}", "question": f"Question {n}: what does E-04 mean?"} for n in range(count)))


def the_model(request: Json) -> str:
    """Says what the manual says of the code that was asked for."""
    asked = request["messages"][-1]["content"].rsplit("E-", 1)[-1]
    return HEATER if asked.startswith("11") else TANK


@dataclass
class Gate:
    """A model that holds its answers from the `after`-th request on until it is opened."""

    after: int
    seen: int = 0
    arrived: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: Json) -> str:
        self.seen += 1
        if self.seen > self.after:
            self.arrived.set()
            assert self.opened.wait(60)
        return the_model(request)


@dataclass
class Evaluations:
    """The routes as a client calls them."""

    api: Api
    base: str

    def post(self, text: str, **fields: Any) -> Any:  # noqa: ANN401
        body = {"knowledge_base_id": self.base, "question_set_name": "codes", "questions": text, **fields}
        return self.api.client.post("/v1/evaluations", json=body)

    def start(self, text: str, **settings: object) -> Json:
        started = self.post(text, settings=settings)
        assert started.status_code == 202, started.text
        return dict(started.json())

    def get(self, one: Json, **headers: str) -> Json:
        found = self.api.client.get(f"/v1/evaluations/{one['id']}", headers=headers)
        assert found.status_code == 200, found.text
        return dict(found.json())

    def ended(self, one: Json) -> Json:
        self.api.until(lambda: self.get(one)["state"] in ENDED)
        return self.get(one)

    def records(self, one: Json) -> list[Json]:
        return list(self.api.client.get(f"/v1/evaluations/{one['id']}/run").json()["records"])

    def held_after(self, count: int) -> Gate:
        gate = Gate(count)
        self.api.model.reply = gate
        return gate


@pytest.fixture
def evaluations(api: Api) -> Iterator[Evaluations]:
    """On a knowledge base of its own, with a model that knows the codes; nothing is left behind."""
    api.model_says("")
    api.model.reply = the_model
    base = api.base(f"evaluated {threading.get_native_id()} {id(object())}")
    assert api.ready(base, "kettle.md", MANUAL.encode())["state"] == "ready"
    yield Evaluations(api, base)
    api.model_says("")
    api.client.delete(f"/v1/knowledge-bases/{base}")


def problem(response: Any, status: int, code: str) -> Json:  # noqa: ANN401
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    return dict(response.json())


def test_what_was_asked_and_answered_is_kept(evaluations: Evaluations) -> None:
    started = evaluations.start(lines(*QUESTIONS), threshold=0.2)
    assert (started["state"], started["questions"], started["name"]) == ("queued", 4, "codes")
    ended = evaluations.ended(started)
    assert (ended["state"], ended["done"], ended["failed"], ended["error"]) == ("done", 4, 0, None)
    assert (ended["model"], ended["fingerprint"]["embedder"]) == ("scripted", "words@1")
    assert ended["started_at"] <= ended["finished_at"]
    records = evaluations.records(started)
    assert [record["index"] for record in records] == [0, 1, 2, 3]
    tank = records[0]
    assert TANK[:-1] in tank["answer"]
    assert (tank["mode"], tank["refused"], tank["threshold"]) == ("generated", False, 0.2)
    assert tank["citations"][0]["true"]
    assert tank["citations"][0]["document"] == "kettle.md"
    assert tank["sentences"][0]["grounded"]
    assert 0 < tank["seconds_to_sources"] <= tank["seconds_to_first_token"] <= tank["seconds"]
    assert tank["prompt_tokens"] > 0
    assert all(found["passed"] == (found["cosine"] >= 0.2) for record in records for found in record["found"])
    assert tank["shown"] == 1


def test_figures_say_what_is_right(evaluations: Evaluations) -> None:
    ended = evaluations.ended(evaluations.start(lines(*QUESTIONS)))
    accuracy = ended["figures"]["answer_accuracy"]
    assert (accuracy["n"], accuracy["value"]) == (3, pytest.approx(2 / 3))
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert ended["verdicts"]["right"] == 2
    [listed] = evaluations.api.client.get("/v1/evaluations", params={"knowledge_base_id": evaluations.base}).json()[
        "evaluations"
    ]
    assert (listed["id"], listed["figures"]) == (ended["id"], None)


def test_search_alone_asks_no_model(evaluations: Evaluations) -> None:
    evaluations.api.model.requests.clear()
    ended = evaluations.ended(evaluations.start(lines(*QUESTIONS), mode="retrieval", parallel=3))
    assert (ended["state"], ended["model"]) == ("done", None)
    assert evaluations.api.model.requests == []
    records = evaluations.records(ended)
    assert [record["index"] for record in records] == [0, 1, 2, 3]
    assert records[2]["found"][0]["document"] == "kettle.md"
    assert records[0]["threshold"] == 0.1
    assert ended["figures"]["hit@5"]["value"] == 1.0


def test_what_is_below_the_threshold_is_kept_too(evaluations: Evaluations) -> None:
    ended = evaluations.ended(evaluations.start(lines(*QUESTIONS), mode="retrieval", threshold=0.99))
    found = [passage for record in evaluations.records(ended) for passage in record["found"]]
    assert len(found) == 4
    assert not any(passage["passed"] for passage in found)
    answered = evaluations.ended(evaluations.start(lines(*QUESTIONS), threshold=0.99))
    assert {record["reason"] for record in evaluations.records(answered)} == {"below_threshold"}


def test_a_sample_is_the_same_for_the_same_seed(evaluations: Evaluations) -> None:
    text = numbered(12)

    def drawn(seed: int) -> list[str]:
        ended = evaluations.ended(evaluations.start(text, mode="retrieval", answerable=5, seed=seed))
        return [record["question"]["id"] for record in evaluations.records(ended)]

    first = drawn(7)
    assert len(first) == 5
    assert drawn(7) == first
    assert any(drawn(seed) != first for seed in (8, 9))


def test_events_tell_every_step_and_end_with_the_evaluation(evaluations: Evaluations) -> None:
    started = evaluations.start(lines(*QUESTIONS))
    with evaluations.api.client.stream("GET", f"/v1/evaluations/{started['id']}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        body = response.read().decode()
    assert "event: evaluation" in body
    seen = [json.loads(line.removeprefix("data: ")) for line in body.splitlines() if line.startswith("data: ")]
    assert [one["done"] for one in seen] == sorted(one["done"] for one in seen)
    assert (seen[-1]["state"], seen[-1]["done"]) == ("done", 4)
    assert seen[-1]["figures"] == evaluations.get(started)["figures"]


@pytest.mark.parametrize(
    ("form", "media_type", "said"),
    [("html", "text/html", "<!doctype html>"), ("json", "application/json", "{"), ("csv", "text/csv", "question")],
)
def test_a_report_is_a_file_or_a_page_that_can_do_nothing(
    evaluations: Evaluations, form: str, media_type: str, said: str
) -> None:
    ended = evaluations.ended(evaluations.start(lines(*QUESTIONS)))
    report = evaluations.api.client.get(f"/v1/evaluations/{ended['id']}/report", params={"format": form})
    assert report.status_code == 200, report.text
    assert report.headers["content-type"].startswith(media_type)
    assert report.headers["x-content-type-options"] == "nosniff"
    assert said in report.text.lower()
    policy = report.headers["content-security-policy"]
    if form == "html":
        assert "default-src 'none'" in policy
        assert "sandbox" in policy
        assert "unsafe" not in policy
    else:
        assert report.headers["content-disposition"] == f'attachment; filename="evaluation.{form}"'


def test_a_report_speaks_the_language_asked_for(evaluations: Evaluations) -> None:
    ended = evaluations.ended(evaluations.start(lines(*QUESTIONS)))
    path = f"/v1/evaluations/{ended['id']}/report"
    assert "评测报告" in evaluations.api.client.get(path, params={"language": "zh"}).text
    assert "评测报告" in evaluations.api.client.get(path, headers={"Accept-Language": "zh"}).text
    assert "评测报告" not in evaluations.api.client.get(path).text


def test_two_evaluations_are_compared(evaluations: Evaluations) -> None:
    good = evaluations.ended(evaluations.start(lines(*QUESTIONS)))
    evaluations.api.model.reply = HEATER
    bad = evaluations.ended(evaluations.start(lines(*QUESTIONS)))
    path = f"/v1/evaluations/{good['id']}/compare/{bad['id']}"
    compared = evaluations.api.client.get(path).json()
    assert (compared["before"]["id"], compared["after"]["id"]) == (good["id"], bad["id"])
    assert (compared["shared"], compared["only_before"], compared["only_after"]) == (4, 0, 0)
    worse = {change["question_id"]: change for change in compared["changes"]}
    assert not worse["tank"]["better"]
    assert worse["tank"]["before"]["verdict"] == "right"
    difference = next(one for one in compared["differences"] if one["metric"] == "answer_accuracy")
    assert difference["difference"] < 0
    page = evaluations.api.client.get(path, params={"format": "html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "sandbox" in page.headers["content-security-policy"]


# --- stopping and going on ----------------------------------------------------------------------------------------


def test_a_cancelled_evaluation_keeps_its_answers_and_goes_on(evaluations: Evaluations) -> None:
    gate = evaluations.held_after(2)
    started = evaluations.start(numbered(5))
    assert gate.arrived.wait(60)
    path = f"/v1/evaluations/{started['id']}"
    cancelled = evaluations.api.client.post(f"{path}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    problem(evaluations.api.client.post(f"{path}/cancel"), 409, "evaluation_ended")
    assert [record["index"] for record in evaluations.records(started)] == [0, 1]
    gate.opened.set()
    assert evaluations.get(started)["done"] == 2
    asked = len(evaluations.api.model.requests)
    resumed = evaluations.api.client.post(f"{path}/resume")
    assert (resumed.status_code, resumed.json()["state"]) == (202, "queued")
    assert evaluations.ended(started)["state"] == "done"
    assert [record["index"] for record in evaluations.records(started)] == [0, 1, 2, 3, 4]
    assert len(evaluations.api.model.requests) == asked + 3
    problem(evaluations.api.client.post(f"{path}/resume"), 409, "nothing_to_resume")


def test_a_queued_evaluation_waits_its_turn_and_the_queue_has_an_end(evaluations: Evaluations) -> None:
    gate = evaluations.held_after(0)
    first = evaluations.start(numbered(1))
    assert gate.arrived.wait(60)
    second, third = evaluations.start(numbered(1)), evaluations.start(numbered(1))
    problem(evaluations.post(numbered(1)), 429, "evaluation_queue_full")
    assert [evaluations.get(one)["state"] for one in (first, second, third)] == ["running", "queued", "queued"]
    assert evaluations.api.client.delete(f"/v1/evaluations/{second['id']}").status_code == 204
    gate.opened.set()
    one, other = evaluations.ended(first), evaluations.ended(third)
    assert one["finished_at"] <= other["started_at"]
    problem(evaluations.api.client.get(f"/v1/evaluations/{second['id']}"), 404, "evaluation_not_found")


def test_deleting_an_evaluation_stops_it(evaluations: Evaluations) -> None:
    gate = evaluations.held_after(1)
    started = evaluations.start(numbered(4))
    assert gate.arrived.wait(60)
    assert evaluations.api.client.delete(f"/v1/evaluations/{started['id']}").status_code == 204
    gate.opened.set()
    problem(evaluations.api.client.get(f"/v1/evaluations/{started['id']}"), 404, "evaluation_not_found")
    assert evaluations.ended(evaluations.start(numbered(1)))["state"] == "done"
    assert gate.seen == 3


@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.BUSY_429, Fault.CUT])
def test_a_model_that_stops_answering_ends_it_and_it_goes_on_later(evaluations: Evaluations, fault: Fault) -> None:
    gate = evaluations.held_after(2)
    started = evaluations.start(numbered(6))
    assert gate.arrived.wait(60)
    evaluations.api.model.fault = fault
    gate.opened.set()
    failed = evaluations.ended(started)
    assert (failed["state"], failed["error"]["code"]) == ("failed", "evaluation_stopped")
    assert "the language model does not answer" in failed["error"]["message"]
    chinese = evaluations.get(started, **{"Accept-Language": "zh"})["error"]["message"]
    assert "语言模型没有应答" in chinese
    kept = [record["index"] for record in evaluations.records(started) if not record.get("error")]
    assert {0, 1} <= set(kept) <= {0, 1, 2}
    assert evaluations.api.client.get(f"/v1/evaluations/{started['id']}/report").status_code == 200
    evaluations.api.model.fault = Fault.NONE
    evaluations.api.client.post(f"/v1/evaluations/{started['id']}/resume")
    ended = evaluations.ended(started)
    assert (ended["state"], ended["done"], ended["failed"], ended["error"]) == ("done", 6, 0, None)
    assert [record["index"] for record in evaluations.records(started)] == list(range(6))


def test_one_question_without_an_answer_is_an_error_and_the_rest_goes_on(evaluations: Evaluations) -> None:
    """The model is there, but writes nothing to one question, however often it is asked."""

    def speechless(request: Json) -> str:
        return "" if "Question 1:" in request["messages"][-1]["content"] else the_model(request)

    evaluations.api.model.reply = speechless
    ended = evaluations.ended(evaluations.start(numbered(3)))
    assert (ended["state"], ended["done"], ended["failed"]) == ("done", 3, 1)
    errors = [record.get("error") for record in evaluations.records(ended)]
    assert errors == [None, "model_unavailable", None]
    assert ended["figures"]["failed_rate"]["value"] == pytest.approx(1 / 3)
    evaluations.api.model.reply = the_model
    evaluations.api.client.post(f"/v1/evaluations/{ended['id']}/resume")
    assert evaluations.ended(ended)["failed"] == 0


def test_a_question_with_an_error_does_not_stop_the_rest(evaluations: Evaluations) -> None:
    text = lines({"id": "long", "question": "E-04 " * 390}, *QUESTIONS[:1])
    limit = evaluations.api.services.settings
    assert len("E-04 " * 390) < limit.max_question_characters
    ended = evaluations.ended(evaluations.start(text))
    assert (ended["state"], ended["done"]) == ("done", 2)


def emptied(evaluations: Evaluations) -> None:
    path = f"/v1/knowledge-bases/{evaluations.base}/documents"
    [document] = evaluations.api.client.get(path).json()["documents"]
    assert evaluations.api.client.delete(f"{path}/{document['id']}").status_code == 204


def rebuilt(evaluations: Evaluations) -> None:
    path = f"/v1/knowledge-bases/{evaluations.base}/rebuild"
    job = evaluations.api.client.post(path, json={"chunk_size": 300}).json()
    assert evaluations.api.ended(job["id"])["state"] == "done"


@pytest.mark.parametrize(("change", "said"), [(emptied, "no ready document"), (rebuilt, "index is another")])
def test_another_knowledge_base_midway_ends_it(
    evaluations: Evaluations, change: Callable[[Evaluations], None], said: str
) -> None:
    gate = evaluations.held_after(1)
    started = evaluations.start(numbered(4))
    assert gate.arrived.wait(60)
    change(evaluations)
    gate.opened.set()
    failed = evaluations.ended(started)
    assert (failed["state"], failed["error"]["code"]) == ("failed", "evaluation_stopped")
    assert said in failed["error"]["message"]
    assert 1 <= failed["done"] <= 2


def test_a_deleted_knowledge_base_takes_its_evaluations_along(evaluations: Evaluations) -> None:
    gate = evaluations.held_after(1)
    started = evaluations.start(numbered(4))
    assert gate.arrived.wait(60)
    assert evaluations.api.client.delete(f"/v1/knowledge-bases/{evaluations.base}").status_code == 204
    for path in ("", "/run", "/report", "/events"):
        answer = evaluations.api.client.get(f"/v1/evaluations/{started['id']}{path}")
        problem(answer, 404, "evaluation_not_found")
    gate.opened.set()
    other = Evaluations(evaluations.api, evaluations.api.base(f"other {started['id']}"))
    evaluations.api.ready(other.base, "kettle.md", MANUAL.encode())
    assert other.ended(other.start(numbered(1)))["state"] == "done"


# --- what is refused ----------------------------------------------------------------------------------------------


def test_a_malformed_set_is_refused_with_the_numbers_of_its_lines(evaluations: Evaluations) -> None:
    text = lines(QUESTIONS[0]) + '{"id": "b"}\nnot json\n' + lines(QUESTIONS[1])
    refused = problem(evaluations.post(text), 422, "question_set_invalid")
    assert "line 2" in refused["title"]
    assert "line 3" in refused["title"]
    assert "line 4" not in refused["title"]
    path = "/v1/evaluations"
    listed = evaluations.api.client.get(path, params={"knowledge_base_id": evaluations.base}).json()
    assert listed["evaluations"] == []


def test_a_set_as_csv_is_taken(evaluations: Evaluations) -> None:
    text = "id,question,answers\ntank,What does E-04 mean?,the water tank is empty\n"
    started = evaluations.post(text, format="csv", name="from a table")
    assert started.status_code == 202, started.text
    assert evaluations.ended(started.json())["figures"]["answer_accuracy"]["value"] == 1.0


def test_an_empty_knowledge_base_is_refused(evaluations: Evaluations) -> None:
    empty = Evaluations(evaluations.api, evaluations.api.base(f"empty {evaluations.base}"))
    problem(empty.post(numbered(1)), 409, "knowledge_base_empty")
    nowhere = Evaluations(evaluations.api, "kb-none")
    problem(nowhere.post(numbered(1)), 404, "knowledge_base_not_found")


def test_bounds_are_kept(evaluations: Evaluations) -> None:
    too_many = problem(evaluations.post(numbered(41)), 422, "too_many_questions")
    assert "41" in too_many["title"]
    assert evaluations.post(numbered(41), settings={"answerable": 2, "mode": "retrieval"}).status_code == 202
    problem(evaluations.post("x" * 1_100_000), 413, "body_too_large")
    for _ in range(7):
        evaluations.ended(evaluations.start(numbered(1), mode="retrieval"))
    problem(evaluations.post(numbered(1)), 409, "evaluations_full")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"mode": "guess"}, "body.settings.mode"),
        ({"parallel": 17}, "body.settings.parallel"),
        ({"temperature": 1}, "body.settings.temperature"),
        ({"answerable": "3"}, "body.settings.answerable"),
    ],
)
def test_settings_are_checked(evaluations: Evaluations, settings: Json, field: str) -> None:
    refused = problem(evaluations.post(numbered(1), settings=settings), 422, "invalid_input")
    assert refused["errors"][0]["field"] == field


def test_a_malformed_body_is_refused(evaluations: Evaluations) -> None:
    problem(evaluations.api.client.post("/v1/evaluations", content=b"{"), 400, "invalid_request")
    problem(evaluations.api.client.post("/v1/evaluations", json={}), 422, "invalid_input")


def test_readers_read_and_editors_start(evaluations: Evaluations) -> None:
    ended = evaluations.ended(evaluations.start(numbered(1)))
    _, secret = evaluations.api.services.keys.create("a reader", Role.READER)
    headers = {"Authorization": f"Bearer {secret}"}
    path = f"/v1/evaluations/{ended['id']}"
    for readable in ("", "/run", "/report", "/events", f"/compare/{ended['id']}"):
        assert evaluations.api.client.get(path + readable, headers=headers).status_code == 200, readable
    for method, address in (
        ("POST", "/v1/evaluations"),
        ("POST", f"{path}/cancel"),
        ("POST", f"{path}/resume"),
        ("DELETE", path),
    ):
        problem(evaluations.api.client.request(method, address, headers=headers), 403, "role_too_low")


def test_a_body_without_a_key_is_not_read(evaluations: Evaluations) -> None:
    headers = {"Authorization": "", "Content-Length": str(10**9)}
    problem(evaluations.api.client.post("/v1/evaluations", content=b"x", headers=headers), 401, "key_missing")


@pytest.mark.parametrize("path", ["", "/run", "/report", "/events", "/compare/eval-none"])
def test_what_is_not_there_is_said(api: Api, path: str) -> None:
    problem(api.client.get(f"/v1/evaluations/eval-none{path}"), 404, "evaluation_not_found")


def test_a_report_needs_an_answer(evaluations: Evaluations) -> None:
    gate = evaluations.held_after(0)
    started = evaluations.start(numbered(1))
    assert gate.arrived.wait(60)
    problem(evaluations.api.client.get(f"/v1/evaluations/{started['id']}/report"), 409, "evaluation_unanswered")
    gate.opened.set()
    evaluations.ended(started)


def test_users_questions_go_first(evaluations: Evaluations) -> None:
    """While a user's question is under way, no further question of an evaluation is put."""
    gate = evaluations.held_after(0)
    asked = threading.Thread(
        target=lambda: evaluations.api.client.post(
            f"/v1/knowledge-bases/{evaluations.base}/ask", json={"question": "What does E-11 mean?"}
        )
    )
    asked.start()
    assert gate.arrived.wait(60)
    started = evaluations.start(numbered(2))
    evaluations.api.until(lambda: evaluations.get(started)["state"] == "running")
    assert gate.seen == 1
    gate.opened.set()
    asked.join()
    assert evaluations.ended(started)["done"] == 2
