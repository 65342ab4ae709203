"""A fresh catalogue for each test, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from app.catalogue.tables import Table
from tests.fixtures.catalogues import Catalogue, a_catalogue
from tests.fixtures.postgres import PostgresServer


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> Iterator[SecretStr]:
    """A Postgres database at the newest schema; it is emptied for each test, which is quicker than a new one."""
    with postgres.migrated() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> SecretStr | None:
    """None for a SQLite database in the test's folder, else an empty Postgres database."""
    if request.param == "sqlite":
        return None
    url: SecretStr = request.getfixturevalue("migrated")
    tables = ", ".join(Table.metadata.tables)
    with psycopg.connect(url.get_secret_value(), autocommit=True) as connection:
        connection.execute(f"TRUNCATE {tables} CASCADE".encode())
    return url


@pytest.fixture
def catalogue(tmp_path: Path, database_url: SecretStr | None) -> Iterator[Catalogue]:
    with a_catalogue(tmp_path, database_url) as opened:
        yield opened
