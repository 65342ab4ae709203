"""The steps of ingestion on real stores: each can be repeated, and nothing stale stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import GaveUp, JobCancelled, NoText
from app.types import DocumentState, JobState
from tests.fixtures.workshops import Workshop, a_manual, a_workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with a_workshop(tmp_path) as opened:
        yield opened


def test_every_step_twice_ends_in_the_state_of_once(workshop: Workshop) -> None:
    once, twice = workshop.base("once"), workshop.base("twice")
    text = a_manual(70)
    first, second = workshop.upload(once, text), workshop.upload(twice, text)
    assert workshop.ingest(first).done
    assert workshop.ingest(second, times=2).done
    parsed, chunks, vectors, keywords = workshop.state(first, once.index_id)
    parsed_again, chunks_again, vectors_again, keywords_again = workshop.state(second, twice.index_id)
    assert parsed == parsed_again
    assert isinstance(chunks, list)
    assert isinstance(chunks_again, list)
    assert len(chunks) > 64  # more than one window
    assert [(chunk.ordinal, chunk.text) for chunk in chunks] == [(chunk.ordinal, chunk.text) for chunk in chunks_again]
    assert vectors == keywords == {chunk.id for chunk in chunks}
    assert vectors_again == keywords_again == {chunk.id for chunk in chunks_again}


def test_a_published_document_is_not_published_again(workshop: Workshop) -> None:
    base = workshop.base()
    one = workshop.ready(base, a_manual(2))
    before = workshop.state(one, base.index_id)
    with pytest.raises(JobCancelled):
        workshop.pipeline.publish(one.document, one.job, base.index_id)
    workshop.pipeline.clear(one.document)
    assert workshop.state(one, base.index_id) == before
    assert workshop.catalogue.searchable(base) == {one.document}


def test_chunks_of_other_sizes_leave_no_stale_vectors(workshop: Workshop) -> None:
    base = workshop.base(chunk_size=200, chunk_overlap=20)
    one = workshop.upload(base, a_manual(6))
    args = (one.document, one.job)
    workshop.pipeline.read(*args, 1)
    index_id, many = workshop.pipeline.chunk(*args)
    workshop.pipeline.embed(*args, index_id, 0)
    document, generation = workshop.stores.documents.for_work(*args)
    other = replace(generation, fingerprint=replace(generation.fingerprint, chunk_size=900))
    few = workshop.indexing.chunk(document, other)
    assert few < many
    assert workshop.stores.vectors.ids(index_id) == set(workshop.stores.contents.chunk_ids(one.document, index_id))
    assert len(workshop.stores.vectors.ids(index_id)) == few


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_cancelled_document_goes_no_further_and_leaves_its_file_only(workshop: Workshop, steps: int) -> None:
    base = workshop.base()
    one = workshop.upload(base, a_manual(3))
    args, index_id = (one.document, one.job), base.index_id
    runs = [
        lambda: workshop.pipeline.read(*args, 1),
        lambda: workshop.pipeline.settle(*args),
        lambda: workshop.pipeline.chunk(*args),
        lambda: workshop.pipeline.embed(*args, index_id, 0),
        lambda: workshop.pipeline.publish(*args, index_id),
    ]
    for run in runs[:steps]:
        run()
    workshop.stores.documents.cancel(*args)
    for run in runs:
        with pytest.raises(JobCancelled):
            run()
    for _ in range(2):
        workshop.pipeline.clear(one.document)
    parsed, chunks, vectors, keywords = workshop.state(one, index_id)
    assert (parsed.pages, chunks, vectors, keywords) == ((), [], set(), set())  # type: ignore[attr-defined]
    assert workshop.stores.files.blobs.path(workshop.stores.documents.get(base.id, one.document).sha256).is_file()
    job_id, _ = workshop.stores.documents.retry(one.document)
    assert workshop.ingest(replace(one, job=job_id)).done


def test_a_document_without_text_fails_with_its_name(workshop: Workshop) -> None:
    base = workshop.base()
    one = workshop.upload(base, "--- \n", "blank.md")
    with pytest.raises(NoText) as caught:
        workshop.ingest(one)
    assert caught.value.params["name"] == "blank.md"
    workshop.pipeline.fail(one.document, one.job, caught.value)
    document, job = workshop.stores.documents.get(base.id, one.document), workshop.stores.jobs.get(one.job)
    assert (document.state, document.error_code) == (DocumentState.FAILED, "no_text")
    assert (job.state, job.error_code) == (JobState.FAILED, "no_text")


def test_giving_up_says_how_often(workshop: Workshop) -> None:
    base = workshop.base()
    one = workshop.upload(base, a_manual(1))
    workshop.pipeline.fail(one.document, one.job, GaveUp(name="manual.md", times=5))
    found = workshop.stores.documents.get(base.id, one.document)
    assert (found.error_code, found.error_params) == (GaveUp.code(), {"name": "manual.md", "times": 5})


def test_a_new_version_goes_through_and_the_purge_leaves_nothing_of_the_old(workshop: Workshop) -> None:
    base = workshop.base()
    old = workshop.ready(base, a_manual(3, "pump"))
    old_file = workshop.stores.documents.get(base.id, old.document).sha256
    new = workshop.upload(base, a_manual(2, "lamp"))
    assert workshop.catalogue.searchable(base) == {old.document}
    assert workshop.ingest(new).hidden == (old.document,)
    for _ in range(2):
        workshop.purging.purge(old.document)
    chunk_ids = set(workshop.stores.contents.chunk_ids(new.document, base.index_id))
    assert workshop.stores.vectors.ids(base.index_id) == workshop.stores.keywords.ids(base.index_id) == chunk_ids
    assert not workshop.stores.files.blobs.path(old_file).exists()
    assert workshop.catalogue.searchable(base) == {new.document}


def test_a_purged_knowledge_base_leaves_nothing(workshop: Workshop) -> None:
    base, other = workshop.base("one"), workshop.base("other")
    one, kept = workshop.ready(base, a_manual(2)), workshop.ready(other, a_manual(2))
    workshop.stores.bases.hide(base.id)
    for _ in range(2):
        workshop.purging.purge_base(base.id)
    assert workshop.stores.vectors.indexes() == workshop.stores.keywords.indexes() == {other.index_id}
    assert workshop.stores.bases.hidden() == workshop.stores.documents.hidden() == []
    assert workshop.stores.contents.chunk_ids(one.document, base.index_id) == []
    sha256 = workshop.stores.documents.get(other.id, kept.document).sha256
    assert workshop.stores.files.blobs.path(sha256).is_file()  # the same bytes are in use there
