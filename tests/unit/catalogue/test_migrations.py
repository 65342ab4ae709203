"""A catalogue of the first schema, with rows in every state, brought to this version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text

import app.catalogue.database as database
from app.catalogue.tables import Table
from app.types import DocumentState, GenerationState, JobState, Page
from tests.fixtures.catalogues import FINGERPRINT, Catalogue, a_catalogue, a_hash
from tests.fixtures.postgres import PostgresServer

MOMENT = "2025-03-01 10:00:00.000000"
STATES = ("ready", "failed", "processing", "queued", "deleting")
INDEX = "kb-1-g1"


Old = tuple[Path, SecretStr | None]


@pytest.fixture(params=["sqlite", "postgres"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Old]:
    """Where a database of the first schema is: a folder and, for Postgres, a URL."""
    if request.param == "sqlite":
        first_schema(create_engine(f"sqlite:///{tmp_path / 'catalogue.sqlite'}"))
        yield tmp_path, None
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database() as url:
        address = make_url(url.get_secret_value()).set(drivername="postgresql+psycopg")
        first_schema(create_engine(address))
        yield tmp_path, url


def first_schema(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        fill(connection)
    engine.dispose()


def fill(connection: Connection) -> None:
    def insert(table: str, **values: object) -> None:
        columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
        connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({places})"), values)  # noqa: S608

    settings = '{"threshold": 0.5, "language": null}'
    built_with = json.dumps(FINGERPRINT.as_dict())
    base = {"id": "kb-1", "name": "手册", "index_id": INDEX, "fingerprint": built_with, "settings": settings}
    insert("knowledge_bases", **base, deleting=False, created_at=MOMENT)
    for state in STATES:
        ended = MOMENT if state in ("ready", "failed") else None
        code, params = ("no_text", '{"name": "failed.pdf"}') if state == "failed" else (None, "{}")
        known = {"name": f"{state}.pdf", "media_type": "application/pdf", "sha256": a_hash(state), "bytes": 10}
        found = {"state": state, "pages": 2, "chunks": 2 if state == "ready" else None, "outline": "[]"}
        fault = {"error_code": code, "error_params": params}
        moments = {"created_at": MOMENT, "ready_at": ended}
        insert("documents", id=f"doc-{state}", knowledge_base_id="kb-1", **known, **found, **fault, **moments)
        counts = {"pages_done": 2, "pages_total": 2, "chunks_done": 1, "chunks_total": 2}
        times = {"created_at": MOMENT, "started_at": MOMENT, "ended_at": ended}
        insert("jobs", id=f"job-{state}", document_id=f"doc-{state}", stage="embedding", **counts, **times)
        for number in (1, 2):
            insert("pages", document_id=f"doc-{state}", number=number, text=f"page {number}")
            place = {"id": f"doc-{state}-{number:06d}", "document_id": f"doc-{state}", "ordinal": number - 1}
            content = {"text": f"page {number}", "start": 0, "page_starts": "[[0, 1]]", "heading_path": '["Safety"]'}
            insert("chunks", **place, **content)
    insert("api_keys", id="key-1", name="robot", role="reader", sha256=a_hash("k"), created_at=MOMENT)


@pytest.fixture
def upgraded(old: Old) -> Iterator[Catalogue]:
    with a_catalogue(*old) as catalogue:
        yield catalogue


def test_nothing_is_lost(upgraded: Catalogue) -> None:
    [base] = upgraded.bases.all()
    assert (base.name, base.fingerprint, base.index_id, base.settings.threshold) == ("手册", FINGERPRINT, INDEX, 0.5)
    found = {document.id: document.state for document in upgraded.documents.all("kb-1", 10, 0)}
    assert found == {f"doc-{state}": DocumentState(state) for state in STATES if state != "deleting"}
    assert upgraded.documents.hidden() == ["doc-deleting"]
    for state in STATES:
        assert upgraded.contents.parsed(f"doc-{state}").pages == (Page(1, "page 1"), Page(2, "page 2"))
        chunks = upgraded.contents.chunks(f"doc-{state}", INDEX)
        assert [(chunk.text, chunk.page_starts, chunk.heading_path) for chunk in chunks] == [
            ("page 1", ((0, 1),), ("Safety",)),
            ("page 2", ((0, 1),), ("Safety",)),
        ]
    with upgraded.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT name, role FROM api_keys").all() == [("robot", "reader")]


def test_foreign_keys_hold_and_no_old_table_stays(upgraded: Catalogue) -> None:
    with upgraded.engine.connect() as connection:
        if upgraded.engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        tables = inspect(connection).get_table_names()
        assert set(tables) == {*Table.metadata.tables, "alembic_version"}


def test_what_was_searchable_is_so_and_nothing_else(upgraded: Catalogue) -> None:
    [base] = upgraded.bases.all()
    assert upgraded.searchable(base) == {"doc-ready"}
    with upgraded.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT document_id, index_id, chunks FROM placements").all()
    assert rows == [("doc-ready", INDEX, 2)]
    [generation] = upgraded.generations.all()
    assert (generation.index_id, generation.number, generation.state) == (INDEX, 1, GenerationState.LIVE)
    assert generation.fingerprint == FINGERPRINT


def test_jobs_have_the_states_of_their_documents(upgraded: Catalogue) -> None:
    expected = {
        "ready": JobState.DONE,
        "failed": JobState.FAILED,
        "processing": JobState.RUNNING,
        "queued": JobState.QUEUED,
    }
    for state, job_state in expected.items():
        job = upgraded.jobs.get(f"job-{state}")
        assert (job.state, job.knowledge_base_id, job.pages_done) == (job_state, "kb-1", 2)
    assert upgraded.jobs.get("job-failed").error_code == "no_text"
    assert {job.id for job in upgraded.jobs.unfinished()} == {"job-processing", "job-queued"}
    assert upgraded.documents.without_job() == []


def test_life_goes_on_after_the_upgrade(upgraded: Catalogue) -> None:
    [base] = upgraded.bases.all()
    assert upgraded.jobs.begin("job-processing") == 1
    assert upgraded.documents.publish("doc-processing", "job-processing", INDEX, 2).done
    assert upgraded.searchable(base) == {"doc-ready", "doc-processing"}
    new_job, is_new = upgraded.documents.retry("doc-failed")
    assert is_new
    assert upgraded.jobs.get(new_job).state is JobState.QUEUED
    generation, job = upgraded.generations.start("kb-1", FINGERPRINT)
    assert generation.number == 2
    assert set(upgraded.generations.waiting(generation.index_id, job, 10)) == {"doc-ready", "doc-processing"}
    upgraded.documents.forget("doc-deleting")
    assert upgraded.contents.chunks("doc-deleting", INDEX) == []
