"""The shapes of alarms: rules as they stand, what has fired, and what became of the notices."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.alarms.rules import Happening, Phase, Rule
from app.api.schemas import Shape
from app.catalogue.alarms import NoticeState

WayName = Literal["webhook", "mail"]


class RuleOut(Shape):
    """A rule as it stands; shares are of 1, the others in the unit of their name."""

    rule: Rule
    limit: float | None = Field(description="Null where the rule is off.")
    figure: float | None = Field(description="At the last look; null where there was too little to judge by.")
    state: Phase
    since: datetime | None = Field(description="When it came into its state.")


class NoticeOut(Shape):
    """A notice on one way."""

    id: str
    happening: Happening
    way: WayName
    state: NoticeState
    tries: int
    reason: str | None = Field(description="Why it was last not delivered.")
    made_at: datetime
    sent_at: datetime | None


class AlarmOut(Shape):
    """An alarm from its firing to its recovery."""

    id: str
    rule: Rule
    limit: float
    figure: float = Field(description="When it fired.")
    last_figure: float | None = Field(description="When it recovered; null where there was too little to judge by.")
    fired_at: datetime
    recovered_at: datetime | None = Field(description="Null while it fires.")
    notices: list[NoticeOut]


class AlarmsOut(Shape):
    """All rules, and alarms with the newest first."""

    rules: list[RuleOut]
    ways: list[WayName] = Field(description="On which notices go out.")
    alarms: list[AlarmOut]


class TriedOut(Shape):
    """What came of a test notice on one way."""

    way: WayName
    sent: bool
    reason: str | None = Field(description="Why it was not delivered.")


class WaysTriedOut(Shape):
    """Empty where no way is set up."""

    tried: list[TriedOut]
