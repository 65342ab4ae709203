"""A catalogue of the first schema, with rows in every state, brought to this version."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

import app.catalogue.database as database
from app.types import DocumentState, GenerationState, JobState, Page
from tests.fixtures.catalogues import FINGERPRINT, Catalogue, a_catalogue, a_hash

MOMENT = "2025-03-01 10:00:00.000000"
STATES = ("ready", "failed", "processing", "queued", "deleting")
INDEX = "kb-1-g1"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder with a database of the first schema."""
    engine = create_engine(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    connection = sqlite3.connect(tmp_path / "catalogue.sqlite")
    with connection:
        fill(connection)
    connection.close()
    return tmp_path


def fill(connection: sqlite3.Connection) -> None:
    built_with = json.dumps(FINGERPRINT.as_dict())
    connection.execute(
        "INSERT INTO knowledge_bases (id, name, index_id, fingerprint, settings, deleting, created_at) "
        "VALUES ('kb-1', '手册', ?, ?, '{\"threshold\": 0.5, \"language\": null}', 0, ?)",
        (INDEX, built_with, MOMENT),
    )
    for state in STATES:
        ended = MOMENT if state in ("ready", "failed") else None
        error = ("no_text", '{"name": "failed.pdf"}') if state == "failed" else (None, "{}")
        chunks = 2 if state == "ready" else None
        connection.execute(
            "INSERT INTO documents (id, knowledge_base_id, name, media_type, sha256, bytes, state, pages, chunks, "
            "outline, error_code, error_params, created_at, ready_at) VALUES "
            "(?, 'kb-1', ?, 'application/pdf', ?, 10, ?, 2, ?, '[]', ?, ?, ?, ?)",
            (f"doc-{state}", f"{state}.pdf", a_hash(state), state, chunks, *error, MOMENT, ended),
        )
        connection.execute(
            "INSERT INTO jobs (id, document_id, stage, pages_done, pages_total, chunks_done, chunks_total, created_at, "
            "started_at, ended_at) VALUES (?, ?, 'embedding', 2, 2, 1, 2, ?, ?, ?)",
            (f"job-{state}", f"doc-{state}", MOMENT, MOMENT, ended),
        )
        for number in (1, 2):
            connection.execute("INSERT INTO pages VALUES (?, ?, ?)", (f"doc-{state}", number, f"page {number}"))
            connection.execute(
                "INSERT INTO chunks VALUES (?, ?, ?, ?, 0, '[[0, 1]]', '[\"Safety\"]')",
                (f"doc-{state}-{number:06d}", f"doc-{state}", number - 1, f"page {number}"),
            )
    connection.execute("INSERT INTO api_keys VALUES ('key-1', 'robot', 'reader', ?, ?, NULL)", (a_hash("k"), MOMENT))


@pytest.fixture
def upgraded(old: Path) -> Iterator[Catalogue]:
    with a_catalogue(old) as catalogue:
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
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars()
        assert not [name for name in tables if name.startswith(("old_", "_alembic"))]


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
