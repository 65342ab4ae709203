"""Looks at all rules again and again; who fires or recovers is kept with its notices in one step."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from app.alarms.rules import (
    Happening,
    Limit,
    Phase,
    Rule,
    Stalls,
    Standing,
    figures_of_calls,
    longest_minutes,
    stalled,
)
from app.catalogue.alarms import Alarms, Changing, RuleState
from app.catalogue.movement import Movement
from app.catalogue.operations import Operations

log = structlog.get_logger(__name__)

LATELY: Final = timedelta(hours=1)
"""How far back alarms of a rule count that comes and goes."""
_MOST_UNSEEN: Final = 3
"""Times the pause between two looks: more time that passed without one proves nothing of a rule."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where figures come from: `free_mb` is this process's disk, `living` the ids of all processes."""

    operations: Operations
    movement: Movement
    free_mb: Callable[[], int]
    living: Callable[[], Collection[str]]


class Watcher:
    """Looks at the rules of `limits`; `ways` are those that notices go out on.

    Several processes on one database may look, each at its own pace: time counts once, as what has passed since any of
    them looked, and never as more than this process has seen pass itself. So no clock that jumps, and no time while
    nobody looked, makes an alarm fire or recover.
    """

    def __init__(
        self,
        alarms: Alarms,
        sources: Sources,
        limits: dict[Rule, Limit],
        ways: Sequence[str],
        *,
        least_calls: int,
        window_seconds: float,
        pause_seconds: float,
        process_id: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._alarms = alarms
        self._sources = sources
        self._limits = limits
        self._ways = ways
        self._least_calls = least_calls
        self._window_seconds = window_seconds
        self._pause_seconds = pause_seconds
        self._process_id = process_id
        self._monotonic = monotonic
        self._looked: float | None = None

    def look(self, at: datetime) -> bool:
        """Looks at every rule; whether there is anything to tell."""
        moment = self._monotonic()
        own = 0.0 if self._looked is None else min(moment - self._looked, _MOST_UNSEEN * self._pause_seconds)
        figures = figures_of_calls(self._sources.operations.since(at, self._window_seconds), self._least_calls)
        marks, free_mb, living = self._sources.movement.marks(), self._sources.free_mb(), self._sources.living()
        told = False
        with self._alarms.changing() as change:
            if self._looked is None:
                told = self._close_what_is_off(change, at)
            for rule, limit in self._limits.items():
                before = change.state(rule) or RuleState(Phase.OK, at, at)
                elapsed = max(0.0, min((at - before.checked_at).total_seconds(), own))
                memory: dict[str, Any] = {}
                figure: float | None
                if rule is Rule.JOB_MINUTES:
                    stalls = stalled(_stalls(before.memory), marks, elapsed)
                    memory, figure = dict(stalls), longest_minutes(stalls)
                elif rule is Rule.FREE_DISK_MB:
                    others = {one: free for one, free in before.memory.items() if one in living}
                    memory = {**others, self._process_id: free_mb}
                    figure = float(min(memory.values()))
                else:
                    figure = figures[rule]
                told |= self._step(change, limit, replace(before, figure=figure, memory=memory), elapsed, at)
        self._looked = moment
        return told

    def _step(self, change: Changing, limit: Limit, state: RuleState, elapsed: float, at: datetime) -> bool:
        fired_lately = change.fired_since(limit.rule, at - LATELY) if state.phase == Phase.FIRING else 0
        standing = Standing(Phase(state.phase), state.held, state.quiet, state.untold)
        after, happening = standing.next(limit, state.figure, elapsed, fired_lately)
        alarm_id = state.alarm_id
        if happening is Happening.FIRED and state.figure is not None:
            alarm_id = change.fired(limit.rule, limit.value, state.figure, at)
            log.warning("alarm_fired", rule=limit.rule.value, figure=state.figure, limit=limit.value)
        if happening is not None and alarm_id is not None:
            if happening is Happening.RECOVERED:
                change.recovered(alarm_id, state.figure, at)
                log.info("alarm_recovered", rule=limit.rule.value, figure=state.figure, limit=limit.value)
            if happening is not Happening.REMINDER or not change.has_waiting(alarm_id):
                change.tell(alarm_id, happening, self._ways, state.figure, at)
        change.put(
            limit.rule,
            replace(
                state,
                phase=after.phase,
                since=at if after.phase != state.phase else state.since,
                checked_at=at,
                held=after.held,
                quiet=after.quiet,
                untold=after.untold,
                alarm_id=alarm_id if after.phase is Phase.FIRING else None,
            ),
        )
        return happening is not None

    def _close_what_is_off(self, change: Changing, at: datetime) -> bool:
        """An alarm whose rule was turned off is over: nothing would ever say so."""
        told = False
        for rule in change.rules():
            state = change.state(rule)
            if rule in self._limits or state is None:
                continue
            if state.alarm_id is not None:
                change.recovered(state.alarm_id, None, at)
                change.tell(state.alarm_id, Happening.RECOVERED, self._ways, None, at)
                told = True
            change.put(rule, RuleState(Phase.OK, at, at))
        return told


def _stalls(memory: dict[str, Any]) -> Stalls:
    return {id_: (str(mark), float(seconds)) for id_, (mark, seconds) in memory.items()}
