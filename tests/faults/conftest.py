"""Several processes on one Postgres, ended with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.postgres import PostgresServer
from tests.fixtures.processes import Company, a_company


@pytest.fixture
def company(tmp_path: Path, postgres: PostgresServer) -> Iterator[Company]:
    with a_company(tmp_path, postgres) as made:
        yield made
