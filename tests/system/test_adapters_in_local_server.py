"""Adapters in the real local model server: hosted while questions run, and each answers for itself alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import HostingFailed
from app.generate.engine import LocalEngine
from app.generate.hosting import EngineHost, ServedAdapter
from app.generate.model_server import EngineConfig
from app.models.store import ModelStore
from app.settings import load_settings
from app.types import PromptKind
from tests.fixtures.asking import TOPICS, Asker, Reply, question
from tests.fixtures.lora import Shape, a_lora

MODEL = "qwen2.5-coder-0.5b-instruct"
ONE, TWO = (f"ad-{number:016x}" for number in (1, 2))
MOST_SECONDS = 30.0
"""Alone on two cores it takes two to four seconds, under eight questions; others may use the same machine."""

SURELY_SAME, SURELY_OTHER = 0.1, 0.3
"""Of the odds of a first token; see `Reply.far_from`."""

pytestmark = pytest.mark.weights


class Server:
    """The engine with the small model, and its hosting."""

    def __init__(self, folder: Path) -> None:
        weights = ModelStore.from_settings(load_settings()).resolve(MODEL)
        self.engine = LocalEngine(EngineConfig(weights.name, weights.path, folder / "logs", 2048, 2, 0, 120.0))
        self.host = EngineHost(self.engine)
        self.asker = Asker(self.engine, MODEL)
        self.folder = folder

    def an_adapter(self, adapter_id: str, seed: int) -> ServedAdapter:
        peft = self.folder / "adapters" / adapter_id / "peft"
        if not peft.exists():
            targets = ("q_proj", "k_proj", "v_proj", "o_proj")
            a_lora(peft, rank=16, strength=0.05, seed=seed, targets=targets)
        return ServedAdapter(adapter_id, peft, str(seed).ljust(64, "0"), PromptKind.SHORT, None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("adapters"))
    made.engine.start()
    try:
        deadline = time.monotonic() + 120
        while made.engine.status().state != "ready" and time.monotonic() < deadline:
            time.sleep(0.05)
        yield made
    finally:
        made.engine.stop()


def test_an_adapter_is_hosted_while_questions_run_and_none_of_them_fails(server: Server) -> None:
    asker = server.asker
    alone = [asker.ask(question(topic)).text for topic in TOPICS[:2]]
    with asker.meanwhile([(question(topic), None) for topic in TOPICS]) as running:
        began = time.monotonic()
        server.host.set([server.an_adapter(ONE, 1)])
        seconds = time.monotonic() - began
        reply = asker.ask(question(TOPICS[0]), ONE)
    told = f"hosted under eight questions at a time after {seconds:.1f} s; {len(running.outcomes)} of them answered"
    print(f"\n{told}")  # noqa: T201
    assert running.failures == []
    assert len(running.outcomes) >= len(TOPICS)
    assert reply.text != alone[0]
    assert [asker.ask(question(topic)).text for topic in TOPICS[:2]] == alone
    assert seconds < MOST_SECONDS


def test_each_answers_for_itself_whatever_was_asked_before(server: Server) -> None:
    """Also where a prompt is still in memory that another adapter, or none, has read."""
    server.host.set([server.an_adapter(ONE, 1), server.an_adapter(TWO, 2)])
    authors = (None, ONE, TWO)
    pairs = [(question(topic), who) for topic in TOPICS[:3] for who in authors]
    fresh = {pair: server.asker.ask(*pair, tokens=1) for pair in pairs}
    for text, who in pairs:
        others = [fresh[text, other] for other in authors if other != who]
        assert all(fresh[text, who].far_from(other) > SURELY_OTHER for other in others)
    by_author = sorted(pairs, key=lambda pair: (pair[1] or "", pair[0]))
    again = [server.asker.ask(*pair, tokens=1) for pair in (*reversed(by_author), *pairs)]
    together = [reply for reply in server.asker.ask_all(pairs, tokens=1) if isinstance(reply, Reply)]
    expected = [fresh[pair] for pair in (*reversed(by_author), *pairs, *pairs)]
    distances = [reply.far_from(first) for reply, first in zip([*again, *together], expected, strict=True)]
    assert max(distances) < SURELY_SAME, distances


def test_a_file_that_llama_cannot_load_leaves_what_was_served(server: Server) -> None:
    server.host.set([server.an_adapter(ONE, 1)])
    wrong = ServedAdapter(
        "ad-00000000000000ff", server.folder / "adapters" / "wrong" / "peft", "0", PromptKind.SHORT, None
    )
    a_lora(wrong.folder, _other_shape(), rank=4)
    with pytest.raises(HostingFailed, match="ended with code"):
        server.host.set([server.an_adapter(ONE, 1), wrong])
    assert server.host.hosted() == {ONE}
    assert server.asker.ask(question(TOPICS[0]), ONE).tokens > 0


def test_speed_with_and_without_an_adapter_is_told(server: Server) -> None:
    server.host.set([server.an_adapter(ONE, 1)])
    rates = {}
    for name, who in (("base", None), ("adapter", ONE), ("base again", None)):
        reply = server.asker.ask("Write a long story about a lighthouse.", who, tokens=48)
        rates[name] = reply.tokens / reply.seconds
    print("\n" + ", ".join(f"{name} {rate:.1f} tokens/s" for name, rate in rates.items()))  # noqa: T201
    assert min(rates.values()) > 0


def _other_shape() -> Shape:
    return Shape(layers=2, hidden=64, key_values=32, inner=128)
