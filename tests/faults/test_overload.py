"""Overload and readers that leave, measured on a server in a process of its own; figures are printed (`-s`)."""

from __future__ import annotations

import asyncio
import json
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.catalogue.folder import DataFolder, RunNote
from tests.faults.server import FaultServer
from tests.fixtures.scripted_model import Fault, ScriptedModel, scripted_model
from tests.fixtures.waiting import wait_for
from tests.unit.api.conftest import MANUAL

pytestmark = pytest.mark.campaign

ASKERS, SLOTS, LINE, READERS = 200, 4, 8, 100
SAID = "E-04 means that the water tank is empty."
QUESTION = "What does E-04 mean?"
WAIT_SECONDS = 120.0

Reply = tuple[int, float]
"""A status, and the seconds until its first byte."""


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with scripted_model(SAID) as script:
        yield script


def a_server(folder: Path, model: ScriptedModel, **settings: str) -> FaultServer:
    server = FaultServer(folder, MQA_LLM_BASE_URL=model.base_url, **settings)
    server.start()
    return server


def address(server: FaultServer) -> RunNote:
    note = DataFolder(server.data).note()
    assert note is not None
    return note


def a_request(server: FaultServer, path: str, body: dict[str, object]) -> bytes:
    sent = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {address(server).token}\r\nConnection: close"
    return f"{head}\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n".encode() + sent


async def connections(server: FaultServer, count: int) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = address(server).url.removeprefix("http://").partition(":")
    return list(await asyncio.gather(*(asyncio.open_connection(host, int(port)) for _ in range(count))))


async def replied(reader: asyncio.StreamReader, began: float) -> Reply:
    line = await reader.readline()
    return int(line.split()[1]), time.monotonic() - began


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def a_base(server: FaultServer) -> str:
    base = server.base("kettle")
    job = server.upload(base, "kettle.md", MANUAL.encode())["job"]["id"]
    assert wait_for(lambda: server.get(f"/v1/jobs/{job}")["state"] == "done", WAIT_SECONDS)
    return base


def test_two_hundred_at_once_on_four_slots(tmp_path: Path, model: ScriptedModel) -> None:
    gate = threading.Event()
    model.reply = lambda _: SAID if gate.wait(WAIT_SECONDS) else ""
    server = a_server(tmp_path, model, MQA_MODEL_REQUESTS=str(SLOTS), MQA_MODEL_QUEUE=str(LINE))
    try:
        base = a_base(server)
        ask = a_request(server, f"/v1/knowledge-bases/{base}/ask", {"question": QUESTION})
        search = a_request(server, f"/v1/knowledge-bases/{base}/search", {"question": QUESTION})

        async def together() -> tuple[list[Reply], list[Reply]]:
            there = await connections(server, ASKERS)
            began = time.monotonic()
            for _, writer in there:
                writer.write(ask)
            tasks = [asyncio.create_task(replied(reader, began)) for reader, _ in there]
            while sum(task.done() for task in tasks) < ASKERS - SLOTS - LINE:  # noqa: ASYNC110 - many
                await asyncio.sleep(0.005)
            found = []
            for reader, writer in await connections(server, 50):
                writer.write(search)
                found.append(await replied(reader, time.monotonic()))
                writer.close()
            gate.set()
            answers = await asyncio.gather(*tasks)
            for _, writer in there:
                writer.close()
            return answers, found

        answers, found = asyncio.run(together())
    finally:
        gate.set()
        server.stop()
    refused = [seconds for status, seconds in answers if status == 429]
    print(  # noqa: T201 - the figure
        f"\n{ASKERS} at once: {dict(Counter(status for status, _ in answers))}; 429 after p50 "
        f"{statistics.median(refused):.3f} s, p95 {p95(refused):.3f} s, last {max(refused):.3f} s; "
        f"meanwhile search p95 {p95([seconds for _, seconds in found]):.3f} s"
    )
    assert Counter(status for status, _ in answers) == {200: SLOTS + LINE, 429: ASKERS - SLOTS - LINE}
    assert {status for status, _ in found} == {200}
    assert model.most_running == SLOTS
    assert max(refused) < 10  # on a machine that others use too; the figure is printed


def test_a_hundred_readers_leave(tmp_path: Path, model: ScriptedModel) -> None:
    model.fault = Fault.STALL_MIDWAY
    server = a_server(tmp_path, model, MQA_MODEL_REQUESTS=str(READERS))
    try:
        base = a_base(server)
        ask = a_request(server, f"/v1/knowledge-bases/{base}/ask", {"question": QUESTION, "stream": True})

        async def leave() -> float:
            there = await connections(server, READERS)
            for _, writer in there:
                writer.write(ask)
            while model.running < READERS:  # noqa: ASYNC110 - another thread
                await asyncio.sleep(0.01)
            for _, writer in there:
                writer.transport.abort()
            return time.monotonic()

        left_at = asyncio.run(leave())
        assert wait_for(lambda: model.running == 0, WAIT_SECONDS)
        seconds = time.monotonic() - left_at
        print(f"\n{READERS} readers left: the model's last request ended after {seconds:.3f} s")  # noqa: T201 - the figure
        assert seconds < 10  # less than the model's first token may take; the figure is printed
        model.fault = Fault.NONE
        assert server.call("POST", f"/v1/knowledge-bases/{base}/ask", json={"question": QUESTION}).status_code == 200
    finally:
        server.stop()
