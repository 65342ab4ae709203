"""New versions under the same name: the last upload wins, in one step, whatever becomes ready first."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from app.catalogue import documents
from app.catalogue.documents import Room
from app.catalogue.records import KnowledgeBase
from app.catalogue.tables import DocumentRow
from app.errors import KnowledgeBaseFull
from app.types import DocumentState, JobState
from tests.fixtures.catalogues import ROOM, Catalogue, a_file


@pytest.fixture
def base(catalogue: Catalogue) -> KnowledgeBase:
    return catalogue.base()


def test_a_new_version_takes_the_place_of_the_old_in_one_step(catalogue: Catalogue, base: KnowledgeBase) -> None:
    old = catalogue.ready(base, a_file("v1"))
    new = catalogue.processing(base, a_file("v2"))
    ready = select(DocumentRow.id).where(DocumentRow.state == DocumentState.READY)
    with catalogue.sessions() as before:
        assert list(before.scalars(ready)) == [old.document]
        published = catalogue.publish(base, new)
        assert list(before.scalars(ready)) == [old.document]  # who began before sees what was
    with catalogue.sessions() as after:
        assert list(after.scalars(ready)) == [new.document]
    assert (published.done, published.hidden) == (True, (old.document,))
    assert catalogue.documents.hidden() == [old.document]


def test_the_old_version_answers_until_the_new_one_is_ready(catalogue: Catalogue, base: KnowledgeBase) -> None:
    old = catalogue.ready(base, a_file("v1"))
    new = catalogue.processing(base, a_file("v2"))
    assert catalogue.searchable(base) == {old.document}
    catalogue.documents.fail(new.document, new.job, "unreadable", {})
    assert catalogue.searchable(base) == {old.document}
    catalogue.documents.add(base.id, a_file("v2"), ROOM)
    assert catalogue.searchable(base) == {old.document}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_last_upload_wins_in_whatever_order_they_become_ready(
    catalogue: Catalogue, base: KnowledgeBase, order: tuple[int, ...]
) -> None:
    versions = [catalogue.processing(base, a_file(f"v{number}")) for number in range(3)]
    for number in order:
        published = catalogue.publish(base, versions[number])
        assert published.done
        assert len(catalogue.searchable(base)) == 1
    assert catalogue.searchable(base) == {versions[2].document}
    assert set(catalogue.documents.hidden()) == {versions[0].document, versions[1].document}


def test_a_version_that_comes_too_late_hides_itself(catalogue: Catalogue, base: KnowledgeBase) -> None:
    late, last = catalogue.processing(base, a_file("v2")), catalogue.processing(base, a_file("v3"))
    catalogue.publish(base, last)
    assert catalogue.publish(base, late).hidden == (late.document,)
    assert catalogue.searchable(base) == {last.document}


def test_the_bytes_of_the_first_version_again_are_the_newest(catalogue: Catalogue, base: KnowledgeBase) -> None:
    first = catalogue.ready(base, a_file("v1"))
    second = catalogue.processing(base, a_file("v2"))
    again = catalogue.queued(base, a_file("v1"))
    assert again == first
    assert catalogue.publish(base, second).hidden == (second.document,)
    assert catalogue.searchable(base) == {first.document}


def test_a_clock_set_back_does_not_make_the_last_upload_the_older(
    catalogue: Catalogue, base: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = catalogue.ready(base, a_file("v1"))
    monkeypatch.setattr(documents, "now", lambda: datetime(2001, 1, 1, tzinfo=UTC))
    second = catalogue.processing(base, a_file("v2"))
    assert catalogue.publish(base, second).hidden == (first.document,)
    assert catalogue.searchable(base) == {second.document}


def test_without_replacing_both_stay(catalogue: Catalogue, base: KnowledgeBase) -> None:
    one = catalogue.ready(base, a_file("v1"))
    other = catalogue.ready(base, a_file("v2", replaces=False))
    assert catalogue.searchable(base) == {one.document, other.document}
    third = catalogue.ready(base, a_file("v3"))
    assert catalogue.searchable(base) == {third.document}


def test_an_older_version_does_not_take_the_place_of_one_that_came_beside_it_later(
    catalogue: Catalogue, base: KnowledgeBase
) -> None:
    older = catalogue.processing(base, a_file("v1"))
    beside = catalogue.ready(base, a_file("v2", replaces=False))
    assert catalogue.publish(base, older).hidden == ()
    assert catalogue.searchable(base) == {older.document, beside.document}


def test_only_the_same_name_in_the_same_knowledge_base_is_replaced(catalogue: Catalogue, base: KnowledgeBase) -> None:
    elsewhere = catalogue.base("elsewhere")
    kept = [catalogue.ready(base, a_file("x", "other.pdf")), catalogue.ready(elsewhere, a_file("y"))]
    new = catalogue.ready(base, a_file("z"))
    assert catalogue.searchable(base) == {kept[0].document, new.document}
    assert catalogue.searchable(elsewhere) == {kept[1].document}


def test_the_same_bytes_under_another_name_are_the_document_that_is_there(
    catalogue: Catalogue, base: KnowledgeBase
) -> None:
    one = catalogue.ready(base, a_file("v1", "first.pdf"))
    document, job_id, is_new = catalogue.documents.add(base.id, a_file("v1", "second.pdf"), ROOM)
    assert (document.id, document.name, job_id, is_new) == (one.document, "first.pdf", one.job, False)
    assert catalogue.searchable(base) == {one.document}


def test_a_full_knowledge_base_says_of_what_it_is_full(catalogue: Catalogue, base: KnowledgeBase) -> None:
    catalogue.queued(base, a_file("a", size=600_000))
    with pytest.raises(KnowledgeBaseFull) as by_count:
        catalogue.documents.add(base.id, a_file("b"), Room(documents=1, bytes=10_000_000))
    assert (by_count.value.params["limit"], by_count.value.params["setting"]) == ("1 documents", "MQA_MAX_DOCUMENTS")
    with pytest.raises(KnowledgeBaseFull) as by_size:
        catalogue.documents.add(base.id, a_file("b", size=400_001), Room(documents=10, bytes=1_000_000))
    assert by_size.value.params["setting"] == "MQA_MAX_KNOWLEDGE_BASE_MB"
    assert len(catalogue.documents.all(base.id, 10, 0)) == 1


def test_what_is_there_needs_no_room_and_what_is_deleted_takes_none(catalogue: Catalogue, base: KnowledgeBase) -> None:
    room = Room(documents=1, bytes=1_000_000)
    one = catalogue.queued(base, a_file("a", size=1_000_000))
    assert catalogue.documents.add(base.id, a_file("a", size=1_000_000), room)[0].id == one.document
    catalogue.documents.hide(base.id, one.document)
    assert catalogue.documents.add(base.id, a_file("b", size=1_000_000), room)[2]


def test_a_replaced_version_ends_as_done_and_is_gone(catalogue: Catalogue, base: KnowledgeBase) -> None:
    old, new = catalogue.ready(base, a_file("v1")), catalogue.ready(base, a_file("v2"))
    assert catalogue.jobs.find(old.job) is None
    assert catalogue.jobs.get(new.job).state is JobState.DONE
    assert [document.id for document in catalogue.documents.all(base.id, 10, 0)] == [new.document]
