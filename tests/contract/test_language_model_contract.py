"""The law of `LanguageModel`, against servers that keep to it and servers that do not."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence
from contextlib import suppress

import pytest

from app.errors import AdapterNotHosted, ModelBusy, ModelUnavailable, Unavailable
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.ports import LanguageModel, Message, Odds, Usage
from tests.fixtures.scripted_model import Fault, ScriptedModel, scripted_model

QUESTION = [Message("system", "Be brief."), Message("user", "问题：E3?")]


def a_model(base_url: str, *, first: float = 5.0, total: float = 10.0) -> OpenAICompatibleModel:
    return OpenAICompatibleModel(
        "scripted", FixedEndpoint(base_url, "secret"), first_token_seconds=first, total_seconds=total
    )


async def collect(model: LanguageModel, messages: Sequence[Message] = QUESTION) -> tuple[str, list[Usage]]:
    texts: list[str] = []
    usages: list[Usage] = []
    try:
        async for item in model.stream(messages, 50):
            if isinstance(item, str):
                assert not usages, "text after the usage"
                texts.append(item)
            elif isinstance(item, Usage):
                usages.append(item)
    finally:
        await model.close()
    return "".join(texts), usages


def test_yields_the_text_in_order_and_one_usage_last() -> None:
    with scripted_model("E3：壶盖未合上。 The lid is open.") as server:
        text, usages = asyncio.run(collect(a_model(server.base_url)))
    assert text == "E3：壶盖未合上。 The lid is open."
    assert len(usages) == 1
    assert usages[0].completion_tokens > 0


def test_odds_come_before_the_piece_they_are_about() -> None:
    async def items(server: ScriptedModel) -> list[str | Odds | Usage]:
        model = a_model(server.base_url)
        found = [item async for item in model.stream(QUESTION, 50)]
        await model.close()
        return found

    with scripted_model(["A", "B", "C"]) as server:
        server.odds = {1: {"B": 0.75, "none": 0.25}}
        first, odds, second, third, usage = asyncio.run(items(server))
    assert (first, second, third) == ("A", "B", "C")
    assert isinstance(odds, Odds)
    assert isinstance(usage, Usage)
    assert [(token, round(p, 6)) for token, p in odds.tokens] == [("B", 0.75), ("none", 0.25)]


def test_sends_the_messages_at_temperature_zero_with_its_key() -> None:
    with scripted_model("ok") as server:
        asyncio.run(collect(a_model(server.base_url)))
    (request,) = server.requests
    assert request["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "问题：E3?"},
    ]
    assert (request["temperature"], request["max_tokens"], request["stream"]) == (0, 50, True)
    assert server.keys == ["Bearer secret"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.ERROR_500, ModelUnavailable),
        (Fault.BUSY_429, ModelBusy),
        (Fault.LOADING_503, ModelBusy),
        (Fault.BUSY_IN_STREAM, ModelBusy),
        (Fault.MISSING_404, ModelUnavailable),
        (Fault.GARBAGE, ModelUnavailable),
        (Fault.WRONG_SHAPE, ModelUnavailable),
        (Fault.SILENT, ModelUnavailable),
        (Fault.CUT, ModelUnavailable),
        (Fault.END_EARLY, ModelUnavailable),
    ],
)
def test_every_fault_is_one_of_our_errors(fault: Fault, error: type[Unavailable]) -> None:
    with scripted_model("a long enough reply to break off in the middle", fault) as server, pytest.raises(error):
        asyncio.run(collect(a_model(server.base_url)))


def test_an_adapter_is_a_model_of_its_id() -> None:
    async def ask(server: ScriptedModel, adapter: str | None) -> list[str | Odds | Usage]:
        model = a_model(server.base_url)
        try:
            return [item async for item in model.stream(QUESTION, 50, adapter)]
        finally:
            await model.close()

    with scripted_model("ok") as server:
        for adapter in ("ad-1", None):
            asyncio.run(ask(server, adapter))
        assert [request["model"] for request in server.requests] == ["ad-1", "scripted"]
        server.fault = Fault.MISSING_404
        with pytest.raises(AdapterNotHosted, match="ad-1"):
            asyncio.run(ask(server, "ad-1"))


def test_a_closed_port_is_unavailable() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ModelUnavailable, match="no connection"):
        asyncio.run(collect(a_model(f"http://127.0.0.1:{port}/v1")))


def test_silence_before_the_first_token_ends_after_its_own_limit() -> None:
    with scripted_model("x", Fault.STALL) as server:
        with pytest.raises(ModelUnavailable, match="too slow"):
            asyncio.run(collect(a_model(server.base_url, first=2, total=60)))
        # On a machine that stands still, the time may be over before anything was asked.
        assert not server.requests or server.gone.wait(60), "the request was left open"


def test_silence_midway_ends_after_the_total_limit_and_what_came_was_yielded() -> None:
    async def pieces(server: ScriptedModel) -> list[str]:
        model = a_model(server.base_url, first=60, total=3)
        texts: list[str] = []

        async def take_all() -> None:
            async for item in model.stream(QUESTION, 50):
                texts.append(str(item))  # noqa: PERF401 - what came before the error counts

        with pytest.raises(ModelUnavailable, match="too slow"):
            await take_all()
        await model.close()
        return texts

    with scripted_model("a reply in several pieces", Fault.STALL_MIDWAY) as server:
        texts = asyncio.run(pieces(server))
        assert "".join(texts) == "a reply in s"
        assert server.gone.wait(60), "the request was left open"


def test_closing_the_iterator_ends_the_upstream_request() -> None:
    async def take_one(server: ScriptedModel) -> str | Odds | Usage:
        model = a_model(server.base_url)
        stream = model.stream(QUESTION, 50)
        first = await anext(stream)
        await stream.aclose()
        gone = await asyncio.to_thread(server.gone.wait, 5)
        await model.close()
        assert gone, "the request was left open"
        return first

    with scripted_model("a reply in several pieces", Fault.STALL_MIDWAY) as server:
        assert asyncio.run(take_one(server)) == "a re"


def test_status_tells_ready_from_down() -> None:
    async def state(base_url: str) -> str:
        model = a_model(base_url)
        status = await model.status()
        await model.close()
        return status.state

    with scripted_model("x") as server:
        assert asyncio.run(state(server.base_url)) == "ready"
    assert asyncio.run(state(server.base_url)) == "down"


def test_a_connection_that_the_server_closed_meanwhile_is_opened_again() -> None:
    """A server closes kept connections when it likes; the call that meets one is made again, once."""

    async def through(closed: int) -> tuple[str, int]:
        with scripted_model("ok") as server:
            asked = 0

            async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                nonlocal asked
                asked += 1
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(size)
                if asked > closed:
                    port = int(server.base_url.split(":")[2].split("/")[0])
                    upstream, sent = await asyncio.open_connection("127.0.0.1", port)
                    sent.write(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + body)
                    while piece := await upstream.read(4096):
                        writer.write(piece)
                    sent.close()
                writer.close()

            async with await asyncio.start_server(pass_on, "127.0.0.1", 0) as between:
                port = between.sockets[0].getsockname()[1]
                text, _ = await collect(a_model(f"http://127.0.0.1:{port}/v1"))
            return text, asked

    assert asyncio.run(through(1)) == ("ok", 2)
    with pytest.raises(ModelUnavailable, match="no connection"):
        asyncio.run(through(2))


def event(content: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\r\n\r\n"


STREAM = b": hello\r\n\r\nevent: message\r\n" + event("壶盖") + event("未合上。", "stop") + b"data:[DONE]\r\n\r\n"


def test_a_stream_is_read_however_the_network_cuts_it_and_its_connection_is_used_again() -> None:
    async def asked() -> tuple[list[str], int]:
        connections = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            for _ in range(2):
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(size)
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for place in range(len(STREAM)):
                    writer.write(b"1\r\n" + STREAM[place : place + 1] + b"\r\n")
                    await writer.drain()
                    await asyncio.sleep(0)
                writer.write(b"0\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            model = a_model(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/")
            texts = ["".join([str(item) async for item in model.stream(QUESTION, 50)]) for _ in range(2)]
            await model.close()
            return texts, connections

    assert asyncio.run(asked()) == (["壶盖未合上。"] * 2, 1)


def test_a_reply_without_an_end_of_line_is_given_up() -> None:
    async def asked() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: ")
            with suppress(ConnectionError):
                while True:
                    writer.write(b"x" * 100_000)
                    await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            model = a_model(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", first=60, total=60)
            await collect(model)

    with pytest.raises(ModelUnavailable, match="not understood"):
        asyncio.run(asked())


def test_a_connection_is_not_used_by_another_event_loop() -> None:
    async def ready(model: OpenAICompatibleModel) -> str:
        return (await model.status()).state

    with scripted_model("ok") as server, asyncio.Runner() as one, asyncio.Runner() as other:
        model = a_model(server.base_url)
        states = [one.run(ready(model)), other.run(ready(model))]  # the first leaves a connection open
        text, _ = other.run(collect(model))
        one.run(model.close())
    assert (states, text) == (["ready", "ready"], "ok")
