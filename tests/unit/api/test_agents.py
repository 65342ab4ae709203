"""The tools of `manualqa mcp` over the API and a scripted model: what an agent asks, and takes back."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import uvicorn
from anyio import to_thread
from mcp import Client

from app.cli.mcp_server import build, http_app
from app.cli.terminal import terminal
from app.settings import load_settings
from tests.fixtures.scripted_model import Fault
from tests.fixtures.waiting import wait_for
from tests.unit.api.conftest import Api
from tests.unit.api.test_openai import BUSY_SECONDS, RIGHT

QUESTION = "What does E-04 mean?"


@pytest.fixture
def tools(api: Api, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The MCP server, with an admin's key for the API."""
    host, port = address
    for name, value in {"URL": f"http://{host}:{port}", "API_KEY": api.secret, "LANGUAGE": "en"}.items():
        monkeypatch.setenv(f"MQA_{name}", value)
    load_settings.cache_clear()
    yield build(terminal(), by_callers_key=False)
    load_settings.cache_clear()


@asynccontextmanager
async def agent(tools: Any) -> AsyncIterator[Client]:  # noqa: ANN401 - what the SDK takes
    with anyio.fail_after(2 * BUSY_SECONDS):
        async with Client(tools) as client:
            yield client


def test_an_agent_is_answered_as_by_our_own_route(api: Api, kettle: str, tools: Any) -> None:  # noqa: ANN401
    api.model_says(RIGHT)
    before = len(api.model.requests)

    async def told() -> dict[str, Any]:
        async with agent(tools) as client:
            result = await client.call_tool("ask", {"question": QUESTION, "knowledge_base": kettle})
            return dict(result.structured_content or {})

    mcp = anyio.run(told)
    ours = api.client.post(f"/v1/knowledge-bases/{kettle}/ask", json={"question": QUESTION}).json()
    assert (mcp["answer"], mcp["mode"], mcp["refused"]) == (f"{RIGHT} [1]", "generated", False)
    assert [proof["quote"] for proof in mcp["citations"]] == [citation["quote"] for citation in ours["citations"]]
    one, other = api.model.requests[before:]
    assert one == other


def test_a_call_that_is_taken_back_ends_the_models_request(
    api: Api,
    kettle: str,
    tools: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api.services.model._model, "_total_seconds", 10 * BUSY_SECONDS)  # so that no limit ends it
    api.model_says(RIGHT, Fault.STALL_MIDWAY)
    api.model.gone.clear()
    before = len(api.model.requests)

    async def take_back() -> None:
        async with agent(tools) as client, anyio.create_task_group() as calls:
            calls.start_soon(client.call_tool, "ask", {"question": QUESTION, "knowledge_base": kettle})
            assert await to_thread.run_sync(wait_for, lambda: len(api.model.requests) > before)
            calls.cancel_scope.cancel()
        assert await to_thread.run_sync(api.model.gone.wait, BUSY_SECONDS)

    anyio.run(take_back)
    assert len(api.model.requests) == before + 1


@pytest.mark.usefixtures("tools")
def test_an_agent_that_leaves_over_http_ends_the_models_request(
    api: Api, kettle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services.model._model, "_total_seconds", 10 * BUSY_SECONDS)
    api.model_says(RIGHT, Fault.STALL_MIDWAY)
    api.model.gone.clear()
    before = len(api.model.requests)
    call = {"name": "ask", "arguments": {"question": QUESTION, "knowledge_base": kettle}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})
    request = (
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\n"
        f"Authorization: Bearer {api.secret}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    server = uvicorn.Server(uvicorn.Config(http_app(terminal()), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert wait_for(lambda: server.started)
        address = server.servers[0].sockets[0].getsockname()
        with socket.create_connection(address) as connection:
            connection.sendall((request.format(port=address[1]) + body).encode())
            assert wait_for(lambda: len(api.model.requests) > before, BUSY_SECONDS)
        assert api.model.gone.wait(BUSY_SECONDS)
    finally:
        server.should_exit = True
        thread.join(BUSY_SECONDS)
    assert len(api.model.requests) == before + 1
