"""Trainings in the catalogue: their queue, how far they are, and what ends them."""

from __future__ import annotations

import pytest

from app.catalogue.finetunes import NewTraining, Training, TrainingRoom, Trainings, new_training_id
from app.errors import (
    KnowledgeBaseNotFound,
    TrainingDone,
    TrainingEnded,
    TrainingNotFound,
    TrainingQueueFull,
    TrainingsFull,
)
from app.types import JobState, TrainingStage
from tests.fixtures.catalogues import Catalogue

ROOM = TrainingRoom(stored=10, opened=10)


@pytest.fixture
def store(catalogue: Catalogue) -> Trainings:
    return Trainings(catalogue.sessions)


def added(store: Trainings, base_id: str, name: str = "codes", room: TrainingRoom = ROOM) -> Training:
    new = NewTraining(name, "a base", {"rank": 8}, {"pairs": 20})
    return store.add(new_training_id(), base_id, new, room)


def test_a_training_is_kept_as_it_was_asked_for(catalogue: Catalogue, store: Trainings) -> None:
    base = catalogue.base()
    one = added(store, base.id)
    assert (one.state, one.stage, one.step, one.steps, one.attempts) == ("queued", "waiting", 0, None, 0)
    assert (one.config, one.examples, one.knowledge_base_id) == ({"rank": 8}, {"pairs": 20}, base.id)
    assert store.all(base.id, 10, 0) == store.all(None, 10, 0) == [one]
    assert store.all("kb-other", 10, 0) == []
    assert store.ids() == {one.id}


def test_what_was_under_way_comes_before_what_waits(catalogue: Catalogue, store: Trainings) -> None:
    base = catalogue.base()
    first, second, third = (added(store, base.id, name) for name in ("a", "b", "c"))
    assert store.next() == first
    assert store.begin(second.id) is not None
    assert store.next() == store.get(second.id)
    store.finish(second.id, "ad-1")
    store.cancel(first.id)
    assert store.next() == third
    store.resume(first.id, 10)  # behind those that waited meanwhile
    assert store.next() == third


def test_attempts_count_until_it_comes_on(catalogue: Catalogue, store: Trainings) -> None:
    one = added(store, catalogue.base().id)

    def attempts() -> int:
        begun = store.begin(one.id)
        assert begun is not None
        return begun.attempts

    assert (attempts(), attempts()) == (1, 2)
    assert store.prepared(one.id, {"rank": 16}, {"train": 18})
    assert attempts() == 2
    assert store.progress(one.id, 3, 10, {"checkpoint": 0})
    assert attempts() == 3
    assert store.progress(one.id, 4, 10, {"checkpoint": 4})
    assert attempts() == 2
    assert store.progress(one.id, 5, 10, {"checkpoint": 4})
    assert attempts() == 3
    store.put_back(one.id)
    assert store.trained(one.id)
    assert store.get(one.id).attempts == 1


def test_a_revision_tells_every_change(catalogue: Catalogue, store: Trainings) -> None:
    one = added(store, catalogue.base().id)
    store.begin(one.id)
    seen = [store.get(one.id).revision]
    for change in (
        lambda: store.enter(one.id, TrainingStage.PREPARING),
        lambda: store.prepared(one.id, {}, {}),
        lambda: store.progress(one.id, 1, 2, {}),
        lambda: store.trained(one.id),
        lambda: store.finish(one.id, "ad-1"),
    ):
        assert change()
        seen.append(store.get(one.id).revision)
    assert seen == sorted(set(seen))
    same = store.get(one.id).revision
    assert not store.progress(one.id, 1, 2, {})
    assert store.get(one.id).revision == same


@pytest.mark.parametrize("end", ["cancel", "fail"])
def test_nothing_is_written_after_the_end(catalogue: Catalogue, store: Trainings, end: str) -> None:
    one = added(store, catalogue.base().id)
    store.begin(one.id)
    if end == "cancel":
        store.cancel(one.id)
    else:
        store.fail(one.id, "training_failed", {"reason": "it crashed"})
    ended = store.get(one.id)
    assert ended.ended
    assert store.begin(one.id) is None
    assert not store.enter(one.id, TrainingStage.TRAINING)
    assert not store.prepared(one.id, {}, {})
    assert not store.progress(one.id, 1, 2, {})
    assert not store.trained(one.id)
    store.fail(one.id, "manualqa_error", {})
    assert store.get(one.id) == ended
    with pytest.raises(TrainingEnded):
        store.cancel(one.id)


def test_an_adapter_that_is_registered_makes_it_done(catalogue: Catalogue, store: Trainings) -> None:
    one = added(store, catalogue.base().id)
    store.begin(one.id)
    store.cancel(one.id)  # in the moment between the registry and the row
    assert store.finish(one.id, "ad-1")
    done = store.get(one.id)
    assert (done.state, done.stage, done.adapter_id, done.error_code) == ("done", "done", "ad-1", None)
    with pytest.raises(TrainingDone):
        store.resume(one.id, 10)


def test_a_resumed_training_keeps_what_is_behind_it(catalogue: Catalogue, store: Trainings) -> None:
    one = added(store, catalogue.base().id)
    store.begin(one.id)
    store.prepared(one.id, {"rank": 16}, {})
    store.progress(one.id, 4, 10, {"checkpoint": 4})
    store.fail(one.id, "training_failed", {"reason": "it crashed"})
    resumed = store.resume(one.id, 10)
    assert (resumed.state, resumed.stage, resumed.step, resumed.attempts) == (JobState.QUEUED, "training", 4, 0)
    assert (resumed.error_code, resumed.finished_at) == (None, None)
    assert store.resume(one.id, 0) == resumed  # it is open: nothing changes, and no turn is needed


def test_there_is_room_for_so_many(catalogue: Catalogue, store: Trainings) -> None:
    base = catalogue.base()
    room = TrainingRoom(stored=2, opened=1)
    one = added(store, base.id, room=room)
    with pytest.raises(TrainingQueueFull):
        added(store, base.id, room=room)
    store.cancel(one.id)
    added(store, base.id, room=room)
    with pytest.raises(TrainingsFull):
        store.require_room(room)
    with pytest.raises(TrainingQueueFull):
        store.resume(one.id, 1)
    with pytest.raises(KnowledgeBaseNotFound):
        added(store, "kb-none")


def test_a_training_outlives_its_knowledge_base(catalogue: Catalogue, store: Trainings) -> None:
    base = catalogue.base()
    one = added(store, base.id)
    catalogue.bases.hide(base.id)
    catalogue.bases.forget(base.id)
    assert store.get(one.id).knowledge_base_id is None
    store.remove(one.id)
    with pytest.raises(TrainingNotFound):
        store.get(one.id)
    assert store.find(one.id) is None
