"""The catalogue: one document per bytes, hidden means gone, every read is inside its knowledge base."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import text

from app.catalogue import database
from app.catalogue.database import open_database
from app.catalogue.keys import Role
from app.catalogue.records import KnowledgeBaseSettings
from app.catalogue.tables import Table
from app.errors import (
    DocumentNotFound,
    InvalidName,
    JobCancelled,
    JobNotFound,
    KeyInvalid,
    KnowledgeBaseNotFound,
    MigrationFailed,
    NameTaken,
)
from app.types import DocumentState, Heading, JobState, Page, Stage
from tests.fixtures.catalogues import FINGERPRINT, ROOM, Catalogue, a_chunk, a_file, a_hash
from tests.fixtures.postgres import PASSWORD


def test_what_is_stored_comes_back(catalogue: Catalogue) -> None:
    base = catalogue.base()
    document_id = catalogue.ready(base).document
    assert catalogue.contents.parsed(document_id).pages == (Page(1, "one"), Page(2, "two"))
    assert catalogue.contents.parsed(document_id).outline == (Heading(1, "Safety", 1, 0),)
    assert catalogue.contents.chunks(document_id, base.index_id) == [a_chunk(document_id)]
    found = catalogue.bases.get(base.id)
    assert (found.documents, found.ready, found.pages, found.fingerprint) == (1, 1, 2, FINGERPRINT)


def test_same_bytes_are_one_document_however_many_ask(catalogue: Catalogue) -> None:
    base = catalogue.base()
    barrier = threading.Barrier(10)

    def add(_: int) -> tuple[str, str, bool]:
        barrier.wait()
        document, job_id, created = catalogue.documents.add(base.id, a_file(), ROOM)
        return document.id, job_id, created

    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(add, range(10)))
    assert len({document for document, _, _ in results}) == 1
    assert len({job for _, job, _ in results}) == 1
    assert sum(created for _, _, created in results) == 1


def test_same_bytes_in_two_knowledge_bases_are_two_documents(catalogue: Catalogue) -> None:
    one, other = catalogue.base("one"), catalogue.base("other")
    first, _, _ = catalogue.documents.add(one.id, a_file(), ROOM)
    second, _, created = catalogue.documents.add(other.id, a_file(), ROOM)
    assert created
    assert first.id != second.id


def test_a_failed_document_is_queued_again_by_a_new_upload(catalogue: Catalogue) -> None:
    base = catalogue.base()
    one = catalogue.queued(base)
    catalogue.documents.fail(one.document, one.job, "needs_ocr", {"name": "manual.pdf"})
    failed = catalogue.jobs.get(one.job)
    assert (failed.state, failed.error_code, failed.ended_at is None) == (JobState.FAILED, "needs_ocr", False)
    again, second, created = catalogue.documents.add(base.id, a_file(), ROOM)
    assert (again.id, created, again.state) == (one.document, True, DocumentState.QUEUED)
    assert again.error_code is None
    assert [(job.document_id, job.id) for job in catalogue.jobs.unfinished()] == [(one.document, second)]
    assert second != one.job


def test_only_ready_documents_are_visible_and_only_in_their_base(catalogue: Catalogue) -> None:
    base, other = catalogue.base("one"), catalogue.base("other")
    document_id = catalogue.ready(base).document
    chunk_id, index_id = a_chunk(document_id).id, base.index_id
    assert set(catalogue.contents.visible_chunks(base.id, index_id, [chunk_id, "none"])) == {chunk_id}
    assert catalogue.contents.visible_chunks(other.id, index_id, [chunk_id]) == {}
    assert catalogue.contents.visible_chunks(base.id, other.index_id, [chunk_id]) == {}
    on_its_way = catalogue.processing(base, a_file("b", "other.pdf"))
    assert catalogue.contents.visible_chunks(base.id, index_id, [a_chunk(on_its_way.document).id]) == {}


def test_hidden_is_gone_at_once_and_forgotten_later(catalogue: Catalogue) -> None:
    base = catalogue.base()
    one = catalogue.ready(base)
    document_id = one.document
    catalogue.documents.hide(base.id, document_id)
    assert catalogue.contents.visible_chunks(base.id, base.index_id, [a_chunk(document_id).id]) == {}
    with pytest.raises(JobNotFound):
        catalogue.jobs.get(one.job)
    with pytest.raises(DocumentNotFound):
        catalogue.documents.get(base.id, document_id)
    assert catalogue.documents.hidden() == [document_id]
    fresh, _, created = catalogue.documents.add(base.id, a_file(), ROOM)
    assert created
    assert fresh.id != document_id
    catalogue.documents.forget(document_id)
    assert catalogue.documents.hidden() == []
    assert catalogue.contents.chunks(document_id, base.index_id) == []
    assert catalogue.documents.uses(a_hash())


def test_a_deleted_document_is_not_published(catalogue: Catalogue) -> None:
    base = catalogue.base()
    one = catalogue.processing(base)
    catalogue.documents.hide(base.id, one.document)
    with pytest.raises(JobCancelled):
        catalogue.publish(base, one)
    assert catalogue.searchable(base) == set()


def test_a_document_is_not_found_through_another_base(catalogue: Catalogue) -> None:
    base, other = catalogue.base("one"), catalogue.base("other")
    document_id = catalogue.ready(base).document
    with pytest.raises(DocumentNotFound):
        catalogue.documents.get(other.id, document_id)
    with pytest.raises(DocumentNotFound):
        catalogue.documents.hide(other.id, document_id)
    assert catalogue.documents.get(base.id, document_id).state is DocumentState.READY


def test_a_deleted_base_frees_its_name(catalogue: Catalogue) -> None:
    base = catalogue.base()
    document_id = catalogue.ready(base).document
    assert catalogue.bases.hide(base.id) == [document_id]
    with pytest.raises(KnowledgeBaseNotFound):
        catalogue.bases.get(base.id)
    with pytest.raises(KnowledgeBaseNotFound):
        catalogue.documents.add(base.id, a_file("c"), ROOM)
    assert catalogue.base().id != base.id
    assert catalogue.bases.hidden() == [base.id]
    assert catalogue.bases.hidden_contents(base.id) == ([document_id], [base.index_id])


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "a\nb", "a\u202eb"])
def test_bad_names_are_refused(catalogue: Catalogue, name: str) -> None:
    with pytest.raises(InvalidName):
        catalogue.base(name)


def test_a_taken_name_is_refused(catalogue: Catalogue) -> None:
    catalogue.base("咖啡机")
    with pytest.raises(NameTaken, match="咖啡机"):
        catalogue.base(" 咖啡机 ")


def test_settings_change_and_stay(catalogue: Catalogue) -> None:
    base = catalogue.base()
    catalogue.bases.change(base.id, "renamed", KnowledgeBaseSettings(threshold=0.8, language="zh"))
    found = catalogue.bases.get(base.id)
    assert (found.name, found.settings.threshold, found.settings.language) == ("renamed", 0.8, "zh")


def test_progress_is_seen(catalogue: Catalogue) -> None:
    base = catalogue.base()
    one = catalogue.queued(base)
    catalogue.jobs.begin(one.job)
    catalogue.jobs.stage(one.job, Stage.PARSING)
    catalogue.jobs.progress(one.job, pages_done=3, pages_total=9)
    seen = catalogue.jobs.get(one.job)
    assert (seen.stage, seen.pages_done, seen.pages_total, seen.ended_at) == (Stage.PARSING, 3, 9, None)


def test_keys_are_kept_as_hashes_and_end_when_revoked(catalogue: Catalogue, tmp_path: Path) -> None:
    key, secret = catalogue.keys.create("robot", Role.READER)
    assert catalogue.keys.find(secret).id == key.id
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    with pytest.raises(KeyInvalid):
        catalogue.keys.find(secret + "x")
    catalogue.keys.revoke(key.id)
    with pytest.raises(KeyInvalid):
        catalogue.keys.find(secret)


def test_roles_cover_the_ones_below() -> None:
    assert Role.ADMIN.covers(Role.EDITOR)
    assert Role.EDITOR.covers(Role.EDITOR)
    assert not Role.READER.covers(Role.EDITOR)


def test_a_catalogue_of_a_newer_version_is_left_alone(tmp_path: Path, database_url: SecretStr | None) -> None:
    engine = open_database(tmp_path, database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(MigrationFailed) as refused:
        open_database(tmp_path, database_url)
    assert PASSWORD not in str(refused.value) + str(refused.value.detail)
    with engine.begin() as connection:  # the next test has the same Postgres database
        newest = ScriptDirectory(str(Path(database.__file__).parent / "migrations")).get_current_head()
        connection.execute(text("UPDATE alembic_version SET version_num = :newest"), {"newest": newest})
    engine.dispose()


def test_the_migrations_make_the_tables_of_the_code(catalogue: Catalogue) -> None:
    with catalogue.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
