"""The whole API under made-up requests: no crash, nothing undocumented, nothing of the server's inside, no leak.

`pytest --campaign` (`make fuzz-api`) sends 12,000 requests and says what came of them; `--cases` sends as many as it
says, and `--api-seed` others.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from app.catalogue.folder import DataFolder
from app.settings import child_environment
from tests.fixtures.adapters import zipped
from tests.fixtures.lora import Shape, a_lora
from tests.fixtures.scripted_model import scripted_model
from tests.fixtures.tiny_chat_model import a_tiny_base
from tests.fixtures.waiting import wait_for
from tests.fuzz.campaign import Campaign, Json
from tests.fuzz.world import World

MOST_GROWTH_MB = 50
WARM_UP_DOCUMENTS = 60
START_SECONDS = 120.0
REPLY = "Quote: E-06 means that the tank is blocked.\nAnswer: E-06 means that the tank is blocked."
LORA = Shape(layers=2, hidden=64, key_values=32, inner=128)
_SETTINGS = {
    "MQA_THRESHOLD": "0.1",
    "MQA_OCR": "false",
    "MQA_SHUTDOWN_SECONDS": "1",
    "MQA_MIN_FREE_DISK_MB": "0",
    "MQA_WRONG_KEY_SECONDS": "0.05",
    "MQA_MAX_UPLOAD_MB": "2",
    "MQA_MAX_ADAPTER_MB": "5",
}


@dataclass
class Served:
    """The running server, and a client with an admin's key."""

    url: str
    process: psutil.Process
    folder: Path
    client: httpx.Client
    key: str
    world: World

    def description(self) -> Json:
        found: Json = self.client.get("/openapi.json").json()
        return found

    def memory_mb(self) -> float:
        return float(self.process.memory_info().rss / 1e6)

    def log(self) -> str:
        return (self.folder.parent / "output.log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("fuzz")
    folder = home / "data"
    base = a_tiny_base(home / "tiny-base")
    adapter = a_lora(home / "lora", LORA, rank=4, base_model_name_or_path="tiny-base")
    environment = child_environment(
        MQA_DATA_DIR=str(folder), MQA_ADAPTER_BASE=str(base.folder), FUZZ_ADAPTER=str(adapter), **_SETTINGS
    )
    with scripted_model(REPLY) as model, (home / "output.log").open("wb") as log:
        command = [sys.executable, "-m", "tests.fuzz.served", str(folder), model.base_url]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            made = _ready(process, folder)
            made.world = World(made.client, zipped(adapter, home / "adapter.zip"))
            yield made
            made.client.close()
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(process: subprocess.Popen[bytes], folder: Path) -> Served:
    data = DataFolder(folder)
    assert wait_for(lambda: process.poll() is not None or data.note() is not None, START_SECONDS)
    note = data.note()
    assert note is not None
    with httpx.Client(base_url=note.url, headers={"Authorization": f"Bearer {note.token}"}, trust_env=False) as own:
        assert wait_for(lambda: _is_ready(own), START_SECONDS)
        key = own.post("/v1/keys", json={"name": "fuzz", "role": "admin"}).json()["secret"]
    client = httpx.Client(base_url=note.url, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False)
    return Served(note.url, psutil.Process(process.pid), folder, client, key, World(client, folder))


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _cases(config: pytest.Config, all_of_them: int, share: int) -> int:
    asked: int | None = config.getoption("--cases")
    return asked or (all_of_them if config.getoption("--campaign") else share)


def _tell(config: pytest.Config, *lines: str) -> None:
    if config.getoption("--campaign"):
        with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print("", *lines, sep="\n")  # noqa: T201  (the report of a campaign)


def _fine(campaign: Campaign, served: Served) -> None:
    """Nothing failed, and the server's log tells of no crash."""
    campaign.close()
    found = [f"{label}: {kind}\n{detail}" for (label, kind), detail in campaign.outcome.failures.items()]
    assert not found, "\n\n".join(found)
    log = served.log()
    assert "request_crashed" not in log, log[log.index("request_crashed") :][:3000]


def test_with_a_key_every_answer_is_as_described(served: Served, request: pytest.FixtureRequest) -> None:
    campaign = Campaign(served.url, served.description(), served.world, served.key)
    number, cases = request.config.getoption("--api-seed"), _cases(request.config, 10_000, 90)
    each = max(1, cases // len(campaign.operations) // 6)
    campaign.run(cases // 5, number, each)  # caches fill, and libraries are loaded when they are first needed
    if request.config.getoption("--campaign"):
        served.world.replenish()
        served.world.warm_up(WARM_UP_DOCUMENTS)
    before = served.memory_mb()
    campaign.run(cases - cases // 5, number + 1, each)
    after = served.memory_mb()
    memory = f"memory of the server {before:.0f} MB after the first fifth, {after:.0f} MB at the end"
    _tell(request.config, *campaign.outcome.lines(), memory)
    _fine(campaign, served)
    if request.config.getoption("--campaign"):  # a few requests say nothing: libraries are still being loaded
        assert after - before < MOST_GROWTH_MB, memory
    shutil.rmtree(served.folder / "backups", ignore_errors=True)


def test_without_a_key_nothing_opens(served: Served, request: pytest.FixtureRequest) -> None:
    campaign = Campaign(served.url, served.description(), served.world, None)
    cases = _cases(request.config, 2_000, 100)
    campaign.run(cases, request.config.getoption("--api-seed"), max(1, cases // len(campaign.operations) // 2))
    _tell(request.config, *campaign.outcome.lines())
    _fine(campaign, served)
