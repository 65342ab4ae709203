"""Lanes: one step of each at a time, in the order of their coming, and what waits says so."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from app.ingest.durable import Stopping
from app.ingest.lanes import LANES, REBUILDS, TAKEN_OVER, Lanes, lane_of
from tests.fixtures.waiting import wait_for

SECONDS = 60.0


def nothing(*_: object) -> None:
    pass


def unexpected(*_: object) -> None:
    pytest.fail("it waits for a lane that is free")


def test_a_lane_by_size_and_a_queue_for_what_is_taken_over_of_each() -> None:
    assert [lane_of(size) for size in (1, 1_000_000, 1_000_001, 8_000_001)] == [
        "documents-small",
        "documents-small",
        "documents-medium",
        "documents-large",
    ]
    assert set(TAKEN_OVER) == {*(name for name, _ in LANES), REBUILDS}
    assert not set(TAKEN_OVER) & set(TAKEN_OVER.values())


def test_steps_of_two_jobs_take_turns_and_another_lane_does_not_wait() -> None:
    lanes = Lanes(lambda: False)
    order: list[str] = []
    came: SimpleQueue[str] = SimpleQueue()
    waited: list[float] = []

    def step(name: str) -> None:
        with lanes.place("small", lambda: came.put(name), waited.append):
            order.append(name)

    with ThreadPoolExecutor(2) as pool:
        with lanes.place("small", nothing, nothing):
            steps = []
            for name in ("taken over", "own"):
                steps.append(pool.submit(step, name))
                assert came.get(timeout=SECONDS) == name
            with lanes.place("large", unexpected, unexpected):
                order.append("large")
        for one in steps:
            one.result(SECONDS)
    assert order == ["large", "taken over", "own"]
    assert len(waited) == 2
    step("alone")
    assert came.empty()


def test_what_waits_when_the_server_stops_is_let_go_and_the_lane_goes_on() -> None:
    stopping = threading.Event()
    lanes = Lanes(stopping.is_set)
    waits = threading.Event()
    stopped = threading.Event()

    def step() -> None:
        with pytest.raises(Stopping), lanes.place("small", waits.set, nothing):
            pytest.fail("it has the lane while another holds it")
        stopped.set()

    with lanes.place("small", nothing, nothing), ThreadPoolExecutor(1) as pool:
        pool.submit(step)
        assert waits.wait(SECONDS)
        stopping.set()
        assert wait_for(stopped.is_set, SECONDS)
    with lanes.place("small", unexpected, unexpected):
        pass
