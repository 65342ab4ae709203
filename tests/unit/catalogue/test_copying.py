"""Every table and every column of the catalogue comes to another database as it was, whatever is there already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import JSON, Boolean, Column, Engine, Float, Integer, Table, delete, insert, null, select, update

from app.catalogue.copying import LEFT_OUT, TABLES, RowCopy, columns_that_overflow, has_content
from app.catalogue.database import Sessions, open_database
from app.catalogue.moves import begin_move, end_move, require_whole, source_of_move
from app.catalogue.tables import Table as CatalogueTable
from app.catalogue.tables import UtcDateTime
from app.errors import MoveUnfinished
from tests.fixtures.postgres import PostgresServer

ROWS = 3
MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789_012, tzinfo=UTC)
TRICKY = "Ventil „Ü\\u0000“ 阀门 'quoted' \\ %s :name 𝄞"


def value_of(table: Table, column: Column[Any], number: int) -> Any:  # noqa: ANN401 - a value for any column
    """Something for a column that tells it and its row from all others; in the last row nothing, where it may be so."""
    if column.nullable and number == ROWS - 1:
        return None
    if column.foreign_keys:
        (key,) = column.foreign_keys
        return value_of(key.column.table, key.column, number)
    if isinstance(column.type, JSON):
        return {"of": column.name, "n": [number, None, 0.1, TRICKY]} if number else JSON.NULL
    if isinstance(column.type, UtcDateTime):
        return MOMENT + timedelta(microseconds=number)
    if isinstance(column.type, Boolean):
        return bool(number % 2)
    if isinstance(column.type, Integer):
        return 2**31 - 1 - number
    if isinstance(column.type, Float):
        return 0.1 + number
    text = f"{table.name[:4]}-{column.name[:6]}-{number}"
    length = getattr(column.type, "length", None)
    return text[-length:] if length is not None else f"{text} {TRICKY} " * 50


def fill(engine: Engine) -> None:
    """Some rows in every table, with every column filled and, in one row, empty where it may be."""
    with engine.begin() as connection:
        for table in CatalogueTable.metadata.sorted_tables:
            for number in range(ROWS):
                row = {one.name: value_of(table, one, number) for one in table.columns}
                connection.execute(insert(table), [{k: _given(table, k, v) for k, v in row.items()}])


def _given(table: Table, name: str, value: Any) -> Any:  # noqa: ANN401
    return null() if value is None and isinstance(table.columns[name].type, JSON) else value


def dump(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every copied table, with whether each column is NULL to the database."""
    with engine.connect() as connection:
        return {
            table.name: sorted(
                (
                    tuple(row)
                    for row in connection.execute(
                        select(*table.columns, *(column.is_(null()) for column in table.columns))
                    )
                ),
                key=repr,
            )
            for table in TABLES
        }


@contextmanager
def a_database(folder: Path, url: SecretStr | None = None) -> Iterator[Engine]:
    engine = open_database(folder, url)
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Engine]:
    with a_database(tmp_path / "source") as engine:
        fill(engine)
        yield engine


@pytest.fixture
def target(tmp_path: Path, database_url: SecretStr | None) -> Iterator[Engine]:
    with a_database(tmp_path / "target", database_url) as engine:
        yield engine


def copy(source: Engine, target: Engine) -> tuple[int, int]:
    """Copies; how often progress was told of rows, and how often that texts change."""
    rows, changes = [0], [0]

    def progress(more: int) -> None:
        rows[0] += more

    def change() -> None:
        changes[0] += 1

    RowCopy(Sessions(source), Sessions(target), change).run(progress)
    return rows[0], changes[0]


def differences(source: Engine, target: Engine) -> list[tuple[str, int, int, int]]:
    rows = RowCopy(Sessions(source), Sessions(target), lambda: None)
    found = [rows.facts(table, lambda _: None) for table in TABLES]
    return [(one.name, one.source, one.target, one.different) for one in found if one.different]


def test_every_table_is_copied_or_left_out_on_purpose() -> None:
    copied = {table.name for table in TABLES}
    assert copied | LEFT_OUT == set(CatalogueTable.metadata.tables)
    assert not copied & LEFT_OUT
    seen: set[str] = set()
    for table in TABLES:
        assert {key.column.table.name for key in table.foreign_keys} <= seen | {table.name}
        seen.add(table.name)


def test_every_column_comes_there_and_back_as_it_was(source: Engine, target: Engine, tmp_path: Path) -> None:
    assert copy(source, target) == (ROWS * len(TABLES), 0)
    assert differences(source, target) == []
    with a_database(tmp_path / "back") as back:
        copy(target, back)
        assert dump(back) == dump(target)
        expected = dump(source)
        for table, column in (("evaluations", "claimed_by"), ("finetune_jobs", "claimed_by"), ("turns", "process_id")):
            place = [one.name for one in CatalogueTable.metadata.tables[table].columns].index(column)
            assert {row[place] for row in dump(back)[table]} == {None}, column
            with source.begin() as connection:
                connection.execute(update(CatalogueTable.metadata.tables[table]).values({column: None}))
        expected = dump(source)
        assert dump(back) == expected


def test_what_was_there_of_an_earlier_try_is_brought_up_to_date(source: Engine, target: Engine) -> None:
    copy(source, target)
    tables = CatalogueTable.metadata.tables
    with source.begin() as connection:  # the source went on, between two tries
        connection.execute(delete(tables["api_keys"]).where(tables["api_keys"].c.id.like("%-0")))
        connection.execute(update(tables["knowledge_bases"]).values(settings={"threshold": 0.5}))
        connection.execute(update(tables["turns"]).values(answer="another"))
    changed = {name: (here, there, wrong) for name, here, there, wrong in differences(source, target)}
    assert changed == {
        "api_keys": (ROWS - 1, ROWS, 1),
        "key_scopes": (ROWS - 1, ROWS, 1),
        "key_days": (ROWS - 1, ROWS, 1),
        "knowledge_bases": (ROWS, ROWS, ROWS),
        "turns": (ROWS, ROWS, ROWS),
    }
    assert copy(source, target)[1] == 0
    assert differences(source, target) == []
    with source.begin() as connection:
        connection.execute(update(tables["chunks"]).values(text="another text"))
        connection.execute(delete(tables["documents"]).where(tables["documents"].c.id.like("%-1")))
    assert copy(source, target)[1] >= 1
    assert differences(source, target) == []


def test_an_open_job_waits_again_and_an_ended_one_stays(source: Engine, target: Engine) -> None:
    jobs = CatalogueTable.metadata.tables["jobs"]
    with source.begin() as connection:
        connection.execute(update(jobs).values(state="failed"))
        connection.execute(update(jobs).where(jobs.c.id == "jobs-id-0").values(state="running", stage="embedding"))
    copy(source, target)
    assert differences(source, target) == []
    with target.connect() as connection:
        found = {row.id: row for row in connection.execute(select(jobs))}
    waiting = found.pop("jobs-id-0")
    assert (waiting.state, waiting.stage, waiting.steps_at_start, waiting.attempts) == ("queued", "waiting", -1, 0)
    assert {row.state for row in found.values()} == {"failed"}


def test_a_nul_which_postgres_does_not_keep_is_no_difference(source: Engine, target: Engine) -> None:
    pages = CatalogueTable.metadata.tables["pages"]
    with source.begin() as connection:
        connection.execute(update(pages).values(text="a\0b"))
    copy(source, target)
    assert differences(source, target) == []


def test_what_postgres_would_refuse_is_named(source: Engine) -> None:
    assert columns_that_overflow(Sessions(source)) == []
    tables = CatalogueTable.metadata.tables
    with source.begin() as connection:
        connection.execute(update(tables["documents"]).values(bytes=2**31))
        connection.execute(update(tables["turns"]).values(verdict="far too long a verdict"))
    assert set(columns_that_overflow(Sessions(source))) == {"documents.bytes", "turns.verdict"}


def test_a_fresh_server_s_own_rows_are_no_content(target: Engine) -> None:
    assert not has_content(Sessions(target))
    tables = CatalogueTable.metadata.tables
    with target.begin() as connection:
        for name in ("api_keys", "audit", "web_sessions", "processes"):
            row = {one.name: value_of(tables[name], one, 1) for one in tables[name].columns}
            connection.execute(insert(tables[name]), [row])
    assert not has_content(Sessions(target))
    with target.begin() as connection:
        row = {one.name: value_of(tables["adapters"], one, 1) for one in tables["adapters"].columns}
        connection.execute(insert(tables["adapters"]), [row])
    assert has_content(Sessions(target))


def test_the_mark_of_an_unfinished_move(tmp_path: Path, postgres: PostgresServer) -> None:
    with postgres.database() as url:
        for folder, address in ((tmp_path, None), (tmp_path, url)):
            with a_database(folder, address) as engine:
                assert source_of_move(engine) is None
                require_whole(engine)
                for place in ("here", "there"):
                    begin_move(engine, place)
                    assert source_of_move(engine) == place
                with pytest.raises(MoveUnfinished):
                    require_whole(engine)
                end_move(engine)
                end_move(engine)
                require_whole(engine)
