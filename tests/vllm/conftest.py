"""One vLLM for all tests of this folder; `make test-vllm` runs them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.vllm_server import VllmServer


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    server = VllmServer(tmp_path_factory.mktemp("vllm"))
    try:
        print(f"\nvLLM is up after {server.start():.0f} s")  # noqa: T201 - told once, for the log of a run
        yield server
    finally:
        server.stop()
