"""Trainings over HTTP: look, estimate, start, watch, stop, go on, and what is refused; with a scripted process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.app import create_app
from app.catalogue.keys import Role
from app.evaluation.courtesy import Courtesy
from app.finetune.jobs import TrainingJobs, TrainingParts
from app.finetune.preparation import Preparation
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.parts import Parts
from app.services import Services
from app.settings import Settings
from app.wiring.parts import served_base
from app.wiring.services import build_services
from app.wiring.work import build_adapters
from tests.fixtures.codes import MANUAL, pair, pairs
from tests.fixtures.embedders import WordEmbedder
from tests.fixtures.lora import Shape, a_lora
from tests.fixtures.tiny_chat_model import a_tiny_base
from tests.fixtures.trainings import scripted
from tests.fixtures.waiting import wait_for

Json = dict[str, Any]

TINY = Shape(layers=2, hidden=64, key_values=32, inner=128)
ENDED = ("done", "failed", "cancelled")
ROOMY = {"max_tokens": 4096, "rank": 4}


@dataclass
class Tuning:
    """The routes as a client calls them."""

    client: TestClient
    services: Services
    base: str
    held: Path

    def body(self, text: str | None = None, **fields: Any) -> Json:  # noqa: ANN401
        sent = {"knowledge_base_id": self.base, "pairs_name": "codes", "pairs": text or pairs(), "training": ROOMY}
        return {**sent, **fields}

    def start(self, **fields: Any) -> Json:  # noqa: ANN401
        started = self.client.post("/v1/finetune/jobs", json=self.body(**fields))
        assert started.status_code == 202, started.text
        return dict(started.json())

    def get(self, one: Json, **headers: str) -> Json:
        found = self.client.get(f"/v1/finetune/jobs/{one['id']}", headers=headers)
        assert found.status_code == 200, found.text
        return dict(found.json())

    def until(self, condition: Callable[[], bool]) -> None:
        assert wait_for(condition, 60), "it did not come about"

    def ended(self, one: Json) -> Json:
        self.until(lambda: self.get(one)["state"] in ENDED)
        return self.get(one)

    def folder(self, one: Json) -> Path:
        return self.services.settings.finetune_dir / str(one["id"])

    def go(self, one: Json) -> None:
        """Lets the process of a training pass the step at which it waits."""
        (self.folder(one) / "go").touch()


@pytest.fixture(scope="module")
def tuning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tuning]:
    folder = tmp_path_factory.mktemp("tuning")
    base = a_tiny_base(folder / "tiny-base")
    adapter = a_lora(folder / "lora", TINY, rank=4, base_model_name_or_path="tiny-base")
    settings = Settings(
        data_dir=folder / "data",
        threshold=0.1,
        ocr=False,
        shutdown_seconds=1.0,
        adapter_base=str(base.folder),
        finetune_body_mb=1,
        finetune_pairs=40,
        finetune_queue=2,
        max_finetunes=30,
        min_free_disk_mb=0,
        max_adapter_mb=5,
    )
    model = OpenAICompatibleModel(
        "none", FixedEndpoint("http://127.0.0.1:9/v1"), first_token_seconds=1, total_seconds=1
    )
    services = build_services(settings, "local-token", Parts(WordEmbedder(), model))
    preparation = Preparation(services, lambda: served_base(settings), Courtesy(1.0))
    command = scripted(steps=4, hold_at=3, adapter=str(adapter))
    trainings = TrainingJobs(services, TrainingParts(preparation, build_adapters(services), command))
    _, secret = services.keys.create("tests", Role.ADMIN)
    app = create_app(services, trainings)
    with TestClient(app, headers={"Authorization": f"Bearer {secret}"}) as client:
        made = Tuning(client, services, "", folder)
        made.until(lambda: client.get("/readyz").status_code == 200)
        made.base = client.post("/v1/knowledge-bases", json={"name": "codes"}).json()["id"]
        path = f"/v1/knowledge-bases/{made.base}"
        client.post(f"{path}/documents", params={"name": "codes.md"}, content=MANUAL.encode())
        made.until(lambda: client.get(path).json()["ready"] == 1)
        yield made


def problem(response: Any, status: int, code: str) -> Json:  # noqa: ANN401
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    return dict(response.json())


def test_looking_at_data_keeps_nothing(tuning: Tuning) -> None:
    looked = tuning.client.post("/v1/finetune/datasets", json=tuning.body())
    assert looked.status_code == 200, looked.text
    data = looked.json()
    train, heldout = data["train"], data["heldout"]
    assert (data["pairs"], data["too_long"], data["drafts_left_out"], data["leaking"]) == (19, 0, 0, 0)
    gone = sum(data["left_out"].values()) + data["repeated"]
    assert train["examples"] + heldout["examples"] + gone == 19
    assert train["examples"] > heldout["examples"] > 0
    assert sum(train["kinds"].values()) == train["examples"]
    assert 0 < train["tokens"]["median"] <= train["tokens"]["most"] <= train["tokens"]["longest"]
    assert data["estimate"]["exact"]
    assert {preview["kind"] for preview in data["previews"]} == set(train["kinds"])
    assert all(preview["learned"].startswith("Quote: ") for preview in data["previews"])
    assert all(preview["read"].endswith("<|im_start|>assistant\n") for preview in data["previews"])
    assert tuning.client.get("/v1/finetune/jobs").json()["jobs"] == []
    assert not list(tuning.services.settings.finetune_dir.glob("*"))


def test_an_estimate_needs_no_passages(tuning: Tuning) -> None:
    training = {**ROOMY, "epochs": 2, "batch_size": 1, "accumulate": 1}
    found = tuning.client.post("/v1/finetune/estimate", json=tuning.body(training=training)).json()
    assert (found["pairs"], found["exact"], found["refusal"]) == (19, False, None)
    assert found["config"]["epochs"] == 2
    assert found["steps"] == 2 * (19 - round(0.15 * 19))
    assert found["seconds"] > 0


def test_a_training_ends_with_an_adapter_in_the_registry(tuning: Tuning) -> None:
    one = tuning.start(name="Answers about codes")
    assert (one["state"], one["stage"], one["base"]) == ("queued", "waiting", "tiny-base")
    assert (one["config"], one["examples"]["pairs"]) == ({"rank": 4, "max_tokens": 4096}, 19)
    tuning.until(lambda: tuning.get(one)["step"] == 2)
    running = tuning.get(one)
    assert (running["state"], running["stage"], running["steps"]) == ("running", "training", 4)
    assert running["seconds_left"] == pytest.approx(0.2)
    assert running["config"]["targets"] == "attention"
    assert running["examples"]["train"] > running["examples"]["heldout"]
    tuning.go(one)
    done = tuning.ended(one)
    assert (done["state"], done["error"], done["seconds_left"]) == ("done", None, None)
    adapter = tuning.client.get(f"/v1/adapters/{done['adapter_id']}").json()
    assert (adapter["name"], adapter["rank"]) == ("Answers about codes", 4)
    assert done["figures"]["loss_before"] == 2.0
    assert done["figures"]["best_loss"] < 2.0
    problem(tuning.client.post(f"/v1/finetune/jobs/{one['id']}/resume"), 409, "training_done")
    problem(tuning.client.post(f"/v1/finetune/jobs/{one['id']}/cancel"), 409, "training_ended")


def test_events_tell_each_point_once(tuning: Tuning) -> None:
    one = tuning.start()
    path = f"/v1/finetune/jobs/{one['id']}"
    tuning.until(lambda: tuning.get(one)["step"] == 2)
    tuning.go(one)
    with tuning.client.stream("GET", f"{path}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        body = response.read().decode()
    assert "event: job" in body
    seen = [json.loads(line.removeprefix("data: ")) for line in body.splitlines() if line.startswith("data: ")]
    assert seen[-1]["state"] == "done"
    merged: list[Json] = []
    for event in seen:
        news = event["curves"]
        merged = [point for point in merged if point["step"] <= news["after"]] + news["steps"]
    curves = tuning.client.get(f"{path}/curves").json()
    assert merged == curves["steps"]
    assert [point["step"] for point in merged] == [1, 2, 3, 4]
    assert [point["step"] for point in curves["evaluations"]] == [0, 2, 4]
    assert (curves["after"], curves["checkpoints"], curves["alarms"]) == (-1, [2, 4], [])


def test_examples_are_shown_as_they_are_learned(tuning: Tuning) -> None:
    one = tuning.start()
    tuning.until(lambda: tuning.get(one)["step"] == 2)
    path = f"/v1/finetune/jobs/{one['id']}/examples"
    learned = tuning.client.get(path, params={"limit": 50}).json()["examples"]
    measured = tuning.client.get(path, params={"limit": 50, "heldout": True}).json()["examples"]
    assert len(learned) == tuning.get(one)["examples"]["train"]
    assert not {example["question"] for example in learned} & {example["question"] for example in measured}
    assert tuning.client.get(path, params={"limit": 1, "offset": 1}).json()["examples"] == learned[1:2]
    tuning.go(one)
    tuning.ended(one)


def test_a_cancelled_training_goes_on_after_its_checkpoint(tuning: Tuning) -> None:
    one = tuning.start()
    path = f"/v1/finetune/jobs/{one['id']}"
    tuning.until(lambda: tuning.get(one)["step"] == 2)
    assert tuning.client.post(f"{path}/cancel").json()["state"] == "cancelled"
    tuning.until(lambda: (tuning.folder(one) / "checkpoint").read_text() == "3")
    tuning.go(one)
    resumed = tuning.client.post(f"{path}/resume")
    assert (resumed.status_code, resumed.json()["state"]) == (202, "queued")
    assert tuning.ended(one)["state"] == "done"
    assert len((tuning.folder(one) / "lives").read_text().splitlines()) == 2


def test_a_deleted_training_is_gone_and_its_adapter_stays(tuning: Tuning) -> None:
    one = tuning.start()
    tuning.until(lambda: tuning.get(one)["step"] == 2)
    tuning.go(one)
    adapter = tuning.ended(one)["adapter_id"]
    path = f"/v1/finetune/jobs/{one['id']}"
    assert tuning.client.delete(path).status_code == 204
    for gone in (path, f"{path}/events", f"{path}/curves", f"{path}/examples"):
        problem(tuning.client.get(gone), 404, "training_not_found")
    assert not tuning.folder(one).exists()
    assert tuning.client.get(f"/v1/adapters/{adapter}").status_code == 200
    running = tuning.start()
    tuning.until(lambda: tuning.get(running)["step"] == 2)
    assert tuning.client.delete(f"/v1/finetune/jobs/{running['id']}").status_code == 204
    tuning.until(lambda: not tuning.folder(running).exists())


def test_trainings_wait_for_each_other_and_the_queue_is_bounded(tuning: Tuning) -> None:
    first, second = tuning.start(), tuning.start()
    problem(tuning.client.post("/v1/finetune/jobs", json=tuning.body()), 429, "training_queue_full")
    tuning.until(lambda: tuning.get(first)["step"] == 2)
    assert tuning.get(second)["state"] == "queued"
    listed = tuning.client.get("/v1/finetune/jobs", params={"knowledge_base_id": tuning.base, "limit": 2}).json()
    assert [job["id"] for job in listed["jobs"]] == [second["id"], first["id"]]
    for one in (first, second):
        tuning.go(one)
        assert tuning.ended(one)["state"] == "done"
    kept = {path.name for path in tuning.services.settings.finetune_dir.iterdir()}
    assert kept == tuning.services.trainings.ids()


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"pairs": '{"question": "How?"}\n'}, 422, "training_pairs_invalid"),
        ({"pairs": json.dumps(pair(1, draft=True))}, 422, "training_pairs_invalid"),
        ({"pairs": pairs() + "".join(json.dumps(pair(1, id=f"x{n}")) + "\n" for n in range(40))}, 422, None),
        ({"knowledge_base_id": "kb-none"}, 404, "knowledge_base_not_found"),
        ({"base": "/etc/passwd"}, 409, "training_base_unusable"),
        ({"base": "qwen2.5-coder-0.5b-instruct"}, 409, "training_base_unusable"),
        ({"training": {"rank": 128}}, 422, "invalid_input"),
        ({"training": {"rank": "8"}}, 422, "invalid_input"),
        ({"training": {"max_tokens": 100}}, 422, "invalid_input"),
        ({"training": {"colour": "red"}}, 422, "invalid_input"),
        ({"data": {"heldout_share": 2}}, 422, "invalid_input"),
        ({"path": "/tmp/x"}, 422, "invalid_input"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_kept(
    tuning: Tuning, fields: Json, status: int, code: str | None
) -> None:
    before = tuning.services.trainings.ids()
    body = {**tuning.body(), **fields}
    for path in ("/v1/finetune/jobs", "/v1/finetune/estimate", "/v1/finetune/datasets"):
        refused = tuning.client.post(path, json=body, headers={"Accept-Language": "zh"})
        found = problem(refused, status, code or "training_pairs_invalid")
        assert any("\u4e00" <= character <= "\u9fff" for character in found["title"])
    assert tuning.services.trainings.ids() == before


def test_a_large_body_is_refused_by_its_own_limit(tuning: Tuning) -> None:
    refused = tuning.client.post("/v1/finetune/jobs", content=b"x" * 1_000_001)
    assert "MQA_FINETUNE_BODY_MB" in problem(refused, 413, "body_too_large")["title"]


def test_readers_see_and_editors_train(tuning: Tuning) -> None:
    _, reader = tuning.services.keys.create("reads", Role.READER)
    headers = {"Authorization": f"Bearer {reader}"}
    assert tuning.client.get("/v1/finetune/jobs", headers=headers).status_code == 200
    for path in ("datasets", "estimate", "jobs"):
        refused = tuning.client.post(f"/v1/finetune/{path}", content=b"not read", headers=headers)
        problem(refused, 403, "role_too_low")
    for method, path in (("POST", "cancel"), ("POST", "resume"), ("DELETE", "")):
        refused = tuning.client.request(method, f"/v1/finetune/jobs/ft-1/{path}".rstrip("/"), headers=headers)
        problem(refused, 403, "role_too_low")
    problem(tuning.client.get("/v1/finetune/jobs/..%2f..%2fetc"), 404, "route_not_found")
    problem(tuning.client.get("/v1/finetune/jobs/ft-none/curves"), 404, "training_not_found")


def test_without_the_extra_it_is_said_how_to_install_it(tuning: Tuning, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.finetune.machine.find_spec", lambda name: None if name == "peft" else name)
    refused = tuning.client.post("/v1/finetune/jobs", json=tuning.body())
    assert "manualqa[finetune]" in problem(refused, 500, "extra_missing")["title"]


def test_where_the_base_lies_on_the_server_is_not_told(tuning: Tuning) -> None:
    one = tuning.start()
    tuning.go(one)
    ended = tuning.ended(one)
    assert (ended["state"], ended["base"], ended["config"]["base"]) == ("done", "tiny-base", "tiny-base")
    estimated = tuning.client.post("/v1/finetune/estimate", json=tuning.body(base="tiny-base"))
    assert estimated.json()["config"]["base"] == "tiny-base", estimated.text
