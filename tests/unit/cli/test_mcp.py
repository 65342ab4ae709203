"""`manualqa mcp` as an agent has it: the SDK's own client, over stdio and HTTP, against a real server."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from app.cli.agent_tools import NOTICE
from app.cli.mcp_server import http_app
from app.cli.terminal import terminal
from app.settings import child_environment, load_settings
from tests.fixtures.waiting import wait_for
from tests.unit.api.conftest import MANUAL
from tests.unit.cli.conftest import ROOT, WordServer

RIGHT = "E-04 means that the water tank is empty."
TOOLS = {"list_knowledge_bases", "search", "ask", "list_documents", "read_page"}


@dataclass
class Kettle:
    """A server with one manual."""

    server: WordServer
    base: str
    document: str


@pytest.fixture(scope="module")
def kettle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kettle]:
    server = WordServer(tmp_path_factory.mktemp("data"))
    server.start()
    content = MANUAL.encode()
    with server.client() as client:
        base = client.post("/v1/knowledge-bases", {"name": "kettle"})["id"]
        sent = client.upload_stream(base, "kettle.md", len(content), io.BytesIO(content), lambda _: None)
        *_, job = client.job_states(sent["job"]["id"])
    assert job["state"] == "done", job
    yield Kettle(server, base, sent["document"]["id"])
    server.kill()


def asked(connection: Any, talk: Callable[[Client], Awaitable[None]]) -> None:  # noqa: ANN401 - what the SDK takes
    async def run() -> None:
        with anyio.fail_after(120):
            async with Client(connection) as client:
                await talk(client)

    anyio.run(run)


def stdio(kettle: Kettle, **environment: str) -> StdioServerParameters:
    settings = {"MQA_DATA_DIR": str(kettle.server.folder), "MQA_LANGUAGE": "en", **environment}
    return StdioServerParameters(
        command=sys.executable, args=["-m", "app.cli", "mcp"], env=child_environment(**settings), cwd=ROOT
    )


def data(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


def fault(result: CallToolResult) -> str:
    assert result.is_error
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


def test_an_agent_works_with_the_manuals_over_stdio(kettle: Kettle) -> None:
    async def talk(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == TOOLS
        assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)
        assert "context" not in str([tool.input_schema["properties"] for tool in tools])
        bases = data(await client.call_tool("list_knowledge_bases"))
        assert bases["knowledge_bases"] == [{"id": kettle.base, "name": "kettle", "documents": 1, "pages": 1}]
        found = data(await client.call_tool("search", {"question": "E-04", "knowledge_base": "kettle"}))
        assert found["notice"] == NOTICE
        first = found["passages"][0]
        assert (first["document_id"], first["document"], first["page"]) == (kettle.document, "kettle.md", 1)
        assert RIGHT in first["text"]
        told = data(await client.call_tool("ask", {"question": "What does E-04 mean?"}))
        assert (told["notice"], told["refused"], told["mode"]) == (NOTICE, False, "extractive")
        assert RIGHT in told["answer"]
        assert "[1]" in told["answer"]
        assert told["citations"][0]["document_id"] == kettle.document
        assert told["citations"][0]["number"] == 1
        listed = data(await client.call_tool("list_documents", {"knowledge_base": kettle.base, "name": "kett"}))
        assert (listed["total"], listed["documents"][0]["id"]) == (1, kettle.document)
        assert data(await client.call_tool("list_documents", {"name": "pump"}))["documents"] == []
        whole = data(await client.call_tool("read_page", {"document_id": kettle.document, "page": 1}))
        assert RIGHT in whole["text"]
        assert whole["characters"] == len(whole["text"])
        rest = {"document_id": kettle.document, "page": 1, "start": 10}
        assert data(await client.call_tool("read_page", rest))["text"] == whole["text"][10:]

    asked(stdio(kettle), talk)


@pytest.fixture
def mixer(kettle: Kettle) -> Iterator[None]:
    """A second, empty knowledge base."""
    with kettle.server.client() as client:
        base = client.post("/v1/knowledge-bases", {"name": "mixer"})["id"]
    yield
    with kettle.server.client() as client:
        client.delete(f"/v1/knowledge-bases/{base}")


@pytest.mark.usefixtures("mixer")
def test_what_goes_wrong_is_a_sentence_for_the_agent(kettle: Kettle) -> None:
    async def talk(client: Client) -> None:
        async def said(tool: str, **arguments: Any) -> str:  # noqa: ANN401
            return fault(await client.call_tool(tool, arguments))

        assert "name one: kettle, mixer" in await said("ask", question="What does E-04 mean?")
        assert "no knowledge base named toaster" in await said("search", question="E-04", knowledge_base="toaster")
        mine = {"knowledge_base": "kettle", "document_id": kettle.document}
        assert "has no page 9" in await said("read_page", page=9, **mine)
        for bad in ("../../keys", "doc-1/file", "DOC"):
            assert "pattern" in await said("read_page", page=1, document_id=bad)
        refused = data(await client.call_tool("ask", {"question": "Price?", "knowledge_base": "mixer"}))
        assert (refused["refused"], refused["reason"], refused["citations"]) == (True, "no_documents", [])

    asked(stdio(kettle), talk)


def test_without_a_server_or_a_key_nothing_opens(kettle: Kettle, tmp_path: Path) -> None:
    with kettle.server.client() as client:
        url = client.url
    for settings, sentence in (
        ({"MQA_URL": url, "MQA_API_KEY": "nope"}, "API key is not valid"),
        ({"MQA_DATA_DIR": str(tmp_path)}, "No manualqa server answers"),
    ):

        async def talk(client: Client, sentence: str = sentence) -> None:
            assert sentence in fault(await client.call_tool("list_knowledge_bases"))

        asked(stdio(kettle, **settings), talk)


@pytest.fixture
def http_address(kettle: Kettle, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The tools over HTTP in this process."""
    monkeypatch.setenv("MQA_DATA_DIR", str(kettle.server.folder))
    monkeypatch.setenv("MQA_LANGUAGE", "en")
    load_settings.cache_clear()
    server = uvicorn.Server(uvicorn.Config(http_app(terminal()), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert wait_for(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp"
    server.should_exit = True
    thread.join(30)
    load_settings.cache_clear()


def test_each_agent_over_http_has_its_own_key(kettle: Kettle, http_address: str) -> None:
    with kettle.server.client() as client:
        made = client.post("/v1/keys", {"name": "agent", "role": "reader"})

    async def talk() -> None:
        headers = {"Authorization": f"Bearer {made['secret']}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            async with Client(streamable_http_client(http_address, http_client=http)) as client:
                assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
                told = data(await client.call_tool("ask", {"question": "What does E-04 mean?"}))
                assert RIGHT in told["answer"]
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            for key, sentence in (("nope", "API key is not valid"), ("", "API key is needed")):
                wrong = {"Authorization": f"Bearer {key}".strip()}
                response = await http.post(http_address, json=body, headers=wrong)
                assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
                assert sentence in response.json()["error"]
            foreign = await http.post(http_address, json=body, headers={"Host": "evil.example"})
            assert foreign.status_code == 421

    anyio.run(talk)
    with kettle.server.client() as client:
        client.delete(f"/v1/keys/{made['id']}")
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert httpx2.post(http_address, json={}, headers=headers).status_code == 401
