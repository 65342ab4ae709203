"""Calibration and drafts over HTTP: what is chosen is used, what is stale is not, who may do what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.catalogue.calibrations import NewCalibration
from app.catalogue.keys import Role
from app.types import Fingerprint, Tuning
from tests.fixtures.scripted_model import Fault
from tests.unit.api.conftest import MANUAL, Api

Json = dict[str, Any]

MANUAL_QUESTIONS = ["What does E-04 mean?", "What does E-11 mean?", "What is the rated power in W?"]
FOREIGN = ["Migrating swallows?", "Migrating swallows cool?"]  # below the others, above the threshold of the tests


@pytest.fixture
def base(api: Api, request: pytest.FixtureRequest) -> str:
    made = api.base(request.node.name[:100])
    assert api.ready(made, "kettle.md", MANUAL.encode())["state"] == "ready"
    return made


def evaluated(api: Api, base: str, **settings: object) -> str:
    """An evaluation that has ended, of questions that the manual answers and of others."""
    known = [
        {"id": f"a{n}", "question": text, "answers": ["x"], "relevant_pages": [["kettle.md", 1]]}
        for n, text in enumerate(MANUAL_QUESTIONS * 8)
    ]
    foreign = [{"id": f"u{n}", "question": text, "answerable": False} for n, text in enumerate(FOREIGN * 6)]
    body = {
        "knowledge_base_id": base,
        "question_set_name": "kettle",
        "questions": "".join(json.dumps(question) + "\n" for question in [*known, *foreign]),
        "settings": {"mode": "retrieval", "threshold": -1, **settings},
    }
    started = api.client.post("/v1/evaluations", json=body)
    assert started.status_code == 202, started.text
    identity = str(started.json()["id"])
    path = f"/v1/evaluations/{identity}"
    api.until(lambda: api.client.get(path).json()["state"] == "done")
    return identity


def path_of(base: str) -> str:
    return f"/v1/knowledge-bases/{base}/calibration"


def searched(api: Api, base: str, **body: object) -> Json:
    found = api.client.post(f"/v1/knowledge-bases/{base}/search", json={"question": "What does E-04 mean?", **body})
    return dict(found.json())


def shown(api: Api, base: str) -> Json:
    return dict(api.client.get(f"/v1/knowledge-bases/{base}").json())


def calibrated(
    api: Api, base: str, tuning: Tuning, fingerprint: Fingerprint | None = None, model: str = "scripted"
) -> None:
    """A calibration as an evaluation would have stored it."""
    live = api.services.bases.get(base).fingerprint
    target = {"kind": "false_refusals", "most": 0.05}
    new = NewCalibration(base, None, fingerprint or live, model, tuning, target, {"warnings": []})
    api.services.calibrations.put(new)


def test_a_calibration_is_made_used_shown_and_taken_away(api: Api, base: str) -> None:
    assert api.client.get(path_of(base)).json()["code"] == "calibration_not_found"
    assert (shown(api, base)["calibration"], searched(api, base)["threshold"]) == ("none", 0.1)
    evaluation = evaluated(api, base)
    made = api.client.post(path_of(base), json={"evaluation_id": evaluation, "most_false_refusals": 0.1})
    assert made.status_code == 200, made.text
    out = made.json()
    assert out["target"] == {"kind": "false_refusals", "most": 0.1}
    assert (out["stale"], out["why"], out["holding"]) == (False, [], out["values"])
    assert "no_doubts" in {warning["code"] for warning in out["warnings"]}
    assert out["values"]["threshold"] > 0.1
    assert out["figures"]["refusal"]["refusal_recall"][1]["value"] == 1.0
    assert api.client.get(path_of(base)).json() == out
    assert shown(api, base)["calibration"] == "active"
    assert searched(api, base)["threshold"] == out["values"]["threshold"]
    assert api.client.delete(path_of(base)).status_code == 204
    assert (shown(api, base)["calibration"], searched(api, base)["threshold"]) == ("none", 0.1)


def test_a_request_and_the_knowledge_bases_own_threshold_win(api: Api, base: str) -> None:
    calibrated(api, base, Tuning(threshold=0.3))
    assert searched(api, base)["threshold"] == 0.3
    api.client.patch(f"/v1/knowledge-bases/{base}", json={"threshold": 0.2})
    assert searched(api, base)["threshold"] == 0.2
    assert searched(api, base, threshold=0.15)["threshold"] == 0.15


def test_the_keyword_weight_orders_the_hits(api: Api, base: str) -> None:
    calibrated(api, base, Tuning(keyword_weight=1.0))
    for hit in searched(api, base, threshold=-1, limit=50)["hits"]:
        assert hit["scores"]["fused"] == 0 or hit["scores"]["bm25"] is not None


@pytest.mark.parametrize(("doubt", "refused"), [(0.2, False), (0.6, True)])
def test_limits_of_doubt_are_taken_from_the_calibration(api: Api, base: str, doubt: float, refused: bool) -> None:
    calibrated(api, base, Tuning(most_doubt=0.3, most_doubt_strange=0.3))
    assert asked_with_doubt(api, base, doubt)["refused"] is refused
    calibrated(api, base, Tuning(most_doubt=0.9, most_doubt_strange=0.9))
    assert asked_with_doubt(api, base, doubt)["refused"] is False
    calibrated(api, base, Tuning(most_doubt=0.9, most_doubt_strange=0.9), model="another")
    assert asked_with_doubt(api, base, doubt)["refused"] is refused, "limits of another model are not used"
    assert shown(api, base)["calibration"] == "stale"
    assert [why["code"] for why in api.client.get(path_of(base)).json()["why"]] == ["model_changed"]


def asked_with_doubt(api: Api, base: str, doubt: float) -> Json:
    pieces = ["Quote", ":", " water", " tank is empty", "\nAnswer", ":", " The water", " tank is empty."]
    api.model.reply, api.model.fault = pieces, Fault.NONE
    api.model.odds = {2: {" water": 0.9 - doubt, " none": doubt}}
    try:
        body = {"question": "What does E-04 mean?"}
        return dict(api.client.post(f"/v1/knowledge-bases/{base}/ask", json=body).json())
    finally:
        api.model.odds = {}


def test_a_calibration_of_another_index_is_not_used_and_says_so(api: Api, base: str) -> None:
    calibrated(api, base, Tuning(threshold=0.3))
    job = api.client.post(f"/v1/knowledge-bases/{base}/rebuild", json={"chunk_size": 300}).json()["id"]
    assert api.ended(job)["state"] == "done"
    assert searched(api, base)["threshold"] == 0.1
    assert shown(api, base)["calibration"] == "stale"
    out = api.client.get(path_of(base), headers={"Accept-Language": "zh"}).json()
    assert (out["stale"], out["holding"]["threshold"], out["values"]["threshold"]) == (True, None, 0.3)
    assert [why["code"] for why in out["why"]] == ["index_changed"]
    assert "索引" in out["why"][0]["message"]


def test_evaluations_that_cannot_be_used_are_refused(api: Api, base: str) -> None:
    def code(evaluation: str, of: str = base, **more: object) -> str:
        return str(api.client.post(path_of(of), json={"evaluation_id": evaluation, **more}).json()["code"])

    assert code("eval-none") == "evaluation_not_found"
    evaluation = evaluated(api, base)
    assert code(evaluation, of=api.base(f"{base} other")) == "calibration_impossible"
    assert code(evaluation, of="kb-none") == "knowledge_base_not_found"
    assert code(evaluation, most_false_refusals=0.1, most_invented=0.1) == "invalid_input"
    assert code(evaluation, most_false_refusals=1.5) == "invalid_input"
    job = api.client.post(f"/v1/knowledge-bases/{base}/rebuild", json={"chunk_size": 300}).json()["id"]
    assert api.ended(job)["state"] == "done"
    assert code(evaluation) == "calibration_impossible"


def test_readers_may_look_and_editors_change(api: Api, base: str) -> None:
    calibrated(api, base, Tuning(threshold=0.3))
    _, secret = api.services.keys.create("a reader", Role.READER)
    own = {"Authorization": f"Bearer {secret}"}
    assert api.client.get(path_of(base), headers=own).status_code == 200
    body = {"evaluation_id": "eval-1"}
    assert api.client.post(path_of(base), json=body, headers=own).json()["code"] == "role_too_low"
    assert api.client.delete(path_of(base), headers=own).json()["code"] == "role_too_low"
    drafts = f"/v1/knowledge-bases/{base}/question-drafts"
    assert api.client.post(drafts, json={}, headers=own).json()["code"] == "role_too_low"
    nobody = {"Authorization": ""}
    assert api.client.get(path_of(base), headers=nobody).status_code == 401


# --- drafts -----------------------------------------------------------------------------------------------------------


def drafts(api: Api, base: str, **body: object) -> list[tuple[str, Json]]:
    sent = api.client.post(f"/v1/knowledge-bases/{base}/question-drafts", json=body)
    assert sent.status_code == 200, sent.text
    events = []
    for block in sent.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        events.append((fields["event"], json.loads(fields["data"])))
    return events


def drafting_model(request: Json) -> str:
    """Writes what the rules ask for, by the passage it is given."""
    rules, passage = request["messages"][0]["content"], request["messages"][-1]["content"]
    if "cannot answer" in rules:
        return "Question: What does a spare lid for the Kettle K-9 cost?"
    if "E-04" in passage:
        return "Question: What does E-04 of the Kettle K-9 mean?\nAnswer: the water tank is empty"
    return "Question: What is this passage about?\nAnswer: safety"


def test_drafts_are_checked_and_marked(api: Api, base: str) -> None:
    api.model.reply, api.model.fault = drafting_model, Fault.NONE
    *written, (last, end) = drafts(api, base, count=2, unanswerable=1, seed=3)
    assert last == "done"
    assert {event for event, _ in written} == {"draft"}
    found = {draft["question"].get("answerable", True): draft for _, draft in written}
    assert end["drafts"] == len(written) == len(found) == 2
    known, unknown = found[True], found[False]
    assert known["question"]["answers"] == ["the water tank is empty"]
    assert known["question"]["relevant_pages"] == [["kettle.md", 1]]
    assert known["evidence"] == "E-04 means that the water tank is empty."
    assert all(draft["question"]["draft"] is True for draft in (known, unknown))
    assert "answers" not in unknown["question"]


def test_a_model_that_is_away_ends_the_drafts_with_an_error(api: Api, base: str) -> None:
    api.model_says("x", Fault.ERROR_500)
    [(event, error)] = drafts(api, base, count=2)
    assert (event, error["code"]) == ("error", "model_unavailable")


def test_without_passages_or_with_too_many_wishes_nothing_is_drafted(api: Api) -> None:
    empty = api.base("no documents to draft from")
    path = f"/v1/knowledge-bases/{empty}/question-drafts"
    assert api.client.post(path, json={}).json()["code"] == "knowledge_base_empty"
    assert api.client.post(path, json={"count": 2, "unanswerable": 3}).json()["code"] == "invalid_input"
    assert api.client.post(path.replace(empty, "kb-none"), json={}).json()["code"] == "knowledge_base_not_found"
