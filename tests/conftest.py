"""Fixtures that every kind of test shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

from tests.fixtures.postgres import PostgresServer, a_postgres

if TYPE_CHECKING:
    from tests.fixtures.milvus_servers import MilvusLite

settings.register_profile("shared machine", deadline=None, derandomize=True)  # a busy core is no failure
settings.load_profile("shared machine")
structlog.configure(
    [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),  # in colour it takes seconds
    ]
)

_LONGEST = ("tests/faults", "tests/unit/finetune", "tests/deploy", "tests/fuzz", "tests/unit/cli", "tests/contract")
"""Folders with files of a minute or so: begun first, so that no worker is left with one when the others are done."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign", action="store_true", help="run what takes minutes too, and the whole of the fuzzing")
    parser.addoption("--mutants", type=int, help="how many damaged PDFs to read (40, in a campaign 1,000)")
    parser.addoption("--mutation-seed", type=int, default=20_261, help="which damaged PDFs these are")
    parser.addoption("--cases", type=int, help="how many requests to the API to make up (some, in a campaign 12,000)")
    parser.addoption("--api-seed", type=int, default=20_261, help="which requests these are")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is marked `campaign`, unless it was asked for; what takes long comes first."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))
    if config.getoption("--campaign"):
        return
    left_out = [item for item in items if item.get_closest_marker("campaign")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("campaign")]


@pytest.fixture(scope="session")
def real_manuals() -> Path:
    """The folder of real manuals and labelled questions beside the checkout; without it the test is left out."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not (folder / "pdf").is_dir():
        pytest.skip(f"left out: the real manuals are not beside the checkout ({folder})")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running Postgres server; where it is not installed the test is left out."""
    with a_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def milvus_lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusLite]:
    """A running milvus-lite server; each test has a database of its own there."""
    from tests.fixtures.milvus_servers import MilvusLite  # noqa: PLC0415 - a second, which most tests need not wait

    server = MilvusLite(tmp_path_factory.mktemp("milvus-lite"))
    server.start()
    yield server
    server.stop()
