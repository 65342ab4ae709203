"""Turns: one at a time for an id, no waiting for another's, and nothing kept."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.ingest.turns import Turns


def test_one_at_a_time_for_an_id_and_nothing_is_kept() -> None:
    turns, counts, inside = Turns(), {"a": 0, "b": 0}, {"a": 0, "b": 0}

    def work(identity: str) -> None:
        for _ in range(500):
            with turns.of(identity):
                inside[identity] += 1
                assert inside[identity] == 1
                counts[identity] += 1
                inside[identity] -= 1

    with ThreadPoolExecutor(8) as pool:
        for task in [pool.submit(work, "ab"[number % 2]) for number in range(8)]:
            task.result(60)
    assert counts == {"a": 2000, "b": 2000}
    assert turns._turns == {}


def test_another_id_does_not_wait() -> None:
    turns, done = Turns(), threading.Event()

    def other() -> None:
        with turns.of("b"):
            done.set()

    with turns.of("a"), ThreadPoolExecutor(1) as pool:
        pool.submit(other)
        assert done.wait(60)


def test_a_fault_gives_the_turn_back() -> None:
    turns = Turns()
    with pytest.raises(RuntimeError), turns.of("a"):
        raise RuntimeError
    with turns.of("a"):
        pass
    assert turns._turns == {}
