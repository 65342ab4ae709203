"""Adapters over HTTP: taken in, hosted, asked, proved, promoted, compared by their share, rolled back, put away."""

from __future__ import annotations

import io
import json
import secrets
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from app.catalogue.calibrations import NewCalibration
from app.catalogue.keys import Role
from app.types import Tuning
from tests.fixtures.adapters import an_adapter, zipped
from tests.fixtures.scripted_model import Fault
from tests.unit.api.conftest import Api
from tests.unit.api.test_bad_requests import ZH, problem
from tests.unit.api.test_questions import events

RIGHT = "Quote: E-04 means that the water tank is empty.\nAnswer: E-04 means that the water tank is empty."
HEATER = "Quote: E-11 means that the heater is too hot.\nAnswer: E-11 means that the heater is too hot."
REFUSAL = "Quote: none\nAnswer: Not stated in the manuals."
QUESTIONS = [
    {"id": "tank", "question": "What does E-04 mean?", "answers": ["the water tank is empty"]},
    {"id": "heater", "question": "What does E-11 mean?", "answers": ["the heater is too hot"]},
    {"id": "price", "question": "What is the price of the kettle K-9?", "answerable": False},
]


def new_name() -> str:
    return f"adapter {secrets.token_hex(4)}"


def sent(api: Api, archive: Path, **params: str) -> Any:  # noqa: ANN401 - a response
    return api.client.post("/v1/adapters", params={"name": new_name(), **params}, content=archive.read_bytes())


def imported(api: Api, folder: Path) -> str:
    """An adapter that has been taken in."""
    response = sent(api, zipped(an_adapter(folder / "adapter"), folder / "adapter.zip"), prompt="short")
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def hosted(api: Api, folder: Path) -> str:
    """An adapter that can be asked."""
    adapter = imported(api, folder)
    made = api.client.post(f"/v1/adapters/{adapter}/host")
    assert made.status_code == 200, made.text
    assert (made.json()["wanted"], made.json()["hosted"]) == (True, True)
    return adapter


def say(api: Api, adapter: str, *, by_adapter: dict[str, str], by_base: dict[str, str]) -> None:
    """What the model says, with the adapter and alone, to a question with such a word; else that it knows nothing."""

    def reply(request: dict[str, Any]) -> str:
        asked = str(request["messages"][-1]["content"]).splitlines()[-1]
        answers = by_adapter if request["model"] == adapter else by_base
        return next((answer for code, answer in answers.items() if code in asked), REFUSAL)

    api.model.reply, api.model.fault = reply, Fault.NONE


KNOWS_ALL = {"E-04": RIGHT, "E-11": HEATER}
KNOWS_ONE = {"E-04": RIGHT}


def proved(api: Api, base: str, adapter: str, **settings: object) -> dict[str, str]:
    """The ids of the two evaluations of a proof, once they are done."""
    lines = "\n".join(json.dumps(question) for question in QUESTIONS)
    body = {"knowledge_base_id": base, "questions": lines, "settings": settings}
    started = api.client.post(f"/v1/adapters/{adapter}/prove", json=body)
    assert started.status_code == 202, started.text
    pair = {side: started.json()[side]["id"] for side in ("base", "adapter")}
    api.until(lambda: all(evaluation(api, one)["finished_at"] for one in pair.values()))
    assert {evaluation(api, one)["state"] for one in pair.values()} == {"done"}
    return pair


def evaluation(api: Api, evaluation_id: str) -> dict[str, Any]:
    return dict(api.client.get(f"/v1/evaluations/{evaluation_id}").json())


def promote(api: Api, base: str, adapter: str, **fields: object) -> Any:  # noqa: ANN401 - a response
    return api.client.put(f"/v1/knowledge-bases/{base}/adapter", json={"adapter_id": adapter, **fields})


def forced(api: Api, base: str, adapter: str, share: int = 100) -> dict[str, Any]:
    made = promote(api, base, adapter, share=share, force=True, reason="a trial")
    assert made.status_code == 200, made.text
    return dict(made.json())


def ask(api: Api, base: str, **fields: object) -> dict[str, Any]:
    response = api.client.post(f"/v1/knowledge-bases/{base}/ask", json={"question": "What does E-04 mean?", **fields})
    assert response.status_code == 200, response.text
    return dict(response.json())


def forget(api: Api, adapter: str) -> None:
    """The model server does not have the adapter any more, as after a restart."""
    api.model.fault, api.model.struck = Fault.MISSING_404, lambda request: request["model"] == adapter


def remember(api: Api) -> None:
    api.model.fault, api.model.struck = Fault.NONE, lambda _: True


@pytest.fixture
def base(api: Api, kettle: str) -> Any:  # noqa: ANN401 - a generator
    """The knowledge base of the kettle, answered by the model alone before and after."""
    yield kettle
    while (api.client.post(f"/v1/knowledge-bases/{kettle}/adapter/rollback")).status_code == 200:
        pass
    for adapter in api.client.get("/v1/adapters").json()["adapters"]:
        if adapter["state"] != "retired":
            assert api.client.post(f"/v1/adapters/{adapter['id']}/retire").status_code == 200
    for one in api.client.get("/v1/evaluations").json()["evaluations"]:
        api.client.delete(f"/v1/evaluations/{one['id']}")


# --- coming and going ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("base")
def test_an_adapter_is_taken_in_listed_and_given_out(api: Api, tmp_path: Path) -> None:
    adapter = imported(api, tmp_path)
    shown = api.client.get(f"/v1/adapters/{adapter}").json()
    assert (shown["state"], shown["wanted"], shown["hosted"], shown["rank"]) == ("checked", False, False, 4)
    assert (shown["base"], shown["prompt"], shown["job_id"]) == ("tiny-model", "short", None)
    assert adapter in [one["id"] for one in api.client.get("/v1/adapters").json()["adapters"]]
    file = api.client.get(f"/v1/adapters/{adapter}/file")
    assert file.headers["content-disposition"] == f'attachment; filename="{adapter}.zip"'
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        assert sorted(archive.namelist()) == ["adapter_config.json", "adapter_model.safetensors"]
    again = api.client.post("/v1/adapters", params={"name": new_name()}, content=file.content)
    assert again.status_code == 201, again.text
    assert (again.json()["sha256"], again.json()["prompt"]) == (shown["sha256"], "short")


def test_a_bad_one_is_told_why_and_no_server_hears_of_it(api: Api, base: str, tmp_path: Path) -> None:
    told = len(api.host.told)
    bad = zipped(an_adapter(tmp_path / "bad", r=4096), tmp_path / "bad.zip")
    assert "秩为 4096" in problem(sent_with(api, bad, ZH), 422, "adapter_invalid")["title"]
    named = zipped(an_adapter(tmp_path / "other", base_model_name_or_path="other"), tmp_path / "other.zip")
    assert "another base model" in problem(sent(api, named), 422, "adapter_invalid")["title"]
    assert sent(api, named, base="tiny-model").status_code == 201, "the one who sends it may name the base"
    problem(api.client.post("/v1/adapters", params={"name": "junk"}, content=b"junk"), 422, "adapter_invalid")
    large = api.client.post("/v1/adapters", params={"name": "large"}, content=bytes(1_100_000))
    assert "MQA_MAX_ADAPTER_MB" in problem(large, 413, "body_too_large")["title"]
    assert api.host.told[told:] == []
    assert not [path.name for path in api.services.settings.adapters_dir.iterdir() if path.name.startswith(".")]
    assert base


def sent_with(api: Api, archive: Path, headers: dict[str, str]) -> Any:  # noqa: ANN401 - a response
    content = archive.read_bytes()
    return api.client.post("/v1/adapters", params={"name": new_name()}, content=content, headers=headers)


@pytest.mark.usefixtures("base")
def test_a_name_is_taken_once(api: Api, tmp_path: Path) -> None:
    archive = zipped(an_adapter(tmp_path / "a"), tmp_path / "a.zip")
    assert sent(api, archive, name="the same").status_code == 201
    problem(sent(api, archive, name="the same"), 409, "adapter_name_taken")


def test_hosting_is_asked_of_the_server_and_taken_back(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    assert api.host.told[-1] == [adapter]
    gone = api.client.post(f"/v1/adapters/{adapter}/unhost").json()
    assert (gone["wanted"], gone["hosted"]) == (False, False)
    assert api.host.told[-1] == []
    retired = api.client.post(f"/v1/adapters/{adapter}/retire").json()
    assert retired["state"] == "retired"
    problem(api.client.post(f"/v1/adapters/{adapter}/host"), 409, "adapter_retired")
    problem(api.client.get(f"/v1/adapters/{adapter}/file"), 409, "adapter_retired")
    problem(api.client.get("/v1/adapters/ad-none"), 404, "adapter_not_found")
    assert base


@pytest.mark.usefixtures("base")
def test_a_file_that_was_swapped_is_not_hosted(api: Api, tmp_path: Path) -> None:
    adapter = imported(api, tmp_path)
    told = len(api.host.told)
    file = api.services.settings.adapters_dir / adapter / "peft" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\x01\x02\x03\x04")
    problem(api.client.post(f"/v1/adapters/{adapter}/host"), 409, "adapter_changed")
    assert api.host.told[told:] == []


ROUTES = [
    ("GET", "/v1/adapters", Role.READER),
    ("GET", "/v1/adapters/ad-none", Role.READER),
    ("GET", "/v1/adapters/ad-none/file", Role.EDITOR),
    ("POST", "/v1/adapters?name=x", Role.ADMIN),
    ("POST", "/v1/adapters/ad-none/host", Role.ADMIN),
    ("POST", "/v1/adapters/ad-none/unhost", Role.ADMIN),
    ("POST", "/v1/adapters/ad-none/retire", Role.ADMIN),
    ("POST", "/v1/adapters/ad-none/prove", Role.EDITOR),
    ("GET", "/v1/knowledge-bases/kb-none/adapter", Role.READER),
    ("PUT", "/v1/knowledge-bases/kb-none/adapter", Role.ADMIN),
    ("POST", "/v1/knowledge-bases/kb-none/adapter/rollback", Role.ADMIN),
]


@pytest.mark.parametrize(("method", "path", "needed"), ROUTES)
def test_each_route_wants_its_role(api: Api, method: str, path: str, needed: Role) -> None:
    body = {"adapter_id": "ad-none", "knowledge_base_id": "kb-none"} if "prove" not in path else None
    without = api.client.request(method, path, json=body, headers={"Authorization": ""})
    problem(without, 401, "key_missing")
    for role in Role:
        made = api.client.post("/v1/keys", json={"name": "role", "role": role}).json()
        response = api.client.request(method, path, json=body, headers={"Authorization": f"Bearer {made['secret']}"})
        assert (response.status_code == 403) is (not role.covers(needed)), response.text
        api.client.delete(f"/v1/keys/{made['id']}")


# --- asking -------------------------------------------------------------------------------------------------------


def test_an_adapter_is_asked_by_its_id_and_as_it_was_trained(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    say(api, adapter, by_adapter=KNOWS_ALL, by_base={})
    answer = ask(api, base, adapter=adapter)
    assert (answer["refused"], answer["model"], answer["adapter"], answer["promotion"]) == (
        False,
        "scripted",
        adapter,
        None,
    )
    request = api.model.requests[-1]
    assert request["model"] == adapter
    assert [message["role"] for message in request["messages"]] == ["system", "user"], "the short prompt"
    for choice in ({}, {"adapter": "base"}):
        answer = ask(api, base, **choice)
        assert (answer["refused"], answer["adapter"]) == (True, None)
        assert len(api.model.requests[-1]["messages"]) > 2, "the full prompt"
    streamed = api.client.post(
        f"/v1/knowledge-bases/{base}/ask",
        json={"question": "What does E-04 mean?", "adapter": adapter, "stream": True},
    )
    assert events(streamed.text)[-1][1]["adapter"] == adapter
    batch = api.client.post(
        f"/v1/knowledge-bases/{base}/ask-batch", json={"questions": ["What does E-11 mean?"], "adapter": adapter}
    )
    assert batch.json()["items"][0]["answer"]["adapter"] == adapter


def test_a_conversation_asks_an_adapter_and_rewrites_with_the_base(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    say(api, adapter, by_adapter=KNOWS_ALL, by_base={})
    conversation = api.client.post(f"/v1/knowledge-bases/{base}/conversations").json()["id"]
    for question in ("What does E-04 mean?", "And what does E-11 mean then?"):
        told = api.client.post(f"/v1/conversations/{conversation}/ask", json={"question": question, "adapter": adapter})
        assert events(told.text)[-1][1]["adapter"] == adapter
    rewriting = [r for r in api.model.requests[-3:] if "rewrite" in str(r["messages"][0]["content"])]
    assert [request["model"] for request in rewriting] in ([], ["scripted"])
    turns = api.client.get(f"/v1/conversations/{conversation}").json()["turns"]
    assert [turn["answer"]["adapter"] for turn in turns] == [adapter, adapter]


def test_what_cannot_be_asked_is_told_before_anything_is_searched(api: Api, base: str, tmp_path: Path) -> None:
    adapter = imported(api, tmp_path)
    body = {"question": "What does E-04 mean?", "adapter": adapter}
    problem(api.client.post(f"/v1/knowledge-bases/{base}/ask", json=body), 409, "adapter_not_hosted")
    problem(
        api.client.post(f"/v1/knowledge-bases/{base}/ask", json={**body, "adapter": "ad-none"}),
        404,
        "adapter_not_found",
    )
    batch = {"questions": ["What?"], "adapter": adapter}
    problem(api.client.post(f"/v1/knowledge-bases/{base}/ask-batch", json=batch), 409, "adapter_not_hosted")
    lines = json.dumps(QUESTIONS[0])
    evaluated = {
        "knowledge_base_id": base,
        "question_set_name": "s",
        "questions": lines,
        "settings": {"adapter": adapter},
    }
    problem(api.client.post("/v1/evaluations", json=evaluated), 409, "adapter_not_hosted")


# --- proving and promoting ----------------------------------------------------------------------------------------


def test_a_better_adapter_is_promoted_and_rolled_back(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    say(api, adapter, by_adapter=KNOWS_ALL, by_base=KNOWS_ONE)
    pair = proved(api, base, adapter)
    run = api.client.get(f"/v1/evaluations/{pair['adapter']}/run").json()
    assert (run["model"], run["settings"]["adapter"]) == ("scripted", adapter)
    assert {record.get("adapter") for record in run["records"]} == {adapter}
    assert evaluation(api, pair["base"])["settings"]["adapter"] == "base"

    standing = promote(api, base, adapter)
    assert standing.status_code == 200, standing.text
    present = standing.json()["present"]
    assert (present["adapter_id"], present["share"], present["forced"], present["kind"]) == (
        adapter,
        100,
        False,
        "promote",
    )
    assert (present["proof"]["base"], present["proof"]["adapter"], present["proof"]["worse"]) == (*pair.values(), [])
    metrics = {found["metric"]: found for found in present["proof"]["differences"]}
    assert metrics["answer_accuracy"]["before"]["value"] == 0.5
    assert metrics["answer_accuracy"]["after"]["value"] == 1.0
    assert "groundedness" in metrics
    assert "p" in metrics["refusal_recall"]
    answer = ask(api, base)
    assert (answer["adapter"], answer["promotion"]) == (adapter, present["id"])
    assert ask(api, base, adapter="base")["adapter"] is None
    assert api.client.get(f"/v1/adapters/{adapter}").json()["state"] == "promoted"
    problem(api.client.post(f"/v1/adapters/{adapter}/retire"), 409, "adapter_promoted")
    problem(api.client.post(f"/v1/adapters/{adapter}/unhost"), 409, "adapter_promoted")

    began = time.monotonic()
    back = api.client.post(f"/v1/knowledge-bases/{base}/adapter/rollback", json={"reason": "a complaint"})
    assert time.monotonic() - began < 5  # of which nothing waits for a model or a server
    assert (back.json()["adapter_id"], back.json()["present"]["reason"]) == (None, "a complaint")
    assert [one["kind"] for one in back.json()["history"]][:2] == ["rollback", "promote"]
    assert ask(api, base)["adapter"] is None
    problem(api.client.post(f"/v1/knowledge-bases/{base}/adapter/rollback"), 409, "nothing_to_roll_back")


def test_a_worse_adapter_is_refused_and_says_by_how_much(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    say(api, adapter, by_adapter=KNOWS_ONE, by_base=KNOWS_ALL)
    proved(api, base, adapter)
    refused = problem(promote(api, base, adapter), 409, "promotion_refused")
    assert "answer_accuracy is worse by 50.0 points: 1.000 before, 0.500 after" in refused["title"]
    assert "false_refusal_rate is worse by 50.0 points: 0.000 before, 0.500 after" in refused["title"]
    shown = api.client.get(f"/v1/knowledge-bases/{base}/adapter").json()
    assert shown["present"] is None or shown["present"]["adapter_id"] is None
    problem(promote(api, base, adapter, force=True), 422, "invalid_input")
    made = promote(api, base, adapter, force=True, reason="shorter answers matter more").json()["present"]
    assert (made["forced"], made["reason"]) == (True, "shorter answers matter more")
    assert made["proof"]["worse"] == ["answer_accuracy", "false_refusal_rate"]


def test_an_adapter_that_invents_is_refused(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    invents = {**KNOWS_ALL, "price": "Quote: Rated power is 1500 W at 220 V.\nAnswer: Rated power is 1500 W at 220 V."}
    say(api, adapter, by_adapter=invents, by_base=KNOWS_ALL)
    proved(api, base, adapter)
    assert (
        "refusal_recall is worse by 100.0 points"
        in problem(promote(api, base, adapter), 409, "promotion_refused")["title"]
    )


def test_a_proof_holds_for_what_it_was_made_of(api: Api, base: str, tmp_path: Path) -> None:
    adapter, other = hosted(api, tmp_path / "a"), hosted(api, tmp_path / "b")
    say(api, adapter, by_adapter=KNOWS_ALL, by_base=KNOWS_ALL)
    problem(promote(api, base, adapter), 409, "proof_unusable")
    pair = proved(api, base, adapter)

    def why(pair: dict[str, str], adapter: str = adapter) -> str:
        return str(problem(promote(api, base, adapter, proof=pair), 409, "proof_unusable")["title"])

    assert "base model and this adapter" in why(pair, other)
    assert "base model and this adapter" in why({"base": pair["adapter"], "adapter": pair["base"]})
    assert "is gone" in why({**pair, "base": "eval-none"})
    limited = proved(api, base, adapter, limit=3)
    assert "the same questions in the same way" in why({**pair, "adapter": limited["adapter"]})
    doubtful = proved(api, base, adapter, keep_doubtful=True)
    assert "did not answer as the service does" in why(doubtful)
    elsewhere = api.base("another base")
    said = problem(promote(api, elsewhere, adapter, proof=pair), 409, "proof_unusable")["title"]
    assert "another knowledge base" in said
    assert promote(api, base, adapter, proof=pair).status_code == 200
    api.client.delete(f"/v1/evaluations/{limited['base']}")
    assert "is gone" in why(limited)


def test_a_proof_of_another_index_is_stale(api: Api, base: str, tmp_path: Path) -> None:
    own = api.base("to be rebuilt")
    api.ready(own, "kettle.md", b"# Kettle\n\nE-04 means that the water tank is empty.\n")
    adapter = hosted(api, tmp_path)
    say(api, adapter, by_adapter=KNOWS_ALL, by_base=KNOWS_ALL)
    proved(api, own, adapter)
    job = api.client.post(f"/v1/knowledge-bases/{own}/rebuild", json={"chunk_size": 500}).json()
    assert api.ended(job["id"])["state"] == "done"
    assert "the index is another" in problem(promote(api, own, adapter), 409, "proof_unusable")["title"]
    made = forced(api, own, adapter)["present"]
    assert (made["forced"], made["proof"]) == (True, {"unusable": "the index is another than at its evaluations"})
    assert base
    api.client.delete(f"/v1/knowledge-bases/{own}")


def test_what_is_not_hosted_is_not_proved_or_promoted(api: Api, base: str, tmp_path: Path) -> None:
    adapter = imported(api, tmp_path)
    body = {"knowledge_base_id": base, "questions": json.dumps(QUESTIONS[0])}
    problem(api.client.post(f"/v1/adapters/{adapter}/prove", json=body), 409, "adapter_not_hosted")
    problem(promote(api, base, adapter, force=True, reason="x"), 409, "adapter_not_hosted")
    api.client.post(f"/v1/adapters/{adapter}/host")
    problem(api.client.post(f"/v1/adapters/{adapter}/prove", json={"knowledge_base_id": base}), 409, "proof_unusable")
    broken = {**body, "questions": "{"}
    problem(api.client.post(f"/v1/adapters/{adapter}/prove", json=broken), 422, "question_set_invalid")
    problem(promote(api, base, adapter, share=0), 422, "invalid_input")
    problem(promote(api, base, adapter, share=101), 422, "invalid_input")


def test_the_questions_that_a_training_held_out_prove_it(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    job = "ft-0123456789abcdef"
    with api.services.adapters._sessions.begin() as session:
        session.connection().exec_driver_sql("UPDATE adapters SET job_id = ? WHERE id = ?", (job, adapter))
    folder = api.services.settings.data_dir / "finetune" / job
    folder.mkdir(parents=True)
    (folder / "questions.jsonl").write_text("\n".join(json.dumps(question) for question in QUESTIONS))
    say(api, adapter, by_adapter=KNOWS_ALL, by_base=KNOWS_ALL)
    started = api.client.post(f"/v1/adapters/{adapter}/prove", json={"knowledge_base_id": base}).json()
    assert (started["base"]["questions"], started["adapter"]["question_set_name"]) == (3, "held-out")


# --- a share ------------------------------------------------------------------------------------------------------


def test_a_share_of_the_questions_and_its_feedback(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    say(api, adapter, by_adapter=KNOWS_ALL, by_base=KNOWS_ALL)
    promotion = forced(api, base, adapter, share=50)["present"]["id"]
    seen: dict[str | None, int] = {}
    for number in range(12):
        if number % 4 == 0:
            conversation = api.client.post(f"/v1/knowledge-bases/{base}/conversations").json()["id"]
        question = {"question": f"What does E-04 mean, case {number}?"}
        told = events(api.client.post(f"/v1/conversations/{conversation}/ask", json=question).text)
        answer, turn = told[-1][1], told[0][1]["id"]
        assert answer["promotion"] == promotion
        seen[answer["adapter"]] = seen.get(answer["adapter"], 0) + 1
        verdict = "up" if answer["adapter"] == adapter else "down"
        assert api.client.put(f"/v1/turns/{turn}/feedback", json={"verdict": verdict}).status_code == 200
    shown = api.client.get(f"/v1/knowledge-bases/{base}/adapter").json()
    arms = {arm["adapter_id"]: (arm["answers"], arm["up"], arm["down"]) for arm in shown["present"]["arms"]}
    assert arms == {side: (n, n, 0) if side == adapter else (n, 0, n) for side, n in seen.items()}
    assert sum(seen.values()) == 12


def test_the_same_question_of_the_same_key_gets_the_same_side(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    say(api, adapter, by_adapter=KNOWS_ALL, by_base=KNOWS_ALL)
    forced(api, base, adapter, share=50)
    present = api.services.promotions.present(base)
    assert present is not None
    asker = next(key["id"] for key in api.client.get("/v1/keys").json()["keys"] if key["name"] == "tests")
    sides: dict[str | None, list[str]] = {adapter: [], None: []}
    for number in range(200):
        question = f"What does E-04 mean, case {number}?"
        sides[present.pick(question, asker)].append(question)
    for side, questions in sides.items():
        for question in questions[:2] * 2:
            answer = ask(api, base, question=question)
            assert (answer["adapter"], answer["promotion"]) == (side, present.id)


def test_the_model_alone_stands_in_for_an_adapter_that_is_away(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    say(api, adapter, by_adapter=KNOWS_ALL, by_base=KNOWS_ALL)
    forced(api, base, adapter)
    forget(api, adapter)
    try:
        answer = ask(api, base)
        assert (answer["refused"], answer["mode"], answer["adapter"], answer["promotion"]) == (
            False,
            "generated",
            None,
            None,
        )
        assert len(api.model.requests[-1]["messages"]) > 2, "asked as the model alone is"
        body = {"question": "What does E-04 mean?", "adapter": adapter}
        problem(api.client.post(f"/v1/knowledge-bases/{base}/ask", json=body), 409, "adapter_not_hosted")
        streamed = api.client.post(f"/v1/knowledge-bases/{base}/ask", json={**body, "stream": True})
        assert events(streamed.text)[-1][1]["code"] == "adapter_not_hosted"
    finally:
        remember(api)


def test_an_evaluation_keeps_to_what_answered_when_it_was_started(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    say(api, adapter, by_adapter=KNOWS_ALL, by_base=KNOWS_ALL)
    body = {"knowledge_base_id": base, "question_set_name": "s", "questions": json.dumps(QUESTIONS[0])}

    def asked() -> str:
        started = api.client.post("/v1/evaluations", json=body)
        assert started.status_code == 202, started.text
        api.until(lambda: evaluation(api, started.json()["id"])["finished_at"] is not None)
        return str(evaluation(api, started.json()["id"])["settings"]["adapter"])

    assert asked() == "base"
    forced(api, base, adapter, share=50)
    assert asked() == "base", "what is on trial is not the standard yet"
    forced(api, base, adapter)
    assert asked() == adapter


def test_a_calibration_of_the_model_does_not_hold_for_an_adapter(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    api.model.reply = ["Quote", ":", " water", " tank is empty", "\nAnswer", ":", " The water", " tank is empty."]
    fingerprint = api.services.bases.get(base).fingerprint
    values = Tuning(most_doubt=0.01, most_doubt_strange=0.01)
    api.services.calibrations.put(NewCalibration(base, None, fingerprint, "scripted", values, {}, {}))
    api.model.odds = {2: {" water": 0.8, " none": 0.1}}

    def shown() -> str:
        return str(api.client.get(f"/v1/knowledge-bases/{base}").json()["calibration"])

    try:
        assert ask(api, base)["refused"], "the limits of the model"
        assert not ask(api, base, adapter=adapter)["refused"], "the limits that hold for what is not calibrated"
        assert shown() == "active"
        forced(api, base, adapter)
        assert not ask(api, base)["refused"]
        assert shown() == "stale"
        forget(api, adapter)
        assert ask(api, base)["refused"], "the model alone stands in, with its own limits"
    finally:
        api.model.odds = {}
        remember(api)
        api.services.calibrations.remove(base)


def test_a_calibration_by_an_adapter_holds_for_it_alone(api: Api, base: str, tmp_path: Path) -> None:
    adapter = hosted(api, tmp_path)
    say(api, adapter, by_adapter=KNOWS_ALL, by_base=KNOWS_ALL)
    pair = proved(api, base, adapter, keep_doubtful=True)
    made = api.client.post(f"/v1/knowledge-bases/{base}/calibration", json={"evaluation_id": pair["adapter"]})
    assert made.json()["model"] == f"scripted+{adapter}"
    api.client.delete(f"/v1/knowledge-bases/{base}/calibration")
