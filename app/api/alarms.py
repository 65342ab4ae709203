"""Routes of alarms: how the rules stand, what has fired, and a test of the ways that notices go out on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.alarms.alarming import Alarming
from app.alarms.rules import Rule
from app.api.alarm_schemas import AlarmOut, AlarmsOut, NoticeOut, RuleOut, TriedOut, WaysTriedOut
from app.api.deps import LanguageDep, admin
from app.api.jobs import Limit, Offset
from app.catalogue.alarms import Alarm
from app.phrases import translated
from app.types import Language

router = APIRouter(prefix="/v1/alarms", tags=["operations"], dependencies=[admin])


def get_alarming(request: Request) -> Alarming:
    """The alarms of this server."""
    alarming: Alarming = request.app.state.alarming
    return alarming


AlarmingDep = Annotated[Alarming, Depends(get_alarming)]


@router.get("")
def list_alarms(alarming: AlarmingDep, language: LanguageDep, limit: Limit = 100, offset: Offset = 0) -> AlarmsOut:
    """How every rule stands, and the alarms there were, newest first, with their notices."""
    rules = [
        RuleOut(
            rule=one.rule,
            limit=None if one.limit is None else one.limit.value,
            figure=None if one.limit is None or one.state is None else one.state.figure,
            state=one.phase,
            since=None if one.state is None else one.state.since,
        )
        for one in alarming.standing()
    ]
    found = [_alarm_out(alarm, language) for alarm in alarming.history(limit, offset)]
    return AlarmsOut.model_validate({"rules": rules, "ways": list(alarming.ways), "alarms": found})


@router.post("/test")
def try_ways(alarming: AlarmingDep, language: LanguageDep) -> WaysTriedOut:
    """Sends a notice that says it is a test on every way that is set up, and waits for what comes of it."""
    tried = [
        {"way": one.way, "sent": one.reason is None, "reason": one.reason and translated(one.reason, language)}
        for one in alarming.test()
    ]
    return WaysTriedOut(tried=[TriedOut.model_validate(one) for one in tried])


def _alarm_out(alarm: Alarm, language: Language) -> AlarmOut:
    notices = [
        NoticeOut.model_validate(
            {
                "id": one.id,
                "happening": one.happening,
                "way": one.way,
                "state": one.state,
                "tries": one.tries,
                "reason": one.reason and translated(one.reason, language),
                "made_at": one.made_at,
                "sent_at": one.sent_at,
            }
        )
        for one in alarm.notices
    ]
    return AlarmOut(
        id=alarm.id,
        rule=Rule(alarm.rule),
        limit=alarm.limit,
        figure=alarm.figure,
        last_figure=alarm.last_figure,
        fired_at=alarm.fired_at,
        recovered_at=alarm.recovered_at,
        notices=notices,
    )
