"""Adapters of a real vLLM: loaded and unloaded while questions run, refused in our words, back after a restart."""

from __future__ import annotations

import time
from itertools import combinations
from pathlib import Path

import pytest

from app.catalogue.adapters import AdapterRows, NewAdapter
from app.errors import AdapterNotHosted, HostingFailed
from app.finetune.curves import read_curves
from app.finetune.hosting import Hosting
from app.finetune.run_folder import write_run_folder
from app.generate.hosting import ServedAdapter, VllmHost
from app.generate.llm import FixedEndpoint
from app.models.store import ModelStore
from app.models.training_base import training_base
from app.settings import load_settings
from app.types import PromptKind
from tests.fixtures.asking import TOPICS, Asker, question
from tests.fixtures.catalogues import a_catalogue
from tests.fixtures.lora import a_lora
from tests.fixtures.vllm_server import KEY, MAX_RANK, MODEL, SERVED, VllmServer
from tests.fixtures.waiting import wait_for
from tests.unit.finetune.factories import a_config, an_example, start

ONE, TWO = (f"ad-{number:016x}" for number in (1, 2))
HOSTED_WITHIN_SECONDS = 5.0
TRAINED_WITHIN_SECONDS = 600.0
SAME, OTHER = 0.05, 0.1
"""How far the odds of one author's replies may be from each other, and how far those of two are at least. Words are not
compared: two letters may be nearly tied, and what vLLM computes beside a question decides between them."""


def a_host(vllm: VllmServer, adapters_dir: Path | None = None) -> VllmHost:
    return VllmHost(vllm.base_url, KEY, adapters_dir, 120.0)


def an_asker(vllm: VllmServer) -> Asker:
    return Asker(FixedEndpoint(vllm.base_url, KEY), SERVED)


def an_adapter(folder: Path, adapter_id: str, rank: int = MAX_RANK) -> ServedAdapter:
    peft = folder / adapter_id / "peft"
    if not peft.exists():
        targets = ("q_proj", "k_proj", "v_proj", "o_proj")
        a_lora(peft, rank=rank, strength=0.05, seed=int(adapter_id[3:], 16), targets=targets)
    return ServedAdapter(adapter_id, peft, adapter_id.ljust(64, "0"), PromptKind.SHORT, None)


def test_adapters_come_and_go_while_questions_run_and_none_of_them_fails(vllm: VllmServer, tmp_path: Path) -> None:
    host, asker = a_host(vllm), an_asker(vllm)
    adapters = [an_adapter(tmp_path, ONE), an_adapter(tmp_path, TWO)]
    alone = asker.ask(question(TOPICS[0]))
    with asker.meanwhile([(question(topic), None) for topic in TOPICS[:7]]) as running:
        began = time.monotonic()
        host.set(adapters)
        seconds = time.monotonic() - began
        assert host.hosted() == {ONE, TWO}
        written = {who: asker.ask(question(TOPICS[0]), who) for who in (ONE, TWO)}
        host.set(adapters[1:])
        with pytest.raises(AdapterNotHosted):
            asker.ask(question(TOPICS[0]), ONE)
        assert asker.ask(question(TOPICS[0]), TWO).far_from(written[TWO]) < SAME
    print(f"\ntwo hosted after {seconds:.2f} s; {len(running.outcomes)} questions meanwhile")  # noqa: T201
    assert running.failures == []
    assert running.outcomes
    assert all(one.far_from(other) > OTHER for one, other in combinations([alone, *written.values()], 2))
    assert asker.ask(question(TOPICS[0])).far_from(alone) < SAME
    assert seconds < HOSTED_WITHIN_SECONDS
    host.set([])
    assert host.hosted() == frozenset()


def test_a_fresh_training_is_loaded_and_unloaded_while_questions_run(vllm: VllmServer, tmp_path: Path) -> None:
    base = training_base(ModelStore.from_settings(load_settings()), MODEL)
    config = a_config(base=MODEL, rank=8, alpha=16, learning_rate=5e-3, epochs=1)
    run = write_run_folder(tmp_path / ONE, config, base, [an_example(number) for number in range(4)], [])
    assert start(run).wait(TRAINED_WITHIN_SECONDS) == 0
    loss = [step.loss for step in read_curves(run.path).steps]
    served = ServedAdapter(ONE, run.adapter, ONE.ljust(64, "0"), PromptKind.SHORT, None)
    host, asker = a_host(vllm), an_asker(vllm)
    asked = run.train()[0].messages[-1].content
    alone = asker.ask(asked)
    with asker.meanwhile([(question(topic), None) for topic in TOPICS[:7]]) as running:
        began = time.monotonic()
        host.set([served])
        seconds = time.monotonic() - began
        trained = asker.ask(asked, ONE)
        host.set([])
    print(f"\nfresh training hosted after {seconds:.2f} s; losses {loss}")  # noqa: T201
    assert running.failures == []
    assert running.outcomes
    assert seconds < HOSTED_WITHIN_SECONDS
    assert trained.far_from(alone) > OTHER
    assert asker.ask(asked).far_from(alone) < SAME


def test_what_it_refuses_is_said_and_the_others_stay(vllm: VllmServer, tmp_path: Path) -> None:
    host = a_host(vllm)
    host.set([an_adapter(tmp_path, ONE)])
    with pytest.raises(HostingFailed, match=f"refuses adapter {TWO}: HTTP 500") as failure:
        host.set([an_adapter(tmp_path, ONE), an_adapter(tmp_path, TWO, rank=2 * MAX_RANK)])
    assert "max_lora_rank" in (failure.value.detail or "")
    with pytest.raises(HostingFailed, match="MQA_VLLM_ADAPTERS_DIR"):
        a_host(vllm, tmp_path / "elsewhere").set([an_adapter(tmp_path, ONE), an_adapter(tmp_path, TWO)])
    assert host.hosted() == {ONE}
    host.set([])


def test_after_a_restart_it_gets_its_adapters_again(vllm: VllmServer, tmp_path: Path) -> None:
    asker = an_asker(vllm)
    with a_catalogue(tmp_path) as catalogue:
        rows = AdapterRows(catalogue.sessions)
        served = an_adapter(tmp_path, ONE)
        rows.add(ONE, NewAdapter("one", "base", "1", 8, 100, served.sha256, PromptKind.SHORT), 10)
        hosting = Hosting(rows, lambda _: served.folder, a_host(vllm), most=2, check_seconds=0.5)
        hosting.start()
        try:
            hosting.host(ONE)
            before = asker.ask(question(TOPICS[0]), ONE).text
            vllm.stop()
            assert wait_for(lambda: hosting.state().fault is not None, 90)
            print(f"\nup again after {vllm.start():.0f} s")  # noqa: T201
            assert wait_for(lambda: hosting.hosted() == {ONE}, 90)
            assert asker.ask(question(TOPICS[0]), ONE).text == before
        finally:
            hosting.stop()


def test_speed_with_and_without_an_adapter_is_told(vllm: VllmServer, tmp_path: Path) -> None:
    a_host(vllm).set([an_adapter(tmp_path, ONE)])
    rates = {}
    for name, who in (("base", None), ("adapter", ONE), ("base again", None)):
        reply = an_asker(vllm).ask("Write a long story about a lighthouse.", who, tokens=48)
        rates[name] = reply.tokens / reply.seconds
    print("\n" + ", ".join(f"{name} {rate:.1f} tokens/s" for name, rate in rates.items()))  # noqa: T201
    assert min(rates.values()) > 0
    a_host(vllm).set([])
