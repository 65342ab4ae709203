"""The law of `AdapterHost`, for the local model server (a stand-in child), vLLM and replicas of it (scripted)."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import HostingFailed
from app.generate.engine import LocalEngine
from app.generate.hosting import AdapterHost, EngineHost, ServedAdapter, VllmHost
from app.generate.model_server import EngineConfig
from app.generate.replicas import ReplicaHost
from app.types import PromptKind
from tests.fixtures import engine_stand_in
from tests.fixtures.lora import TINY, a_lora
from tests.fixtures.scripted_vllm import ScriptedVllm, scripted_vllm
from tests.fixtures.waiting import wait_for

ONE, TWO, THREE = (f"ad-{number:016x}" for number in (1, 2, 3))


def a_served(folder: Path, adapter_id: str) -> ServedAdapter:
    peft = folder / "adapters" / adapter_id / "peft"
    if not peft.exists():
        a_lora(peft, TINY, rank=2)
    return ServedAdapter(adapter_id, peft, "0" * 64, PromptKind.SHORT, None)


def a_vllm_host(base_url: str, adapters_dir: Path | None = None) -> VllmHost:
    return VllmHost(base_url, "secret", adapters_dir, 5.0)


@pytest.fixture
def vllm() -> Iterator[ScriptedVllm]:
    with scripted_vllm() as running:
        yield running


@pytest.fixture(params=["local", "vllm", "replicas"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AdapterHost]:
    if request.param == "vllm":
        yield a_vllm_host(request.getfixturevalue("vllm").base_url)
        return
    if request.param == "replicas":
        with scripted_vllm() as one, scripted_vllm() as two:
            yield ReplicaHost([a_vllm_host(one.base_url), a_vllm_host(two.base_url)])
        return
    weights = tmp_path / "model.gguf"
    weights.touch()
    engine = LocalEngine(
        EngineConfig("stand-in", weights, tmp_path / "logs", 1024, 1, 1, 20.0, command=engine_stand_in.COMMAND)
    )
    engine.start()
    try:
        assert wait_for(lambda: engine.status().state == "ready")
        yield EngineHost(engine)
    finally:
        engine.stop()


def test_it_serves_exactly_what_was_set(host: AdapterHost, tmp_path: Path) -> None:
    assert host.hosted() == frozenset()
    host.set([a_served(tmp_path, ONE), a_served(tmp_path, TWO)])
    assert host.hosted() == {ONE, TWO}
    host.set([a_served(tmp_path, ONE), a_served(tmp_path, TWO)])
    assert host.hosted() == {ONE, TWO}
    host.set([a_served(tmp_path, TWO), a_served(tmp_path, THREE)])
    assert host.hosted() == {TWO, THREE}
    host.set([])
    assert host.hosted() == frozenset()


def test_an_adapter_without_files_is_blamed_and_what_was_there_stays(host: AdapterHost, tmp_path: Path) -> None:
    host.set([a_served(tmp_path, ONE)])
    gone = a_served(tmp_path, TWO)
    shutil.rmtree(gone.folder)
    with pytest.raises(HostingFailed) as failure:
        host.set([a_served(tmp_path, ONE), gone])
    assert failure.value.params["adapter"] == TWO
    assert host.hosted() == {ONE}
    assert host.agree()


def test_the_local_server_is_told_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").touch()
    config = EngineConfig("x", tmp_path / "model.gguf", tmp_path / "logs", 1024, 1, 1, 20.0)
    host = EngineHost(LocalEngine(config))
    host.begin([a_served(tmp_path, ONE)])
    assert host.hosted() == {ONE}
    assert (tmp_path / "adapters" / ONE / "adapter.gguf").read_bytes().startswith(b"GGUF")


def test_an_adapter_of_a_like_name_is_written_anew_where_its_files_are_others(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").touch()
    host = EngineHost(LocalEngine(EngineConfig("x", tmp_path / "model.gguf", tmp_path, 1024, 1, 1, 20.0)))
    served = a_served(tmp_path, ONE)
    path = served.folder.parent / "adapter.gguf"
    path.write_bytes(b"GGUF of another process, or of somebody else")
    host.begin([served])
    assert len(path.read_bytes()) > 1000


# --- vLLM alone -------------------------------------------------------------------------------------------------------


def test_vllm_gets_the_key_and_the_folder_as_it_sees_it(vllm: ScriptedVllm, tmp_path: Path) -> None:
    served = a_served(tmp_path, ONE)
    elsewhere = tmp_path / "inside-a-container"
    (elsewhere / ONE / "peft").mkdir(parents=True)
    a_vllm_host(vllm.base_url, elsewhere).set([served])
    assert vllm.loaded[ONE] == str(elsewhere / ONE / "peft")
    assert vllm.keys == {"Bearer secret"}


def test_what_somebody_else_has_loaded_stays(vllm: ScriptedVllm) -> None:
    host = a_vllm_host(vllm.base_url)
    host.set([])
    assert "someone-elses" in vllm.loaded
    assert vllm.calls == []


def test_only_what_changes_is_called_for(vllm: ScriptedVllm, tmp_path: Path) -> None:
    host = a_vllm_host(vllm.base_url)
    host.set([a_served(tmp_path, ONE), a_served(tmp_path, TWO)])
    vllm.calls.clear()
    host.set([a_served(tmp_path, TWO), a_served(tmp_path, THREE)])
    assert vllm.calls == [("load_lora_adapter", THREE), ("unload_lora_adapter", ONE)]


def test_an_adapter_that_another_call_has_loaded_meanwhile_is_no_error(vllm: ScriptedVllm, tmp_path: Path) -> None:
    host = a_vllm_host(vllm.base_url)
    host.set([a_served(tmp_path, ONE)])
    host._load(a_served(tmp_path, ONE))
    assert vllm.calls == [("load_lora_adapter", ONE)] * 2


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_refusal_names_the_adapter(vllm: ScriptedVllm, tmp_path: Path, status: int) -> None:
    vllm.refused = status
    with pytest.raises(HostingFailed, match=f"refuses adapter {ONE}: HTTP {status}") as failure:
        a_vllm_host(vllm.base_url).set([a_served(tmp_path, ONE)])
    assert failure.value.params["adapter"] == ONE
    assert str(tmp_path) not in failure.value.message("en")
    assert "max_lora_rank" in (failure.value.detail or "")


def test_an_endpoint_that_loads_nothing_is_told_from_a_missing_folder(vllm: ScriptedVllm, tmp_path: Path) -> None:
    vllm.without_loading = True
    with pytest.raises(HostingFailed, match="loads no adapters") as failure:
        a_vllm_host(vllm.base_url).set([a_served(tmp_path, ONE)])
    assert "adapter" not in failure.value.params
    vllm.without_loading = False
    with pytest.raises(HostingFailed, match="MQA_VLLM_ADAPTERS_DIR"):
        a_vllm_host(vllm.base_url, tmp_path / "none").set([a_served(tmp_path, ONE)])


def test_a_closed_port_is_no_connection(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(HostingFailed, match="no connection"):
        a_vllm_host(f"http://127.0.0.1:{port}/v1").set([a_served(tmp_path, ONE)])
