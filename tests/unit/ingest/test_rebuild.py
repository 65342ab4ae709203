"""Rebuilding a generation on real stores, beside ingestion, deletion and a change of mind."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import JobCancelled
from app.types import JobState
from tests.fixtures.embedders import GatedEmbedder
from tests.fixtures.workshops import FINGERPRINT, Workshop, a_manual, a_workshop

SMALLER = replace(FINGERPRINT, chunk_size=150, chunk_overlap=15)


@pytest.fixture
def embedder() -> GatedEmbedder:
    return GatedEmbedder()


@pytest.fixture
def workshop(tmp_path: Path, embedder: GatedEmbedder) -> Iterator[Workshop]:
    with a_workshop(tmp_path, embedder) as opened:
        yield opened


@pytest.mark.parametrize("times", [1, 2])
def test_a_new_generation_takes_the_place_of_the_old_whole(workshop: Workshop, times: int) -> None:
    base = workshop.base()
    one = workshop.ready(base, a_manual(4))
    old_ids = set(workshop.stores.contents.chunk_ids(one.document, base.index_id))
    generation, job = workshop.stores.generations.start(base.id, SMALLER)
    workshop.build(generation.index_id, job, times)
    assert workshop.stores.vectors.ids(base.index_id) == old_ids
    assert workshop.rebuild.swap(generation.index_id, job)
    new_ids = set(workshop.stores.contents.chunk_ids(one.document, generation.index_id))
    assert new_ids.isdisjoint(old_ids)
    assert len(new_ids) > len(old_ids)
    for _ in range(2):
        workshop.rebuild.purge(base.index_id)
    assert workshop.stores.vectors.indexes() == workshop.stores.keywords.indexes() == {generation.index_id}
    assert workshop.stores.vectors.ids(generation.index_id) == new_ids
    assert workshop.stores.keywords.ids(generation.index_id) == new_ids
    assert workshop.catalogue.searchable(base) == {one.document}


def test_a_document_deleted_while_it_is_rebuilt_leaves_nothing(workshop: Workshop) -> None:
    base = workshop.base()
    one = workshop.ready(base, a_manual(3))
    generation, job = workshop.stores.generations.start(base.id, SMALLER)
    assert workshop.rebuild.waiting(generation.index_id, job) == [one.document]
    workshop.rebuild.chunk(one.document, generation.index_id, job)
    workshop.rebuild.embed(one.document, generation.index_id, job, 0)
    workshop.stores.documents.hide(base.id, one.document)
    workshop.purging.purge(one.document)
    workshop.rebuild.embed(one.document, generation.index_id, job, 0)
    workshop.rebuild.place(one.document, generation.index_id, job)
    assert workshop.rebuild.chunk(one.document, generation.index_id, job) == 0
    assert workshop.rebuild.waiting(generation.index_id, job) == []
    assert workshop.rebuild.swap(generation.index_id, job)
    for index_id in (base.index_id, generation.index_id):
        assert workshop.stores.vectors.ids(index_id) == workshop.stores.keywords.ids(index_id) == set()


def test_a_cancelled_rebuild_leaves_the_live_one_and_nothing_else(workshop: Workshop) -> None:
    base = workshop.base()
    one = workshop.ready(base, a_manual(3))
    generation, job = workshop.stores.generations.start(base.id, SMALLER)
    workshop.rebuild.chunk(one.document, generation.index_id, job)
    workshop.rebuild.embed(one.document, generation.index_id, job, 0)
    workshop.rebuild.cancel(generation.index_id, job)
    with pytest.raises(JobCancelled):
        workshop.rebuild.embed(one.document, generation.index_id, job, 0)
    workshop.rebuild.purge(generation.index_id)
    assert workshop.stores.vectors.indexes() == {base.index_id}
    assert workshop.stores.jobs.get(job).state is JobState.CANCELLED
    assert workshop.catalogue.searchable(base) == {one.document}


def test_a_purge_waits_for_the_step_that_writes_into_the_retired_generation(
    workshop: Workshop, embedder: GatedEmbedder
) -> None:
    base = workshop.base()
    one = workshop.ready(base, a_manual(3))
    generation, job = workshop.stores.generations.start(base.id, SMALLER)
    workshop.rebuild.chunk(one.document, generation.index_id, job)
    embedder.close()
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(workshop.rebuild.embed, one.document, generation.index_id, job, 0)
        assert embedder.arrived.wait(60)
        workshop.rebuild.cancel(generation.index_id, job)
        purging = pool.submit(workshop.rebuild.purge, generation.index_id)
        embedder.gate.set()
        purging.result(60)
        with pytest.raises(JobCancelled):
            writing.result(60)
    assert workshop.stores.vectors.indexes() == {base.index_id}
    assert [found.index_id for found in workshop.stores.generations.all()] == [base.index_id]


def test_a_document_that_comes_during_the_build_is_in_the_new_one_too(workshop: Workshop) -> None:
    base = workshop.base()
    first = workshop.ready(base, a_manual(2, "pump"), "first.md")
    generation, job = workshop.stores.generations.start(base.id, SMALLER)
    workshop.build(generation.index_id, job)
    late = workshop.ready(base, a_manual(2, "lamp"), "late.md")
    assert not workshop.rebuild.swap(generation.index_id, job)
    workshop.build(generation.index_id, job)
    assert workshop.rebuild.swap(generation.index_id, job)
    assert workshop.catalogue.searchable(base) == {first.document, late.document}
