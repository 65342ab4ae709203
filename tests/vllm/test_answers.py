"""Answers of a real vLLM through our client: streamed, ended with their reader, refused when it is too much."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from app.errors import AdapterNotHosted, ModelBusy, ModelUnavailable
from app.finetune.examples import ChatMessage
from app.finetune.tokenizing import ChatTokenizer
from app.generate.context import select_passages
from app.generate.llm import FixedEndpoint
from app.generate.prompt import grounded_messages
from app.ports import Message, Odds, Usage
from app.types import Language, PromptKind
from tests.fixtures.asking import TOPICS, Asker, Reply, question
from tests.fixtures.passages import a_result
from tests.fixtures.vllm_server import KEY, MOST_REQUESTS, SERVED, VllmServer

ENDS_WITHIN_SECONDS = 1.0


def an_asker(vllm: VllmServer, key: str = KEY) -> Asker:
    return Asker(FixedEndpoint(vllm.base_url, key), SERVED)


def test_it_streams_text_odds_and_usage(vllm: VllmServer) -> None:
    async def items() -> tuple[list[str | Odds | Usage], str]:
        model = an_asker(vllm).model()
        found = [item async for item in model.stream([Message("user", question(TOPICS[0]))], 24)]
        status = await model.status()
        await model.close()
        return found, status.state

    found, state = asyncio.run(items())
    assert isinstance(found[0], Odds)
    assert sum(isinstance(item, str) for item in found) > 5
    assert isinstance(found[-1], Usage)
    assert 5 < found[-1].completion_tokens <= 24
    assert state == "ready"


def test_a_reader_that_leaves_ends_its_request(vllm: VllmServer) -> None:
    async def leave() -> float:
        model = an_asker(vllm).model()
        stream = model.stream([Message("user", "Write a long story about a lighthouse.")], 2000)
        async with asyncio.timeout(120):
            await anext(stream)
        async with asyncio.timeout(60):
            assert await asyncio.to_thread(vllm.busy) == 1
        left = time.monotonic()
        await stream.aclose()
        async with asyncio.timeout(60):
            while await asyncio.to_thread(vllm.busy):  # noqa: ASYNC110 - another process gets idle
                await asyncio.sleep(0.02)
        seconds = time.monotonic() - left
        await model.close()
        return seconds

    seconds = asyncio.run(leave())
    print(f"\nended {seconds:.2f} s after its reader left")  # noqa: T201
    assert seconds < ENDS_WITHIN_SECONDS


def test_what_is_too_much_is_busy_and_the_rest_is_answered(vllm: VllmServer) -> None:
    asked = [(question(topic), None) for topic in TOPICS * 3]
    outcomes = an_asker(vllm).ask_all(asked)
    answered = [outcome for outcome in outcomes if isinstance(outcome, Reply)]
    assert {type(outcome) for outcome in outcomes} == {Reply, ModelBusy}
    assert len(answered) >= MOST_REQUESTS
    assert an_asker(vllm).ask(question(TOPICS[0])).tokens > 0


def test_its_errors_are_ours(vllm: VllmServer) -> None:
    with pytest.raises(ModelUnavailable, match="HTTP 401"):
        an_asker(vllm, "wrong").ask("Hello")
    with pytest.raises(ModelUnavailable, match="HTTP 400"):
        an_asker(vllm).ask("long " * 5000)
    with pytest.raises(AdapterNotHosted, match="ad-0000000000000000"):
        an_asker(vllm).ask("Hello", "ad-0000000000000000")
    assert an_asker(vllm).ask(question(TOPICS[0])).tokens > 0


@pytest.mark.parametrize("kind", list(PromptKind))
@pytest.mark.parametrize(("language", "asked"), [("en", "How hot does the KE-210 get?"), ("zh", "KE-210 多热？")])
def test_it_reads_the_token_ids_that_training_reads(
    vllm: VllmServer, kind: PromptKind, language: Language, asked: str
) -> None:
    passages = select_passages(asked, a_result("The KE-210 heats to 96 °C. 加热到 96 °C。").hits, 200)
    messages = grounded_messages(asked, passages, language, kind)
    chat = [ChatMessage(role=message.role, content=message.content) for message in messages]
    body = {"model": SERVED, "messages": [message.model_dump() for message in chat], "add_generation_prompt": True}
    served = httpx.post(f"{vllm.url}/tokenize", json=body, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
    assert served.json()["tokens"] == list(ChatTokenizer.load(vllm.base, SERVED).prompt(tuple(chat)))
