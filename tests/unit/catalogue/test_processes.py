"""Several processes on one database: who lives, who is taken for dead, and what each has claimed."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from app import presence
from app.catalogue.conversations import Conversations, History
from app.catalogue.evaluations import EvaluationRoom, Evaluations, NewEvaluation
from app.catalogue.finetunes import NewTraining, TrainingRoom, Trainings, new_training_id
from app.catalogue.processes import Process, Processes
from app.presence import Presence
from app.types import TurnState
from tests.fixtures.catalogues import Catalogue

ONE, TWO = Process("process-1", True, "1"), Process("process-2", True, "1")


@pytest.fixture
def processes(catalogue: Catalogue) -> Processes:
    return Processes(catalogue.sessions)


def test_a_process_lives_from_its_joining_until_it_leaves_or_is_buried(processes: Processes) -> None:
    assert processes.join(ONE)
    assert not processes.join(TWO)
    assert (processes.living(), processes.workers()) == ({ONE.id, TWO.id}, 2)
    assert processes.beat(ONE)
    processes.leave(ONE)
    assert not processes.beat(ONE)
    assert processes.living() == {TWO.id}


def test_only_who_has_not_changed_since_it_was_seen_is_buried(processes: Processes) -> None:
    processes.join(ONE)
    before = processes.beats()[ONE.id]
    assert processes.beat(ONE)
    assert not processes.bury(ONE.id, before)
    assert processes.bury(ONE.id, processes.beats()[ONE.id])
    assert not processes.beat(ONE)


def test_a_second_life_ends_the_first(processes: Processes) -> None:
    processes.join(ONE)
    again = Process(ONE.id, True, "2")
    assert processes.join(again)
    assert (processes.beat(again), processes.beat(ONE)) == (True, False)
    processes.leave(ONE)
    assert processes.living() == {ONE.id}


def test_an_evaluation_and_a_training_are_one_process_own_while_it_lives(
    catalogue: Catalogue, processes: Processes
) -> None:
    base = catalogue.base()
    evaluations, trainings = Evaluations(catalogue.sessions), Trainings(catalogue.sessions)
    for process in (ONE, TWO):
        processes.join(process)
    for name in ("a", "b"):
        new = NewEvaluation(name, "codes", "0" * 64, "{}", 1, {"mode": "answers"})
        evaluations.add(base.id, new, EvaluationRoom(10, 10))
        training = NewTraining(name, "a base", {"rank": 8}, {"pairs": 20})
        trainings.add(new_training_id(), base.id, training, TrainingRoom(10, 10))
    for store in (evaluations, trainings):
        first, second = store.next(ONE.id), store.next(TWO.id)
        assert first is not None
        assert second is not None
        assert (first.name, second.name) == ("a", "b")
        again = store.next(ONE.id)
        assert again is not None
        assert again.name == "a"
        assert store.next("process-3") is None
    processes.leave(ONE)
    for store in (evaluations, trainings):
        taken_over = store.next("process-3")
        assert taken_over is not None
        assert taken_over.name == "a"
        processes.join(Process("process-3", True, "1"))
        kept = store.next(TWO.id)
        assert kept is not None
        assert kept.name == "b"
        processes.leave(Process("process-3", True, "1"))


def test_turns_of_a_process_that_lives_go_on(catalogue: Catalogue, processes: Processes) -> None:
    base = catalogue.base()
    history = History(10, 10)
    processes.join(ONE)
    alive = Conversations(catalogue.sessions, history, ONE.id)
    dead = Conversations(catalogue.sessions, history, "process-9")
    conversation = alive.create(base.id, "key-1")
    turns = [one.begin(conversation.id, "key-1", "What is it?") for one in (alive, dead)]
    alive.stop_running(processes.living())
    assert [alive.turn(turn.id, "key-1").state for turn in turns] == [TurnState.RUNNING, TurnState.STOPPED]


def test_who_is_silent_for_too_long_is_noticed_and_who_was_taken_for_dead_is_told(processes: Processes) -> None:
    died, lost = threading.Event(), threading.Event()
    living: list[set[str]] = []

    def look_after(alive: set[str], death: bool) -> None:
        living.append(alive)
        if death:
            died.set()

    beaten = threading.Event()
    watching = Presence(processes, ONE, 1.0, look_after, lost.set, beaten.set)
    watching.join()
    processes.join(TWO)  # and says nothing more
    watching.start()
    assert died.wait(60)
    assert beaten.wait(60)
    assert TWO.id not in processes.living()
    assert not lost.is_set()
    processes.leave(ONE)  # as another would take it for dead
    assert lost.wait(60)
    watching.stop()
    assert living[0] == {ONE.id, TWO.id}


def test_while_its_own_beat_is_kept_waiting_nobody_is_taken_for_dead(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What held it up, such as a long write of another, may have kept the others silent too."""
    moment = [0.0]
    monkeypatch.setattr(presence, "time", SimpleNamespace(monotonic=lambda: moment[0]))
    watching = Presence(processes, ONE, 1.0, lambda *_: None, lambda: None)
    watching.join()
    processes.join(TWO)

    def died(at: float) -> bool:
        moment[0] = at
        return watching._bury(processes.beats())

    assert not any(died(at) for at in (0.0, 0.4, 0.8))
    assert not died(2.0)  # after more than a second without a look
    assert not any(died(at) for at in (2.4, 2.8))
    assert died(3.1)
    assert processes.living() == {ONE.id}
