"""Adapters in the real local model server: hosted while questions run, and each answers for itself alone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.errors import HostingFailed
from app.generate.engine import LocalEngine
from app.generate.hosting import EngineHost, ServedAdapter
from app.generate.llm import OpenAICompatibleModel
from app.generate.model_server import EngineConfig
from app.models.store import ModelStore
from app.ports import Message, Usage
from app.settings import load_settings
from app.types import PromptKind
from tests.fixtures.lora import Shape, a_lora

MODEL = "qwen2.5-coder-0.5b-instruct"
ONE, TWO = (f"ad-{number:016x}" for number in (1, 2))
HOSTED_WITHIN_SECONDS = 5.0
"""On a machine of its own; where others use the same cores the test only tells the figure."""

TOPICS = ["a water pump", "a coffee machine", "a bicycle", "a printer", "a kettle", "a router", "a drill", "a toaster"]

pytestmark = pytest.mark.weights


@dataclass(frozen=True)
class Reply:
    text: str
    tokens: int
    seconds: float


class Server:
    """The engine with the small model, and its hosting."""

    def __init__(self, folder: Path) -> None:
        weights = ModelStore.from_settings(load_settings()).resolve(MODEL)
        self.engine = LocalEngine(EngineConfig(weights.name, weights.path, folder / "logs", 2048, 2, 0, 120.0))
        self.host = EngineHost(self.engine)
        self.folder = folder

    def an_adapter(self, adapter_id: str, seed: int) -> ServedAdapter:
        peft = self.folder / "adapters" / adapter_id / "peft"
        if not peft.exists():
            targets = ("q_proj", "k_proj", "v_proj", "o_proj")
            a_lora(peft, rank=16, strength=0.05, seed=seed, targets=targets)
        return ServedAdapter(adapter_id, peft, str(seed).ljust(64, "0"), PromptKind.SHORT, None)

    def ask(self, questions: list[tuple[str, str | None]], tokens: int = 16) -> list[Reply]:
        """Asks all at the same time; raises what any of them does."""

        async def all_of_them() -> list[Reply]:
            model = OpenAICompatibleModel(MODEL, self.engine, first_token_seconds=120, total_seconds=240)
            try:
                return list(await asyncio.gather(*(self._one(model, text, who, tokens) for text, who in questions)))
            finally:
                await model.close()

        return asyncio.run(all_of_them())

    async def _one(self, model: OpenAICompatibleModel, text: str, adapter: str | None, tokens: int) -> Reply:
        began, written, pieces = time.monotonic(), 0, []
        async with aclosing(model.stream([Message("user", text)], tokens, adapter)) as items:
            async for item in items:
                if isinstance(item, Usage):
                    written = item.completion_tokens
                elif isinstance(item, str):
                    pieces.append(item)
        return Reply("".join(pieces), written, time.monotonic() - began)


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


def question(topic: str) -> str:
    return f"In one sentence: what is {topic} for?"


def test_an_adapter_is_hosted_while_questions_run_and_none_of_them_fails(server: Server) -> None:
    alone = [reply.text for reply in server.ask([(question(topic), None) for topic in TOPICS[:2]])]
    stop, failed, answered = threading.Event(), [], []

    def go_on_asking() -> None:
        while not stop.is_set():
            try:
                answered.extend(server.ask([(question(topic), None) for topic in TOPICS]))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test looks for
                failed.append(error)
                return

    asking = threading.Thread(target=go_on_asking)
    asking.start()
    began = time.monotonic()
    server.host.set([server.an_adapter(ONE, 1)])
    seconds = time.monotonic() - began
    (reply,) = server.ask([(question(TOPICS[0]), ONE)])
    stop.set()
    asking.join(240)
    print(f"\nhosted under eight questions at a time after {seconds:.1f} s; {len(answered)} of them answered")  # noqa: T201
    assert failed == []
    assert len(answered) >= len(TOPICS)
    assert reply.text != alone[0]
    assert [again.text for again in server.ask([(question(topic), None) for topic in TOPICS[:2]])] == alone
    assert seconds < HOSTED_WITHIN_SECONDS * 4  # a machine that others use, too


def test_each_answers_for_itself_whatever_was_asked_before(server: Server) -> None:
    """Also where a prompt is still in memory that another adapter, or none, has read."""
    server.host.set([server.an_adapter(ONE, 1), server.an_adapter(TWO, 2)])
    authors = [None, ONE, TWO]
    fresh = {who: [server.ask([(question(topic), who)])[0].text for topic in TOPICS[:3]] for who in authors}
    assert len({tuple(texts) for texts in fresh.values()}) == 3
    for number in (2, 0, 1):
        for who in authors:
            assert server.ask([(question(TOPICS[number]), who)])[0].text == fresh[who][number]
    mixed = [(number, who) for number in range(3) for who in authors]
    replies = server.ask([(question(TOPICS[number]), who) for number, who in mixed])
    assert [reply.text for reply in replies] == [fresh[who][number] for number, who in mixed]


def test_a_file_that_llama_cannot_load_leaves_what_was_served(server: Server) -> None:
    server.host.set([server.an_adapter(ONE, 1)])
    bad = server.an_adapter(TWO, 2)
    wrong = ServedAdapter("ad-00000000000000ff", server.folder / "adapters" / "wrong" / "peft", "0", bad.prompt, None)
    if not wrong.folder.exists():
        a_lora(wrong.folder, rank=4, shape=_other_shape())
    with pytest.raises(HostingFailed, match="ended with code"):
        server.host.set([server.an_adapter(ONE, 1), wrong])
    assert server.host.hosted() == {ONE}
    assert server.ask([(question(TOPICS[0]), ONE)])[0].tokens > 0


def test_speed_with_and_without_an_adapter_is_told(server: Server) -> None:
    server.host.set([server.an_adapter(ONE, 1)])
    story = [Message("user", "Write a long story about a lighthouse.")]
    rates = {}
    for name, who in (("base", None), ("adapter", ONE), ("base again", None)):
        (reply,) = server.ask([(story[0].content, who)], tokens=48)
        rates[name] = reply.tokens / reply.seconds
    print("\n" + ", ".join(f"{name} {rate:.1f} tokens/s" for name, rate in rates.items()))  # noqa: T201
    assert min(rates.values()) > 0


def _other_shape() -> Shape:
    return Shape(layers=2, hidden=64, key_values=32, inner=128)
