"""A client that breaks off an upload leaves nothing behind."""

from __future__ import annotations

import json
import socket
import time

import pytest

from tests.fixtures.scripted_model import Fault
from tests.unit.api.conftest import Api

BUSY_SECONDS = 60
"""A second on a quiet machine."""


def test_an_upload_that_breaks_off_leaves_nothing(api: Api, address: tuple[str, int]) -> None:
    base = api.base("broken off")
    folder = api.services.files._folder
    before = sorted(folder.rglob("*"))
    request = (
        f"POST /v1/knowledge-bases/{base}/documents?name=a.txt HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {api.secret}\r\nContent-Length: 1000000\r\n\r\n"
    )
    with socket.create_connection(address) as connection:
        connection.sendall(request.encode() + b"x" * 500_000)
        deadline = time.monotonic() + 60
        while sorted(folder.rglob("*")) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sorted(folder.rglob("*")) != before
    deadline = time.monotonic() + 60
    while sorted(folder.rglob("*")) != before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sorted(folder.rglob("*")) == before
    assert api.client.get(f"/v1/knowledge-bases/{base}/documents").json()["documents"] == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_the_models_request(
    api: Api, kettle: str, address: tuple[str, int], stream: bool
) -> None:
    api.model_says("E-04 means that the water tank is empty.", Fault.STALL_MIDWAY)
    api.model.gone.clear()
    before = len(api.model.requests)
    body = json.dumps({"question": "What does E-04 mean?", "stream": stream})
    request = (
        f"POST /v1/knowledge-bases/{kettle}/ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {api.secret}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    with socket.create_connection(address) as connection:
        connection.sendall(request.encode())
        deadline = time.monotonic() + 60
        while len(api.model.requests) == before and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(api.model.requests) == before + 1
    assert api.model.gone.wait(BUSY_SECONDS)
