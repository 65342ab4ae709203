"""Generations: built beside the live one, whole before they answer, out of the way when given up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.catalogue.records import Generation, KnowledgeBase
from app.errors import JobCancelled, KnowledgeBaseNotFound, RebuildRunning
from app.types import GenerationState, JobState
from tests.fixtures.catalogues import FINGERPRINT, Catalogue, Ingested, a_chunk, a_file

SMALLER = replace(FINGERPRINT, chunk_size=300)


@pytest.fixture
def base(catalogue: Catalogue) -> KnowledgeBase:
    return catalogue.base()


def place(catalogue: Catalogue, one: Ingested, generation: Generation, job: str, chunks: int = 1) -> None:
    catalogue.fill(one, generation.index_id)
    catalogue.documents.place(one.document, generation.index_id, job, chunks)


def test_a_generation_goes_live_in_one_step_with_its_fingerprint(catalogue: Catalogue, base: KnowledgeBase) -> None:
    one = catalogue.ready(base)
    generation, job = catalogue.generations.start(base.id, SMALLER)
    assert (generation.number, generation.state) == (2, GenerationState.BUILDING)
    assert catalogue.generations.building(base.id) == generation
    assert catalogue.generations.waiting(generation.index_id, job, 10) == [one.document]
    assert not catalogue.generations.swap(generation.index_id, job)
    place(catalogue, one, generation, job, chunks=7)
    new_chunk = a_chunk(one.document, 2).id
    assert catalogue.contents.visible_chunks(base.id, base.index_id, [new_chunk]) == {}
    assert catalogue.generations.waiting(generation.index_id, job, 10) == []
    assert (catalogue.jobs.get(job).documents_done, catalogue.jobs.get(job).documents_total) == (1, 1)
    assert catalogue.generations.swap(generation.index_id, job)
    live = catalogue.bases.get(base.id)
    assert (live.index_id, live.fingerprint) == (generation.index_id, SMALLER)
    assert set(catalogue.contents.visible_chunks(base.id, live.index_id, [new_chunk])) == {new_chunk}
    assert catalogue.documents.get(base.id, one.document).chunks == 7
    assert catalogue.jobs.get(job).state is JobState.DONE
    assert catalogue.generations.retired() == [base.index_id]


def test_a_document_that_becomes_ready_meanwhile_is_waited_for(catalogue: Catalogue, base: KnowledgeBase) -> None:
    generation, job = catalogue.generations.start(base.id, SMALLER)
    assert catalogue.generations.waiting(generation.index_id, job, 10) == []
    late = catalogue.ready(base)
    assert not catalogue.generations.swap(generation.index_id, job)
    assert catalogue.generations.waiting(generation.index_id, job, 10) == [late.document]
    place(catalogue, late, generation, job)
    assert catalogue.generations.swap(generation.index_id, job)
    assert catalogue.searchable(base) == {late.document}


def test_a_document_on_its_way_during_the_swap_is_published_in_the_new_one(
    catalogue: Catalogue, base: KnowledgeBase
) -> None:
    generation, job = catalogue.generations.start(base.id, SMALLER)
    late = catalogue.processing(base)
    assert catalogue.generations.swap(generation.index_id, job)
    assert not catalogue.documents.publish(late.document, late.job, base.index_id, 1).done
    assert catalogue.searchable(base) == set()
    catalogue.fill(late, generation.index_id)
    assert catalogue.publish(base, late).done
    assert catalogue.searchable(base) == {late.document}


def test_a_document_deleted_meanwhile_is_not_waited_for(catalogue: Catalogue, base: KnowledgeBase) -> None:
    kept, gone = catalogue.ready(base, a_file("a", "a.pdf")), catalogue.ready(base, a_file("b", "b.pdf"))
    generation, job = catalogue.generations.start(base.id, SMALLER)
    place(catalogue, kept, generation, job)
    assert catalogue.documents.for_rebuild(gone.document, generation.index_id, job) is not None
    catalogue.documents.hide(base.id, gone.document)
    assert catalogue.documents.for_rebuild(gone.document, generation.index_id, job) is None
    catalogue.documents.place(gone.document, generation.index_id, job, 1)  # too late: recorded nowhere
    assert catalogue.generations.swap(generation.index_id, job)
    assert catalogue.searchable(base) == {kept.document}


def test_one_rebuild_at_a_time(catalogue: Catalogue, base: KnowledgeBase) -> None:
    other = catalogue.base("other")
    generation, _ = catalogue.generations.start(base.id, SMALLER)
    with pytest.raises(RebuildRunning):
        catalogue.generations.start(base.id, SMALLER)
    catalogue.generations.start(other.id, SMALLER)
    catalogue.generations.abandon(generation.index_id)
    assert catalogue.generations.start(base.id, SMALLER)[0].number == 3
    with pytest.raises(KnowledgeBaseNotFound):
        catalogue.generations.start("kb-none", SMALLER)


def test_a_generation_given_up_never_answers(catalogue: Catalogue, base: KnowledgeBase) -> None:
    one = catalogue.ready(base)
    generation, job = catalogue.generations.start(base.id, SMALLER)
    place(catalogue, one, generation, job)
    catalogue.generations.abandon(generation.index_id)
    with pytest.raises(JobCancelled):
        catalogue.generations.swap(generation.index_id, job)
    with pytest.raises(JobCancelled):
        catalogue.documents.place(one.document, generation.index_id, job, 1)
    with pytest.raises(JobCancelled):
        catalogue.generations.waiting(generation.index_id, job, 10)
    assert catalogue.bases.get(base.id).index_id == base.index_id
    assert catalogue.searchable(base) == {one.document}


def test_forgetting_takes_only_retired_generations(catalogue: Catalogue, base: KnowledgeBase) -> None:
    one = catalogue.ready(base)
    generation, job = catalogue.generations.start(base.id, SMALLER)
    place(catalogue, one, generation, job)
    for index_id in (base.index_id, generation.index_id):
        catalogue.generations.forget(index_id)
        catalogue.generations.abandon(base.index_id)
    assert len(catalogue.generations.all()) == 2
    catalogue.generations.swap(generation.index_id, job)
    catalogue.generations.forget(base.index_id)
    assert [found.index_id for found in catalogue.generations.all()] == [generation.index_id]
    assert catalogue.contents.chunks(one.document, base.index_id) == []
    assert catalogue.contents.documents_in(generation.index_id) == [one.document]
    assert catalogue.searchable(base) == {one.document}


def test_a_rebuild_of_a_deleted_knowledge_base_stops(catalogue: Catalogue, base: KnowledgeBase) -> None:
    generation, job = catalogue.generations.start(base.id, SMALLER)
    catalogue.bases.hide(base.id)
    with pytest.raises(JobCancelled):
        catalogue.generations.swap(generation.index_id, job)


def test_a_rebuild_remembers_what_it_was_to_build_with(catalogue: Catalogue, base: KnowledgeBase) -> None:
    generation, job = catalogue.generations.start(base.id, SMALLER)
    catalogue.generations.abandon(generation.index_id)
    catalogue.generations.forget(generation.index_id)
    assert catalogue.jobs.get(job).fingerprint == SMALLER
