"""The server is killed at every stage of a training: in the end it is done once, or nothing of it is there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from _pytest.mark import ParameterSet

from tests.faults.server import RECOVERY_SECONDS, FaultServer, Json
from tests.faults.test_kills import APP, points_of
from tests.fixtures.codes import MANUAL, pairs
from tests.fixtures.lora import Shape, a_lora
from tests.fixtures.tiny_chat_model import a_tiny_base

TINY = Shape(layers=2, hidden=64, key_values=32, inner=128)
NEVER_QUEUED = "finetune_folder_made"
PATH = "/v1/finetune/jobs"


class TrainingServer(FaultServer):
    """A server that trains with a scripted process, with a knowledge base of error codes."""

    module = "tests.faults.run_trainings"

    def __init__(self, folder: Path) -> None:
        base = a_tiny_base(folder / "tiny-base")
        self.lora = a_lora(folder / "lora", TINY, rank=4, base_model_name_or_path="tiny-base")
        super().__init__(
            folder,
            MQA_ADAPTER_BASE=str(base.folder),
            MQA_FINETUNE_STOP_SECONDS="60",
            MQA_MAX_ADAPTER_MB="5",
            MQA_OCR="false",
            MQA_THRESHOLD="0.1",
            MQA_CHUNK_SIZE="400",
        )
        self.script()
        self.start()
        self.knowledge_base = self.base("codes")
        self.upload(self.knowledge_base, "codes.md", MANUAL.encode())
        self.settle()

    def script(self, **script: object) -> None:
        """What the processes do from now on."""
        text = json.dumps({"steps": 4, "every": 2, "adapter": str(self.lora), **script})
        self._write("script.json", text)

    def order(self) -> None:
        """Starts a training, once; the server may die of it."""
        body = {"knowledge_base_id": self.knowledge_base, "pairs_name": "codes", "pairs": pairs()}
        with suppress(httpx.TransportError):
            self.client.post(PATH, json={**body, "training": {"max_tokens": 4096, "rank": 4}})

    def jobs(self) -> list[Json]:
        return list(self.get(PATH)["jobs"])

    def adapters(self) -> list[Json]:
        return list(self.get("/v1/adapters")["adapters"])

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + RECOVERY_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it did not come about"
            self.revive()
            time.sleep(0.05)

    def folders(self, name: str) -> list[str]:
        return sorted(path.name for path in (self.data / name).glob("*"))

    def lives(self) -> list[Json]:
        [path] = (self.data / "finetune").glob("*/lives")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def killed(self, stop_seconds: int = 60) -> None:
        """Kills it at this moment, and starts the next one, which gives a process of it so long for its checkpoint."""
        self.process.kill()
        self.process.wait()
        self._environment["MQA_FINETUNE_STOP_SECONDS"] = str(stop_seconds)
        self.revive()

    def last_words(self) -> str:
        """The end of its log."""
        return (self.control / "output.log").read_text(errors="replace")[-3000:]

    def clear(self) -> None:
        """Leaves no training and no adapter."""
        self.disarm()
        self.script()
        for job in self.jobs():
            assert self.call("DELETE", f"{PATH}/{job['id']}").status_code == 204
        for adapter in self.adapters():
            assert self.call("POST", f"/v1/adapters/{adapter['id']}/retire").status_code == 200
        self.until(lambda: self.folders("finetune") == [] and self.folders("adapters") == [])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingServer]:
    server = TrainingServer(tmp_path_factory.mktemp("trainings"))
    yield server
    server.stop()


@pytest.fixture
def server(running: TrainingServer) -> Iterator[TrainingServer]:
    yield running
    running.clear()


def every_other_in_a_campaign(points: Sequence[str]) -> list[ParameterSet]:
    """Each case restarts a server, which takes its time."""
    marks = ([], [pytest.mark.campaign])
    return [pytest.param(point, marks=marks[number % 2]) for number, point in enumerate(points)]


def test_the_moments_are_known() -> None:
    assert NEVER_QUEUED in training_points()
    assert len(training_points()) >= 7


def training_points() -> list[str]:
    return points_of((APP / "finetune").rglob("*.py"))


def require_done_once(server: TrainingServer) -> Json:
    """The only training, with the only adapter; nothing half-made is beside either."""
    server.until(lambda: server.jobs()[0]["finished_at"] is not None)
    [job] = server.jobs()
    assert (job["state"], job["stage"], job["error"]) == ("done", "done", None)
    [adapter] = [one for one in server.adapters() if one["state"] != "retired"]
    assert job["adapter_id"] == adapter["id"]
    assert server.folders("finetune") == [job["id"]]
    assert server.folders("adapters") == [adapter["id"]]
    return job


@pytest.mark.parametrize("point", every_other_in_a_campaign(training_points()))
def test_a_kill_at_any_moment_leaves_one_adapter_or_nothing(server: TrainingServer, point: str) -> None:
    server.kill_at(point)
    server.order()
    server.until(lambda: not server.is_armed())
    server.wait()
    server.revive()
    if point == NEVER_QUEUED:
        assert server.jobs() == []
        server.until(lambda: server.folders("finetune") == [])
        assert server.folders("adapters") == []
        return
    require_done_once(server)
    assert len(server.lives()) == 1  # what was trained is not trained again


@pytest.mark.parametrize(("step", "deaf", "resumed_from"), [(2, True, None), (4, False, 4)])
def test_a_kill_in_training_goes_on_after_the_last_checkpoint(
    server: TrainingServer, step: int, deaf: bool, resumed_from: int | None
) -> None:
    """A deaf process is ended by the next server; another one writes a checkpoint when it finds its server gone."""
    server.script(steps=6, hold_at=step, deaf=deaf)
    server.order()
    server.until(lambda: server.jobs()[0]["step"] == step - 1)
    server.script(steps=6)
    server.killed(stop_seconds=1 if deaf else 60)
    job = require_done_once(server)
    assert len(server.lives()) == 2
    events = (server.data / "finetune" / job["id"] / "events.jsonl").read_text(encoding="utf-8").splitlines()
    begun = [event for event in map(json.loads, events) if event["event"] == "begun"]
    assert [event["resumed_from"] for event in begun] == [None, resumed_from], server.last_words()
    assert [point["step"] for point in server.get(f"{PATH}/{job['id']}/curves")["steps"]] == list(range(1, 7))


@pytest.mark.campaign
def test_a_training_that_keeps_dying_fails_clean(server: TrainingServer) -> None:
    server.kill_at("finetune_prepared", always=True)
    server.order()
    before = server.deaths
    for death in (1, 2, 3):
        server.until(lambda wanted=before + death: server.deaths >= wanted)
    server.until(lambda: server.jobs()[0]["state"] == "failed")
    [job] = server.jobs()
    assert job["error"]["code"] == "training_gave_up"
    assert server.folders("adapters") == []
    server.disarm()
    assert server.call("POST", f"{PATH}/{job['id']}/resume").status_code == 202
    require_done_once(server)
