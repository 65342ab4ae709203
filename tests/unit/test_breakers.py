"""Breakers open after failures in a row, let one trial through after a pause, and close with its success."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from app.breakers import Breaker
from app.errors import IndexUnavailable, ModelBusy, ModelUnavailable

REASON = "too slow"


@dataclass
class Clock:
    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def a_breaker(clock: Clock, failures: int = 3) -> Breaker:
    return Breaker("model", failures, 5.0, clock)


def fail(breaker: Breaker) -> None:
    with pytest.raises(ModelUnavailable), breaker.guarding(ModelUnavailable):
        raise ModelUnavailable("the detail", reason=REASON)


def is_let_through(breaker: Breaker) -> bool:
    try:
        breaker.enter()
    except ModelUnavailable:
        return False
    return True


def test_it_opens_after_failures_in_a_row_alone(clock: Clock) -> None:
    breaker = a_breaker(clock)
    for _ in range(4):
        fail(breaker)
        fail(breaker)
        with breaker.guarding(ModelUnavailable):
            pass
    assert not breaker.is_open
    for _ in range(3):
        fail(breaker)
    assert breaker.is_open
    with pytest.raises(ModelUnavailable) as told:
        breaker.enter()
    assert (told.value.params, told.value.detail) == ({"reason": REASON}, "the detail")


def test_one_call_is_a_trial_after_the_pause_and_its_failure_begins_the_pause_anew(clock: Clock) -> None:
    breaker = a_breaker(clock, failures=1)
    fail(breaker)
    clock.seconds += 5
    fail(breaker)
    assert not is_let_through(breaker)
    clock.seconds += 5
    assert [is_let_through(breaker) for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert not breaker.is_open
    assert is_let_through(breaker)


def test_a_trial_without_an_end_keeps_no_other_away(clock: Clock) -> None:
    breaker = a_breaker(clock, failures=1)
    fail(breaker)
    clock.seconds += 5
    assert is_let_through(breaker)
    clock.seconds += 5
    assert is_let_through(breaker)


def test_a_trial_that_is_left_leaves_it_to_the_next(clock: Clock) -> None:
    breaker = a_breaker(clock, failures=1)
    fail(breaker)
    clock.seconds += 5
    with pytest.raises(ModelBusy), breaker.guarding(ModelUnavailable):
        raise ModelBusy
    assert breaker.is_open
    assert is_let_through(breaker)


def test_asking_whether_it_is_there_is_no_trial(clock: Clock) -> None:
    breaker = a_breaker(clock, failures=1)
    fail(breaker)
    with pytest.raises(ModelUnavailable):
        breaker.require_there()
    clock.seconds += 5
    breaker.require_there()
    assert breaker.fault is None
    assert is_let_through(breaker)


def test_other_errors_are_no_failures_of_the_part(clock: Clock) -> None:
    breaker = a_breaker(clock, failures=1)
    with pytest.raises(IndexUnavailable), breaker.guarding(ModelUnavailable):
        raise IndexUnavailable(reason="?")
    assert not breaker.is_open
