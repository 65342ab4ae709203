"""When an alarm fires, is told again and recovers: pure functions of a figure and of the time that has passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from app.types import CallOutcome

if TYPE_CHECKING:  # the command line names rules, and need not wait for a database's libraries
    from app.catalogue.operations import Figures
    from app.settings import Settings

MARGIN: Final = 0.2
"""How far inside its limit a figure has to be before an alarm recovers, as a share of the limit."""
MOST_DOUBLINGS: Final = 4
"""An alarm that fires again and again has to be quiet for up to 16 times as long."""


class Rule(StrEnum):
    """What is watched; each is named like the setting of its limit, `MQA_ALARM_ERROR_RATE` and so on."""

    ERROR_RATE = "error_rate"
    EXTRACT_RATE = "extract_rate"
    UNGROUNDED_RATE = "ungrounded_rate"
    ANSWER_SECONDS = "answer_seconds"
    JOB_MINUTES = "job_minutes"
    FREE_DISK_MB = "free_disk_mb"

    @property
    def is_least(self) -> bool:
        """Whether the limit is the least that is well, and not the most."""
        return self is Rule.FREE_DISK_MB

    @property
    def is_share(self) -> bool:
        """Whether figure and limit are shares of 1."""
        return self in (Rule.ERROR_RATE, Rule.EXTRACT_RATE, Rule.UNGROUNDED_RATE)


class Phase(StrEnum):
    """Where an alarm is: pending is over its limit, but not for long enough."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"


class Happening(StrEnum):
    """What there is to tell."""

    FIRED = "fired"
    RECOVERED = "recovered"
    REMINDER = "reminder"


@dataclass(frozen=True, slots=True)
class Limit:
    """A rule as the settings have it. It fires once its figure was over `value` for `hold_seconds`, and recovers once
    it was well inside for `quiet_seconds`; `remind_seconds` of 0 tells it once."""

    rule: Rule
    value: float
    hold_seconds: float
    quiet_seconds: float
    remind_seconds: float

    def is_over(self, figure: float | None) -> bool:
        """Whether a figure breaks the rule; nothing to judge by breaks none."""
        if figure is None:
            return False
        return figure < self.value if self.rule.is_least else figure > self.value

    def is_well(self, figure: float | None) -> bool:
        """Whether it is inside the limit by the margin."""
        if figure is None:
            return True
        if self.rule.is_least:
            return figure >= self.value * (1 + MARGIN)
        return figure <= self.value * (1 - MARGIN)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a rule stands: `held` seconds over its limit, `quiet` seconds well inside it while it fires, `untold`
    seconds since the last notice."""

    phase: Phase = Phase.OK
    held: float = 0.0
    quiet: float = 0.0
    untold: float = 0.0

    def next(
        self, limit: Limit, figure: float | None, elapsed: float, fired_lately: int = 0
    ) -> tuple[Self, Happening | None]:
        """Where it stands after `elapsed` seconds with this figure, and what there is to tell.

        `fired_lately` counts how often it fired within the last hour: a rule that comes and goes has to be quiet for
        twice as long each time, so that it does not flood anybody.
        """
        if self.phase is Phase.FIRING:
            return self._firing(limit, figure, elapsed, fired_lately)
        if not limit.is_over(figure):
            return replace(self, phase=Phase.OK, held=0.0), None
        held = self.held + elapsed if self.phase is Phase.PENDING else 0.0
        if held < limit.hold_seconds:
            return replace(self, phase=Phase.PENDING, held=held), None
        return replace(self, phase=Phase.FIRING, held=held, quiet=0.0, untold=0.0), Happening.FIRED

    def _firing(
        self, limit: Limit, figure: float | None, elapsed: float, fired_lately: int
    ) -> tuple[Self, Happening | None]:
        quiet = self.quiet + elapsed if limit.is_well(figure) else 0.0
        wanted = limit.quiet_seconds * 2 ** min(max(0, fired_lately - 1), MOST_DOUBLINGS)
        if quiet >= wanted and limit.is_well(figure):
            return replace(self, phase=Phase.OK, held=0.0, quiet=0.0, untold=0.0), Happening.RECOVERED
        untold = self.untold + elapsed
        if limit.remind_seconds and untold >= limit.remind_seconds:
            return replace(self, quiet=quiet, untold=0.0), Happening.REMINDER
        return replace(self, quiet=quiet, untold=untold), None


def limits(settings: Settings) -> dict[Rule, Limit]:
    """The rules that are on: a limit of 0 turns one off."""
    seconds, remind = settings.alarm_minutes * 60, settings.alarm_remind_hours * 3600
    values = {
        Rule.ERROR_RATE: settings.alarm_error_rate,
        Rule.EXTRACT_RATE: settings.alarm_extract_rate,
        Rule.UNGROUNDED_RATE: settings.alarm_ungrounded_rate,
        Rule.ANSWER_SECONDS: settings.alarm_answer_seconds,
        Rule.JOB_MINUTES: settings.alarm_job_minutes,
        Rule.FREE_DISK_MB: float(settings.alarm_free_disk_mb),
    }
    return {
        rule: Limit(rule, value, 0.0 if rule is Rule.JOB_MINUTES else seconds, seconds, remind)
        for rule, value in values.items()
        if value
    }


# --- figures ----------------------------------------------------------------------------------------------------------


def figures_of_calls(figures: Figures, least_calls: int) -> dict[Rule, float | None]:
    """The figures of rules on calls; None where too few were asked to judge by."""
    stayed = figures.calls - figures.outcomes[CallOutcome.LEFT]
    enough = stayed >= least_calls
    times = figures.times["total"]
    return {
        Rule.ERROR_RATE: figures.error_rate if enough else None,
        Rule.EXTRACT_RATE: figures.extract_rate if enough else None,
        Rule.UNGROUNDED_RATE: figures.ungrounded_rate if figures.sentences >= least_calls else None,
        Rule.ANSWER_SECONDS: times.p95 if enough and times is not None else None,
    }


Stalls = Mapping[str, tuple[str, float]]
"""What is under way, by its id: a mark that changes whenever it comes on, and for how many seconds it has not."""


def stalled(before: Stalls, marks: Mapping[str, str], elapsed: float) -> dict[str, tuple[str, float]]:
    """The same after `elapsed` seconds, of what is under way now."""
    now = {}
    for id_, mark in marks.items():
        seen, seconds = before.get(id_, (mark, -elapsed))
        now[id_] = (mark, max(0.0, seconds + elapsed) if seen == mark else 0.0)
    return now


def longest_minutes(stalls: Stalls) -> float:
    """For how long the most stuck of them has not come on."""
    return max((seconds for _, seconds in stalls.values()), default=0.0) / 60
