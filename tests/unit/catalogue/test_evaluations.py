"""Evaluations in the catalogue: their queue, their records, and what ends them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import inspect

from app.catalogue.evaluations import Asked, Evaluation, EvaluationRoom, Evaluations, NewEvaluation
from app.catalogue.tables import EvaluationRecordRow, EvaluationRow, Table
from app.errors import (
    EvaluationEnded,
    EvaluationNotFound,
    EvaluationQueueFull,
    EvaluationsFull,
    KnowledgeBaseNotFound,
    NothingToResume,
)
from app.types import JobState
from tests.fixtures.catalogues import FINGERPRINT, Catalogue

ROOM = EvaluationRoom(stored=10, opened=10)
ASKED = Asked(FINGERPRINT, "a model")


def an_evaluation(name: str = "codes", total: int = 3) -> NewEvaluation:
    questions = "".join(f'{{"id": "q{n}"}}\n' for n in range(total))
    return NewEvaluation(name, "codes", "0" * 64, questions, total, {"mode": "answers"})


@pytest.fixture
def store(catalogue: Catalogue) -> Evaluations:
    return Evaluations(catalogue.sessions)


def begun(store: Evaluations, base_id: str, total: int = 3) -> Evaluation:
    one = store.add(base_id, an_evaluation(total=total), ROOM)
    started = store.begin(one.id, ASKED, {"manualqa": "1"})
    assert started is not None
    return started


def test_an_evaluation_is_kept_as_it_was_sent(catalogue: Catalogue, store: Evaluations) -> None:
    base = catalogue.base()
    one = store.add(base.id, an_evaluation(), ROOM)
    assert (one.state, one.total, one.done, one.asked, one.knowledge_base) == (JobState.QUEUED, 3, 0, None, base.name)
    assert store.questions(one.id).count("\n") == 3
    assert store.all(base.id, 10, 0) == store.all(None, 10, 0) == [one]
    assert store.all("kb-other", 10, 0) == []


def test_what_was_under_way_comes_before_what_waits(catalogue: Catalogue, store: Evaluations) -> None:
    base = catalogue.base()
    first, second, third = (store.add(base.id, an_evaluation(name), ROOM) for name in ("a", "b", "c"))
    assert store.next() == first
    assert store.begin(second.id, ASKED, {}) is not None
    assert store.next() == store.get(second.id)
    store.end(second.id, JobState.DONE)
    store.cancel(first.id)
    assert store.next() == third
    store.resume(first.id, 10)  # behind those that waited meanwhile
    assert store.next() == third


def test_what_is_asked_is_noted_once(catalogue: Catalogue, store: Evaluations) -> None:
    one = begun(store, catalogue.base().id)
    again = store.begin(one.id, replace(ASKED, model="another"), {"manualqa": "2"})
    assert again is not None
    assert (again.asked, again.versions, again.started_at) == (ASKED, {"manualqa": "1"}, one.started_at)


def test_a_question_has_one_record(catalogue: Catalogue, store: Evaluations) -> None:
    one = begun(store, catalogue.base().id)
    assert store.record(one.id, 2, '{"index": 2}', failed=True)
    assert store.record(one.id, 0, '{"index": 0}', failed=False)
    assert store.record(one.id, 0, '{"index": 0, "again": true}', failed=True)
    assert store.records(one.id) == ['{"index": 0}', '{"index": 2}']
    assert store.recorded(one.id) == {0, 2}
    found = store.get(one.id)
    assert (found.done, found.failed) == (2, 1)
    assert found.revision > one.revision


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_nothing_is_written_after_the_end(catalogue: Catalogue, store: Evaluations, state: JobState) -> None:
    one = begun(store, catalogue.base().id)
    store.end(one.id, state, "evaluation_stopped" if state is JobState.FAILED else None)
    assert not store.record(one.id, 0, "{}", failed=False)
    store.end(one.id, JobState.DONE)
    assert store.begin(one.id, ASKED, {}) is None
    found = store.get(one.id)
    assert (found.state, found.done, found.ended) == (state, 0, True)
    with pytest.raises(EvaluationEnded):
        store.cancel(one.id)


def test_resuming_drops_errors_and_keeps_answers(catalogue: Catalogue, store: Evaluations) -> None:
    one = begun(store, catalogue.base().id)
    store.record(one.id, 0, '{"index": 0}', failed=False)
    store.record(one.id, 1, '{"index": 1, "error": "model_unavailable"}', failed=True)
    store.end(one.id, JobState.FAILED, "evaluation_stopped", reason="it hangs")
    assert store.get(one.id).error_params == {"reason": "it hangs"}
    resumed = store.resume(one.id, 1)
    assert (resumed.state, resumed.done, resumed.failed, resumed.error_code) == (JobState.QUEUED, 1, 0, None)
    assert resumed.finished_at is None
    assert store.records(one.id) == ['{"index": 0}']
    assert store.resume(one.id, 1) == resumed


def test_what_is_whole_is_not_resumed(catalogue: Catalogue, store: Evaluations) -> None:
    one = begun(store, catalogue.base().id, total=1)
    store.record(one.id, 0, "{}", failed=False)
    store.end(one.id, JobState.DONE)
    with pytest.raises(NothingToResume):
        store.resume(one.id, 10)


def test_there_is_room_for_so_many(catalogue: Catalogue, store: Evaluations) -> None:
    base, other = catalogue.base("one"), catalogue.base("other")
    room = EvaluationRoom(stored=2, opened=2)
    first = store.add(base.id, an_evaluation(), room)
    store.add(other.id, an_evaluation(), room)
    with pytest.raises(EvaluationQueueFull):
        store.add(base.id, an_evaluation(), room)
    store.cancel(first.id)
    store.add(base.id, an_evaluation(), room)
    with pytest.raises(EvaluationQueueFull):
        store.resume(first.id, 2)
    with pytest.raises(EvaluationsFull):
        store.add(base.id, an_evaluation(), room)


def test_evaluations_go_with_their_knowledge_base(catalogue: Catalogue, store: Evaluations) -> None:
    base = catalogue.base()
    one = begun(store, base.id)
    store.record(one.id, 0, "{}", failed=False)
    catalogue.bases.hide(base.id)
    assert (store.find(one.id), store.next(), store.all(None, 10, 0)) == (None, None, [])
    for call in (store.get, store.questions, store.cancel, store.remove):
        with pytest.raises(EvaluationNotFound):
            call(one.id)
    with pytest.raises(KnowledgeBaseNotFound):
        store.add(base.id, an_evaluation(), ROOM)
    catalogue.bases.forget(base.id)
    assert store.records(one.id) == []


def test_removing_takes_the_records_along(catalogue: Catalogue, store: Evaluations) -> None:
    one = begun(store, catalogue.base().id)
    store.record(one.id, 0, "{}", failed=False)
    store.remove(one.id)
    assert (store.find(one.id), store.records(one.id)) == (None, [])
    assert not store.record(one.id, 1, "{}", failed=False)


def test_the_migration_makes_what_the_classes_say(catalogue: Catalogue) -> None:

    inspector = inspect(catalogue.engine)
    for table in (Table.metadata.tables[row.__tablename__] for row in (EvaluationRow, EvaluationRecordRow)):
        made = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
        assert made == {column.name: column.nullable for column in table.columns}
