"""A change of adapters while the local model server answers, with a stand-in child."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest

from app.errors import AdapterNotHosted, HostingFailed
from app.generate.engine import LocalEngine
from app.generate.llm import OpenAICompatibleModel
from app.generate.model_server import EngineConfig, LoadedAdapter
from app.ports import Message
from tests.fixtures import engine_stand_in
from tests.fixtures.waiting import wait_for

ONE, TWO = "ad-0000000000000001", "ad-0000000000000002"


def a_config(folder: Path, *, start_seconds: float = 60.0, answer_seconds: float = 120.0) -> EngineConfig:
    weights = folder / "model.gguf"
    weights.touch()
    return EngineConfig(
        "stand-in", weights, folder / "logs", 1024, 1, 1, start_seconds, answer_seconds, engine_stand_in.COMMAND
    )


@contextmanager
def answering(config: EngineConfig) -> Iterator[LocalEngine]:
    engine = LocalEngine(config)
    engine.start()
    try:
        assert wait_for(lambda: engine.status().state == "ready")
        yield engine
    finally:
        engine.stop()


def an_adapter(folder: Path, adapter_id: str, name: str | None = None) -> LoadedAdapter:
    return LoadedAdapter(adapter_id, folder / (name or f"{adapter_id}.gguf"))


def asked(engine: LocalEngine, adapter: str | None = None, question: str = "go") -> str:
    async def collect() -> str:
        model = OpenAICompatibleModel("stand-in", engine, first_token_seconds=60, total_seconds=120)
        async with aclosing(model.stream([Message("user", question)], 10, adapter)) as pieces:
            text = "".join([str(piece) async for piece in pieces])
        await model.close()
        return text

    return asyncio.run(collect())


def test_each_adapter_and_the_base_model_answer_for_themselves(tmp_path: Path) -> None:
    with answering(a_config(tmp_path)) as engine:
        assert asked(engine) == "base done"
        with pytest.raises(AdapterNotHosted):
            asked(engine, ONE)
        engine.serve([an_adapter(tmp_path, ONE), an_adapter(tmp_path, TWO)])
        assert engine.adapters() == {ONE, TWO}
        assert asked(engine, ONE) == f"{ONE}.gguf done"
        assert asked(engine, TWO) == f"{TWO}.gguf done"
        assert asked(engine) == "base done"
        engine.serve([an_adapter(tmp_path, TWO)])
        assert asked(engine, TWO) == f"{TWO}.gguf done"
        with pytest.raises(AdapterNotHosted):
            asked(engine, ONE)


def test_an_answer_that_has_begun_is_written_to_its_end_by_the_child_it_began_on(tmp_path: Path) -> None:
    with answering(a_config(tmp_path)) as engine:
        old = engine.pid
        with engine.entered(None) as route:
            port = route.base_url.split(":")[2].removesuffix("/v1")
        texts: list[str] = []
        reader = threading.Thread(target=lambda: texts.append(asked(engine, question="hold")))
        reader.start()
        assert wait_for(lambda: engine._server is not None and engine._server._requests == 1)
        engine.serve([an_adapter(tmp_path, ONE)])
        assert asked(engine, ONE) == f"{ONE}.gguf done"
        assert Path(f"/proc/{old}").exists()
        assert texts == []
        (tmp_path / f"go-{port}").touch()
        reader.join(60)
        assert texts == ["base done"]
        assert wait_for(lambda: not Path(f"/proc/{old}").exists())


def test_a_child_that_never_gets_idle_ends_after_the_longest_answer(tmp_path: Path) -> None:
    with answering(a_config(tmp_path, answer_seconds=0.3)) as engine:
        old = engine.pid
        with engine.entered(None):
            engine.serve([an_adapter(tmp_path, ONE)])
            assert wait_for(lambda: not Path(f"/proc/{old}").exists())


def test_a_stop_right_after_a_change_ends_the_new_child_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resting = threading.Event()

    def rest(_: float) -> None:
        resting.set()
        engine._stopping.wait(20)  # the watcher looks again only when all is to stop

    with answering(a_config(tmp_path)) as engine:
        monkeypatch.setattr(engine, "_pause", rest)
        engine._changed.set()
        assert resting.wait(20)
        engine.serve([an_adapter(tmp_path, ONE)])
        new = engine.pid
        assert new is not None
    assert engine.pid is None
    assert not Path(f"/proc/{new}").exists()


@pytest.mark.parametrize(
    ("name", "seconds", "reason"), [("bad.gguf", 60.0, "ended with code 7"), ("deaf.gguf", 1.0, "not ready after")]
)
def test_where_the_new_child_fails_the_old_one_stays(tmp_path: Path, name: str, seconds: float, reason: str) -> None:
    with answering(a_config(tmp_path)) as engine:
        engine.serve([an_adapter(tmp_path, ONE)])
        pid = engine.pid
        engine._config = a_config(tmp_path, start_seconds=seconds)
        with pytest.raises(HostingFailed, match=reason):
            engine.serve([an_adapter(tmp_path, ONE), an_adapter(tmp_path, TWO, name)])
        assert engine.pid == pid
        assert engine.adapters() == {ONE}
        assert asked(engine, ONE) == f"{ONE}.gguf done"


def test_a_killed_child_comes_back_with_its_adapters(tmp_path: Path) -> None:
    with answering(a_config(tmp_path)) as engine:
        engine.serve([an_adapter(tmp_path, ONE)])
        pid = engine.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert wait_for(lambda: engine.status().state == "ready" and engine.pid not in (None, pid))
        assert asked(engine, ONE) == f"{ONE}.gguf done"


def test_what_is_served_before_the_start_is_there_from_the_first_child_on(tmp_path: Path) -> None:
    engine = LocalEngine(a_config(tmp_path))
    engine.serve([an_adapter(tmp_path, ONE)])
    engine.start()
    try:
        assert wait_for(lambda: engine.status().state == "ready")
        assert asked(engine, ONE) == f"{ONE}.gguf done"
        assert (tmp_path / "logs" / "model.log").read_text().count("child output") == 1
    finally:
        engine.stop()


def test_a_change_while_the_server_is_down_brings_it_up(tmp_path: Path) -> None:
    engine = LocalEngine(a_config(tmp_path))
    engine.serve([an_adapter(tmp_path, ONE, "bad.gguf")])
    engine.start()
    try:
        assert wait_for(lambda: engine.status().state == "down")
        engine.serve([an_adapter(tmp_path, TWO)])
        assert engine.status().state == "ready"
        assert asked(engine, TWO) == f"{TWO}.gguf done"
    finally:
        engine.stop()


def test_stop_ends_a_change_that_is_on_its_way_and_every_child(tmp_path: Path) -> None:
    with answering(a_config(tmp_path)) as engine:
        failed: list[Exception] = []

        def serve() -> None:
            try:
                engine.serve([an_adapter(tmp_path, ONE, "deaf.gguf")])
            except HostingFailed as error:
                failed.append(error)

        changing = threading.Thread(target=serve)
        changing.start()
        log = tmp_path / "logs" / "model.log"
        assert wait_for(lambda: log.read_text().count("child output") == 2)
        pid = engine.pid
        engine.stop()
        changing.join(60)
        assert len(failed) == 1
        assert engine.status().state == "off"
        assert not Path(f"/proc/{pid}").exists()


def test_the_clients_of_children_that_are_gone_are_closed(tmp_path: Path) -> None:
    async def places(engine: LocalEngine) -> list[int]:
        model = OpenAICompatibleModel("stand-in", engine, first_token_seconds=60, total_seconds=120)
        counts = []
        for adapters in ([an_adapter(tmp_path, ONE)], [an_adapter(tmp_path, TWO)]):
            async with aclosing(model.stream([Message("user", "go")], 10)) as pieces:
                assert [piece async for piece in pieces]
            counts.append(len(model._clients))
            await asyncio.to_thread(engine.serve, adapters)
        await model.close()
        return counts

    with answering(a_config(tmp_path)) as engine:
        assert asyncio.run(places(engine)) == [1, 1]
