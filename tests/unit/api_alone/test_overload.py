"""More than can be answered: who has a place is answered, the others are told at once, and the rest stays quick."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.fixtures.scripted_model import Fault
from tests.fixtures.waiting import wait_for
from tests.unit.api.conftest import MANUAL, Api, an_api, listening

SLOTS, LINE = 4, 8
SAID = "E-04 means that the water tank is empty."
QUESTION = "What does E-04 mean?"
WAIT_SECONDS = 120.0


@dataclass
class Busy:
    """A server of few places whose model answers once the `gate` is open."""

    api: Api
    base: str
    url: str
    gate: threading.Event = field(default_factory=threading.Event)

    def reply(self, request: dict[str, Any]) -> str:  # noqa: ARG002 - whatever is asked
        self.gate.wait(WAIT_SECONDS)
        return SAID

    @property
    def ask(self) -> str:
        return f"/v1/knowledge-bases/{self.base}/ask"

    def under_way(self) -> float:
        """Questions that have a place now, as the server's own metrics say."""
        headers = {"Authorization": f"Bearer {self.api.secret}"}
        text = httpx.get(f"{self.url}/metrics", headers=headers, timeout=WAIT_SECONDS).text
        lines = [line for line in text.splitlines() if line.startswith("manualqa_questions_under_way ")]
        return float(lines[0].split()[1])

    def client(self, **headers: str) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None)
        sent = {"Authorization": f"Bearer {self.api.secret}", **headers}
        return httpx.AsyncClient(base_url=self.url, headers=sent, timeout=WAIT_SECONDS, limits=limits, trust_env=False)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    folder = tmp_path_factory.mktemp("busy")
    with an_api(folder, model_requests=SLOTS, model_queue=LINE, model_queue_seconds=WAIT_SECONDS) as api:
        base = api.base("kettle")
        assert api.ready(base, "kettle.md", MANUAL.encode())["state"] == "ready"
        with listening(api) as (host, port):
            yield Busy(api, base, f"http://{host}:{port}")


@pytest.fixture
def busy(served: Busy) -> Iterator[Busy]:
    served.gate = threading.Event()
    served.api.model.reply, served.api.model.fault, served.api.model.most_running = served.reply, Fault.NONE, 0
    yield served
    served.gate.set()
    assert wait_for(lambda: served.api.services.model.queue.running == 0 and served.api.model.running == 0)
    assert wait_for(lambda: served.under_way() == 0)


async def until(condition: Any) -> None:  # noqa: ANN401
    assert await asyncio.to_thread(wait_for, condition, WAIT_SECONDS)


def test_of_two_hundred_at_once_those_with_a_place_are_answered_and_the_rest_told_so_at_once(busy: Busy) -> None:
    async def ask_all() -> tuple[list[httpx.Response], httpx.Response]:
        async with busy.client() as client:
            tasks = [asyncio.create_task(client.post(busy.ask, json={"question": QUESTION})) for _ in range(200)]
            await until(lambda: sum(task.done() for task in tasks) == 200 - SLOTS - LINE)
            found = await client.post(f"/v1/knowledge-bases/{busy.base}/search", json={"question": QUESTION})
            busy.gate.set()
            return await asyncio.gather(*tasks), found

    answers, found = asyncio.run(ask_all())
    assert Counter(one.status_code for one in answers) == {200: SLOTS + LINE, 429: 200 - SLOTS - LINE}
    assert {one.json()["text"] for one in answers if one.status_code == 200} == {SAID}
    assert {one.json()["mode"] for one in answers if one.status_code == 200} == {"generated"}
    refused = next(one for one in answers if one.status_code == 429)
    assert (refused.json()["code"], refused.headers["Retry-After"]) == ("questions_full", "2")
    assert found.json()["hits"]
    assert busy.api.model.most_running == SLOTS


def test_every_route_that_asks_refuses_and_every_other_answers(busy: Busy) -> None:
    async def see() -> dict[str, httpx.Response]:
        async with busy.client() as client:
            made = await client.post(f"/v1/knowledge-bases/{busy.base}/conversations", json={})
            held = [
                asyncio.create_task(client.post(busy.ask, json={"question": QUESTION, "stream": True}))
                for _ in range(SLOTS + LINE)
            ]
            await until(lambda: busy.api.services.model.queue.waiting == LINE)
            body = {"question": QUESTION}
            seen = {
                "ask": await client.post(busy.ask, json=body, headers={"Accept-Language": "zh"}),
                "stream": await client.post(busy.ask, json={**body, "stream": True}),
                "batch": await client.post(f"{busy.ask}-batch", json={"questions": [QUESTION]}),
                "turn": await client.post(f"/v1/conversations/{made.json()['id']}/ask", json=body),
                "chat": await client.post(
                    "/v1/chat/completions",
                    json={"model": busy.base, "messages": [{"role": "user", "content": QUESTION}]},
                ),
                "search": await client.post(f"/v1/knowledge-bases/{busy.base}/search", json=body),
                "documents": await client.get(f"/v1/knowledge-bases/{busy.base}/documents"),
                "metrics": await client.get("/metrics"),
                "health": await client.get("/healthz"),
            }
            busy.gate.set()
            assert {one.status_code for one in await asyncio.gather(*held)} == {200}
            seen["again"] = await client.post(busy.ask, json=body)
            return seen

    seen = asyncio.run(see())
    refused = {"ask", "stream", "batch", "turn", "chat"}
    assert {name for name, one in seen.items() if one.status_code == 429} == refused
    assert {one.status_code for name, one in seen.items() if name not in refused} == {200}
    assert "上限" in seen["ask"].json()["title"]
    assert seen["chat"].json()["error"]["type"] == "rate_limit_error"
    assert all("Retry-After" in seen[name].headers for name in refused)
    told = seen["metrics"].text
    assert f'manualqa_model_calls{{state="running"}} {float(SLOTS)}' in told
    assert f'manualqa_model_calls{{state="waiting"}} {float(LINE)}' in told
    assert f"manualqa_questions_under_way {float(SLOTS + LINE)}" in told
    assert 'manualqa_breaker_open{part="model"} 0.0' in told


def test_a_wrong_key_has_no_place_while_it_waits(busy: Busy) -> None:
    async def ask() -> list[int]:
        async with busy.client(Authorization="Bearer mqa_wrong") as strangers, busy.client() as client:
            wrong = [asyncio.create_task(strangers.post(busy.ask, json={"question": QUESTION})) for _ in range(LINE)]
            statuses = {one.status_code for one in await asyncio.gather(*wrong)}
            assert statuses == {401}
            busy.gate.set()
            return [(await client.post(busy.ask, json={"question": QUESTION})).status_code]

    assert asyncio.run(ask()) == [200]


@pytest.mark.parametrize("stream", [True, False])
def test_who_leaves_ends_the_model_s_request_and_gives_up_the_place_in_line(
    busy: Busy, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    monkeypatch.setattr(busy.api.services.model._model, "_first_token_seconds", WAIT_SECONDS)
    busy.api.model.fault = Fault.STALL
    queue = busy.api.services.model.queue

    async def leave() -> float:
        async with busy.client() as client:
            body = {"question": QUESTION, "stream": stream}
            tasks = [asyncio.create_task(client.post(busy.ask, json=body)) for _ in range(SLOTS + LINE)]
            await until(lambda: busy.api.model.running == SLOTS and queue.waiting == LINE)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            left_at = time.monotonic()
            await until(lambda: busy.api.model.running == 0 and queue.running == queue.waiting == 0)
            return time.monotonic() - left_at

    assert asyncio.run(leave()) < WAIT_SECONDS / 2  # the model's first token is waited for longer


def test_beyond_the_uploads_that_may_be_under_way_one_is_refused(served: Busy) -> None:
    limiter = served.api.client.app.state.uploading  # type: ignore[attr-defined]
    held = [object() for _ in range(int(limiter.total_tokens))]
    for one in held:
        limiter.acquire_on_behalf_of_nowait(one)
    address = f"/v1/knowledge-bases/{served.base}/documents"
    refused = served.api.client.post(address, params={"name": "a.md"}, content=b"# A\n\nWords of a manual.")
    assert (refused.status_code, refused.json()["code"]) == (429, "uploads_full")
    assert "Retry-After" in refused.headers
    for one in held:
        limiter.release_on_behalf_of(one)
    assert served.api.ready(served.base, "a.md", b"# A\n\nWords of a manual.")["state"] == "ready"
    assert limiter.borrowed_tokens == 0
