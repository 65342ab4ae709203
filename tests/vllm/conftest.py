"""One vLLM for all tests of this folder; `make test-vllm` runs them."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.fixtures.vllm_server import VllmServer

_LOG_LINES = 60


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    server = VllmServer(tmp_path_factory.mktemp("vllm"))
    try:
        print(f"\nvLLM is up after {server.start():.0f} s")  # noqa: T201 - told once, for the log of a run
        yield server
    finally:
        server.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Puts the end of vLLM's log beside a test that fails."""
    report = yield
    server = getattr(item, "funcargs", {}).get("vllm")
    if report.failed and isinstance(server, VllmServer):
        lines = server.log.read_text(errors="replace").splitlines()
        report.sections.append(("the end of vLLM's log", "\n".join(lines[-_LOG_LINES:])))
    return report
