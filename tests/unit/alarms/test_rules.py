"""When a rule fires, recovers and is told again: for any course of a figure."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.alarms.rules import (
    MARGIN,
    Happening,
    Limit,
    Phase,
    Rule,
    Standing,
    figures_of_calls,
    limits,
    longest_minutes,
    stalled,
)
from app.catalogue.operations import Figures, Times
from app.settings import Settings
from app.types import CallOutcome

HOLD, QUIET, REMIND = 300.0, 300.0, 3600.0
ERRORS = Limit(Rule.ERROR_RATE, 0.1, HOLD, QUIET, REMIND)
DISK = Limit(Rule.FREE_DISK_MB, 2000.0, HOLD, QUIET, REMIND)

figures = st.one_of(st.none(), st.floats(0, 1))
courses = st.lists(st.tuples(figures, st.floats(0, 400)), max_size=80)


def told(limit: Limit, course: list[tuple[float | None, float]]) -> list[Happening | None]:
    standing, found = Standing(), []
    for figure, elapsed in course:
        standing, happening = standing.next(limit, figure, elapsed)
        found.append(happening)
    return found


def steady(figure: float | None, seconds: float, every: float = 20.0) -> list[tuple[float | None, float]]:
    return [(figure, every)] * round(seconds / every)


def test_it_fires_once_after_it_held_and_recovers_once_after_it_was_quiet() -> None:
    course = steady(0.0, 100) + steady(0.5, 600) + steady(0.0, 600)
    found = told(ERRORS, course)
    assert [one for one in found if one] == [Happening.FIRED, Happening.RECOVERED]
    assert found.index(Happening.FIRED) == 5 + HOLD / 20
    assert found.index(Happening.RECOVERED) == 35 + QUIET / 20 - 1


def test_a_moment_s_excess_and_a_moment_s_quiet_tell_nothing() -> None:
    assert not any(told(ERRORS, (steady(0.9, 280) + steady(0.0, 20)) * 20))
    fires = steady(0.9, 400)
    assert told(ERRORS, fires + (steady(0.0, 280) + steady(0.9, 20)) * 5).count(Happening.RECOVERED) == 0


def test_a_figure_at_its_limit_is_over_for_no_rule_and_one_within_the_margin_ends_no_alarm() -> None:
    assert not any(told(ERRORS, steady(0.1, 2000)))
    assert told(ERRORS, steady(0.11, 400) + steady(0.09, 2000)).count(Happening.RECOVERED) == 0
    assert told(ERRORS, steady(0.11, 400) + steady(0.08, 2000)).count(Happening.RECOVERED) == 1


def test_the_least_that_is_well_is_a_limit_from_below() -> None:
    assert not any(told(DISK, steady(2000.0, 1000)))
    low = steady(1999.0, 400)
    assert [one for one in told(DISK, low + steady(2300.0, 1000)) if one] == [Happening.FIRED]
    assert told(DISK, low + steady(2400.0, 1000)).count(Happening.RECOVERED) == 1


def test_what_cannot_be_judged_fires_nothing_and_lets_an_alarm_recover() -> None:
    assert not any(told(ERRORS, steady(None, 5000)))
    assert [one for one in told(ERRORS, steady(0.5, 400) + steady(None, 400)) if one] == [
        Happening.FIRED,
        Happening.RECOVERED,
    ]


def test_an_alarm_is_told_again_at_most_every_so_often_or_never() -> None:
    long = steady(0.5, 10 * REMIND)
    assert told(ERRORS, long).count(Happening.REMINDER) == 9
    assert told(replace(ERRORS, remind_seconds=0), long).count(Happening.REMINDER) == 0


def test_a_rule_without_a_time_to_hold_fires_at_once() -> None:
    assert Standing().next(replace(ERRORS, hold_seconds=0), 0.5, 0.0)[1] is Happening.FIRED


def test_a_rule_that_comes_and_goes_has_to_be_quiet_for_longer_each_time() -> None:
    firing, silent = Standing(Phase.FIRING), replace(ERRORS, remind_seconds=0)
    for fired, seconds in ((1, QUIET), (2, 2 * QUIET), (3, 4 * QUIET), (50, 16 * QUIET)):
        assert firing.next(silent, 0.0, seconds - 1, fired)[1] is None
        assert firing.next(silent, 0.0, seconds, fired)[1] is Happening.RECOVERED


@given(courses)
def test_whatever_comes_firing_and_recovery_take_turns_and_no_time_is_made_up(
    course: list[tuple[float | None, float]],
) -> None:
    standing, last, over, well, passed = Standing(), Happening.RECOVERED, 0.0, 0.0, 0.0
    for figure, elapsed in course:
        was_over = ERRORS.is_over(figure)
        over = over + elapsed if was_over and standing.phase is Phase.PENDING else 0.0
        well = well + elapsed if ERRORS.is_well(figure) else 0.0
        passed += elapsed
        standing, happening = standing.next(ERRORS, figure, elapsed)
        if happening in (Happening.FIRED, Happening.RECOVERED):
            assert happening is not last
            last = happening
        if happening is Happening.FIRED:
            assert was_over
            assert over >= HOLD
            passed = well = 0.0
        if happening is Happening.RECOVERED:
            assert figure is None or figure <= 0.1 * (1 - MARGIN)
            assert well >= QUIET
        if happening is Happening.REMINDER:
            assert passed >= REMIND
            passed = 0.0


@given(courses)
def test_time_that_does_not_pass_changes_nothing(course: list[tuple[float | None, float]]) -> None:
    assert not any(told(ERRORS, [(figure, 0.0) for figure, _ in course]))


def test_a_limit_of_nothing_turns_a_rule_off_and_an_empty_variable_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(limits(Settings())) == set(Rule)
    for rule in Rule:
        monkeypatch.setenv(f"MQA_ALARM_{rule.name}", "" if rule.is_share else "0")
    assert limits(Settings()) == {}


def a_count(calls: int, failed: int, left: int = 0, seconds: float = 1.0, **more: object) -> Figures:
    stayed = calls - left
    values: dict[str, object] = dict.fromkeys(Figures.__slots__, 0)
    values |= {
        "calls": calls,
        "outcomes": {CallOutcome.FAILED: failed, CallOutcome.LEFT: left},
        "error_rate": failed / stayed if stayed else None,
        "extract_rate": 0.0,
        "ungrounded_rate": None,
        "times": {"total": Times(seconds, seconds, seconds) if calls else None},
    }
    return Figures(**{**values, **more})  # type: ignore[arg-type]


def test_too_few_questions_are_no_figure() -> None:
    few = figures_of_calls(a_count(9, 9), 10)
    assert set(few.values()) == {None}
    assert figures_of_calls(a_count(20, 2, left=11), 10)[Rule.ERROR_RATE] is None
    enough = figures_of_calls(a_count(10, 4, seconds=7.5, sentences=30, ungrounded_rate=0.2), 10)
    assert (enough[Rule.ERROR_RATE], enough[Rule.ANSWER_SECONDS], enough[Rule.UNGROUNDED_RATE]) == (0.4, 7.5, 0.2)
    assert figures_of_calls(a_count(0, 0), 1)[Rule.ANSWER_SECONDS] is None


def test_one_failure_among_the_least_questions_is_within_the_limit_as_it_is_by_itself() -> None:
    settings = Settings()
    figure = figures_of_calls(a_count(settings.alarm_calls, 1), settings.alarm_calls)[Rule.ERROR_RATE]
    assert not limits(settings)[Rule.ERROR_RATE].is_over(figure)


def test_what_comes_on_does_not_stand_still() -> None:
    seen = stalled({}, {"job-1": "a", "job-2": "a"}, 60.0)
    assert longest_minutes(seen) == 0.0
    seen = stalled(seen, {"job-1": "a", "job-2": "b"}, 120.0)
    assert seen == {"job-1": ("a", 120.0), "job-2": ("b", 0.0)}
    seen = stalled(seen, {"job-1": "a"}, 60.0)
    assert (longest_minutes(seen), set(seen)) == (3.0, {"job-1"})
    assert longest_minutes(stalled(seen, {}, 60.0)) == 0.0
