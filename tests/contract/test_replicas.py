"""Two vLLM servers behind one address: adapters are on both, a new one gets them, and one away stops nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.app import create_app
from app.catalogue.adapters import AdapterRows, NewAdapter
from app.errors import AdapterNotHosted, HostingFailed, ModelUnavailable
from app.finetune.hosting import Hosting
from app.generate.hosting import VllmHost
from app.generate.llm import Endpoint, FixedEndpoint, OpenAICompatibleModel
from app.generate.replicas import ReplicaHost, SpreadEndpoint
from app.health import replicas_state
from app.parts import Parts
from app.ports import Message
from app.settings import Settings
from app.types import PromptKind
from app.wiring.parts import _endpoint
from app.wiring.services import build_services
from tests.fixtures.catalogues import a_catalogue
from tests.fixtures.embedders import WordEmbedder
from tests.fixtures.lora import TINY, a_lora
from tests.fixtures.scripted_vllm import ScriptedVllm, router, scripted_vllm
from tests.fixtures.waiting import wait_for

QUESTION = [Message("user", "What is valve V-7 for?")]


@dataclass
class Fleet:
    """Two replicas, their router, and what keeps adapters on them; a replica can be ended and started again."""

    folder: Path
    rows: AdapterRows
    running: list[ScriptedVllm] = field(default_factory=list)
    lives: list[ExitStack] = field(default_factory=list)
    address: str = ""

    def __post_init__(self) -> None:
        for number in (0, 1):
            self.lives.append(ExitStack())
            self.running.append(self.lives[number].enter_context(scripted_vllm(f"replica {number + 1}")))
        urls = [one.base_url for one in self.running]
        self.host = ReplicaHost([VllmHost(url, "secret", None, 10.0) for url in urls])
        self.spread = SpreadEndpoint(urls, "secret", self.host)
        self.hosting = Hosting(self.rows, lambda adapter: self.folder / adapter.id / "peft", self.host, most=4,
                               check_seconds=0.05)  # fmt: skip

    def end(self, number: int) -> None:
        """The process is gone, and its port with it."""
        self.lives[number].close()

    def start_again(self, number: int) -> None:
        """It has none of its adapters."""
        name, port = self.running[number].name, self.running[number].port
        self.running[number] = self.lives[number].enter_context(scripted_vllm(name, port))

    def an_adapter(self, number: int) -> str:
        adapter_id = f"ad-{number:016x}"
        a_lora(self.folder / adapter_id / "peft", TINY, rank=2)
        new = NewAdapter(f"a{number}", "base", "1", 8, 100, str(number).ljust(64, "0"), PromptKind.SHORT)
        return self.rows.add(adapter_id, new, 100).id

    def ours(self) -> list[set[str]]:
        return [set(one.loaded) - {"someone-elses"} for one in self.running]

    def ask(self, endpoint: Endpoint, adapter: str | None, times: int = 1) -> list[str]:
        """What was answered, or the code of what stood against it."""

        async def all_of_them() -> list[str]:
            model = OpenAICompatibleModel("base", endpoint, first_token_seconds=30, total_seconds=30)
            said = []
            for _ in range(times):
                try:
                    said.append("".join([str(item) async for item in model.stream(QUESTION, 10, adapter)]))
                except (ModelUnavailable, AdapterNotHosted) as error:
                    said.append(error.code())
            await model.close()
            return said

        return asyncio.run(all_of_them())


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with a_catalogue(tmp_path) as catalogue, ExitStack() as closing:
        made = Fleet(tmp_path / "adapters", AdapterRows(catalogue.sessions))
        for life in made.lives:
            closing.callback(life.close)
        made.address = closing.enter_context(router(*(one.base_url for one in made.running)))
        closing.callback(made.hosting.stop)
        yield made


def test_an_adapter_can_be_asked_whichever_replica_the_router_takes(fleet: Fleet) -> None:
    one = fleet.an_adapter(1)
    fleet.hosting.host(one)
    assert fleet.ours() == [{one}, {one}]
    said = fleet.ask(FixedEndpoint(fleet.address), one, times=4)
    assert sorted(said) == [f"replica 1: {one}"] * 2 + [f"replica 2: {one}"] * 2
    assert fleet.running[1].keys == {"Bearer secret"}
    fleet.hosting.unhost(one)
    assert fleet.ours() == [set(), set()]
    assert "someone-elses" in fleet.running[0].loaded
    assert replicas_state(fleet.host).state == "ready"


def test_a_replica_that_restarts_gets_its_adapters_and_counts_only_then(fleet: Fleet) -> None:
    one, two = fleet.an_adapter(1), fleet.an_adapter(2)
    for adapter in (one, two):
        fleet.hosting.host(adapter)
    fleet.end(1)
    fleet.start_again(1)
    assert fleet.host.hosted() == set()  # a question to it would find none
    assert not fleet.host.agree()
    fleet.hosting.start()
    assert wait_for(lambda: fleet.ours() == [{one, two}] * 2)
    assert wait_for(lambda: fleet.hosting.hosted() == {one, two})
    loads = [call for call in fleet.running[0].calls if call[0] == "load_lora_adapter"]
    assert loads == [("load_lora_adapter", one), ("load_lora_adapter", two)]  # the other one is told nothing again


def test_one_that_is_away_is_shown_by_its_number_and_stops_nothing(fleet: Fleet) -> None:
    fleet.hosting.start()
    fleet.end(1)
    one = fleet.an_adapter(1)
    assert fleet.hosting.host(one).hosted
    assert fleet.hosting.hosted() == {one}
    state = replicas_state(fleet.host)
    assert (state.state, state.required, state.detail) == ("degraded", False, "replica 2: no connection")
    assert set(fleet.ask(FixedEndpoint(fleet.address), one, times=3)) == {f"replica 1: {one}"}
    fleet.start_again(1)
    assert wait_for(lambda: fleet.ours() == [{one}, {one}])
    assert wait_for(lambda: replicas_state(fleet.host).state == "ready")


def test_what_was_unloaded_while_one_was_cut_off_goes_there_too(fleet: Fleet) -> None:
    one = fleet.an_adapter(1)
    fleet.hosting.host(one)
    fleet.end(1)
    fleet.hosting.unhost(one)
    fleet.start_again(1)
    fleet.running[1].loaded[one] = "from before"  # it was cut off, not ended
    fleet.hosting.start()
    assert wait_for(lambda: fleet.ours() == [set(), set()])


def test_what_one_refuses_none_keeps_and_what_was_there_stays(fleet: Fleet) -> None:
    one, two = fleet.an_adapter(1), fleet.an_adapter(2)
    fleet.hosting.host(one)
    fleet.running[1].refused = 500
    with pytest.raises(HostingFailed, match=f"refuses adapter {two}: HTTP 500"):
        fleet.hosting.host(two)
    assert fleet.ours() == [{one}, {one}]
    assert fleet.hosting.hosted() == {one}
    assert not fleet.rows.get(two).hosted


def test_a_replica_that_cannot_load_at_all_keeps_adapters_from_being_hosted(fleet: Fleet) -> None:
    one = fleet.an_adapter(1)
    fleet.running[1].without_loading = True
    with pytest.raises(HostingFailed, match="loads no adapters"):
        fleet.hosting.host(one)
    assert fleet.ours() == [set(), set()]


def test_where_none_answers_it_is_refused_and_all_get_them_when_they_are_back(fleet: Fleet) -> None:
    one = fleet.an_adapter(1)
    fleet.rows.set_hosted(one, hosted=True)
    for number in (0, 1):
        fleet.end(number)
    fleet.hosting.start()
    with pytest.raises(HostingFailed, match="no connection"):
        fleet.hosting.host(one)
    state = replicas_state(fleet.host)
    assert (state.state, state.detail) == ("down", "replica 1: no connection; replica 2: no connection")
    for number in (0, 1):
        fleet.start_again(number)
    assert wait_for(lambda: fleet.ours() == [{one}, {one}])


def test_without_a_router_questions_go_to_those_that_are_there_and_have_the_adapter(fleet: Fleet) -> None:
    one = fleet.an_adapter(1)
    assert fleet.ask(fleet.spread, None, times=2) == ["replica 1: base", "replica 2: base"]  # before the first look
    fleet.hosting.host(one)
    assert sorted(fleet.ask(fleet.spread, one, times=4)) == [f"replica 1: {one}"] * 2 + [f"replica 2: {one}"] * 2
    fleet.running[1].loaded.pop(one)  # it has restarted, and has nothing yet
    fleet.host.hosted()
    assert set(fleet.ask(fleet.spread, one, times=3)) == {f"replica 1: {one}"}
    assert fleet.ask(fleet.spread, "ad-00000000000000ff") == ["adapter_not_hosted"]
    fleet.end(1)
    said = fleet.ask(fleet.spread, None, times=4)
    assert said.count("model_unavailable") <= 1  # the first that finds it away; the others go past it
    assert said.count("replica 1: base") >= 3
    assert fleet.host.detail() == "replica 2: no connection"


def test_readyz_says_which_is_away_and_no_address(fleet: Fleet, tmp_path: Path) -> None:
    urls = [one.base_url for one in fleet.running]
    settings = Settings(data_dir=tmp_path / "data", vllm_replicas=",".join(urls), hosting_check_seconds=0.05)
    endpoint, host = _endpoint(settings)
    assert isinstance(endpoint, SpreadEndpoint)
    assert isinstance(host, ReplicaHost)
    model = OpenAICompatibleModel("base", endpoint, first_token_seconds=30, total_seconds=30)
    services = build_services(settings, "token", Parts(WordEmbedder(), model, adapter_host=host, replicas=host))
    with TestClient(create_app(services)) as client:

        def said(language: str = "en") -> dict[str, Any]:
            return dict(client.get("/readyz", headers={"Accept-Language": language}).json())

        assert wait_for(lambda: said()["status"] == "ready")
        assert said()["parts"]["replicas"] == {"state": "ready", "required": False, "detail": None}
        fleet.end(1)
        assert wait_for(lambda: said()["parts"]["replicas"]["state"] == "degraded")
        assert (said()["status"], said()["parts"]["model"]["state"]) == ("degraded", "ready")
        assert said("zh")["parts"]["replicas"]["detail"] == "副本 2：无法连接"
        assert not any(url in client.get("/readyz").text for url in urls)


def test_with_a_router_questions_go_to_it_and_adapters_to_the_replicas() -> None:
    settings = Settings(llm_base_url="http://router:8000/v1", vllm_replicas="http://one:8000/v1,http://two:8000/v1")
    endpoint, host = _endpoint(settings)
    assert endpoint == FixedEndpoint("http://router:8000/v1")
    assert isinstance(host, ReplicaHost)


def test_the_addresses_are_one_setting() -> None:
    settings = Settings(vllm_replicas="http://one:8000/v1, http://two:8000/v1")
    assert settings.replica_urls == ("http://one:8000/v1", "http://two:8000/v1")
    assert settings.has_endpoint
    for wrong in ("one:8000", "http://one:8000/v1,", "file:///etc"):
        with pytest.raises(ValueError, match="vllm_replicas"):
            Settings(vllm_replicas=wrong)
