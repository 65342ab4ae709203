"""The page of operations: whether the service is well, and whether its answers are good."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from app.alarms.alarming import WatchedRule
from app.alarms.messages import rule_name, shown
from app.alarms.rules import Rule
from app.api.deps import ServicesDep
from app.api.language import request_language
from app.api.operation_schemas import FiguresOut, OperationsOut
from app.api.operations import WantedDep, operations_out
from app.api.web.rendering import render
from app.api.web.routing import EditorDep, PageRoute
from app.catalogue.alarms import Alarm
from app.catalogue.operations import CallFilter, Period
from app.catalogue.records import Key
from app.catalogue.tables import now
from app.health import free_disk_mb
from app.parts import PartState
from app.phrases import translated
from app.services import Services
from app.types import Language

router = APIRouter(prefix="/operations", route_class=PageRoute, include_in_schema=False)

WIDTH, HEIGHT, EDGE = 600, 120, 8
"""Of a chart, in its own units; an edge is half a line of its axis, whose values stand beside their lines."""
SHOWN_ALARMS = 20
SAME = 0.0005
"""A change of a rate or a time that is none for people."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure with its change against the period before; `way` is "better", "worse" or ""."""

    name: str
    value: str
    change: str
    way: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure over time: `lines` are points of polylines, which end where nothing was asked; `dots` lone points.

    `ticks` are the values of the axis with the heights of their lines, from the top.
    """

    name: str
    most: str
    last: str
    lines: list[str]
    dots: list[tuple[float, float]]
    ticks: list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Measure:
    """How a figure is read, shown, and shown on an axis; `better` says which way is for the better: -1 down, 0 none."""

    name: str
    read: Callable[[FiguresOut], float | None]
    shown: Callable[[float], str]
    on_axis: Callable[[float], str]
    better: int = -1


@dataclass(frozen=True, slots=True)
class ShownRule:
    """A rule of alarms as the page has it; `since` is the moment at which it began to fire."""

    id: str
    name: str
    figure: str
    limit: str
    is_least: bool
    phase: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """An alarm of the past, or one that fires; `notices` are (happening, way, state, why it was not delivered)."""

    name: str
    figure: str
    fired_at: datetime
    recovered_at: datetime | None
    notices: list[tuple[str, str, str, str]]


@router.get("")
async def show_operations(
    request: Request, services: ServicesDep, key: EditorDep, wanted: WantedDep, period: str = ""
) -> Response:
    """Figures of a period beside the one before, over time, and by knowledge base, model and adapter."""
    chosen = next((one for one in Period if one == period), Period.DAY)
    wanted = CallFilter(wanted.knowledge_base_id or None, wanted.model or None, wanted.adapter_id or None)
    parts = await services.health.parts()
    shown = partial(_page, request, services, key, wanted, chosen, parts)
    return await to_thread.run_sync(shown)


def _page(
    request: Request, services: Services, key: Key, wanted: CallFilter, period: Period, parts: dict[str, PartState]
) -> Response:
    at = now()
    found = operations_out(services, period, services.operations.report(period, wanted, at))
    disk, alarms, language = None, None, request_language(request)
    if key.knowledge_base_ids is None:
        disk = free_disk_mb(services.settings)
        alarms = request.app.state.alarming
    return render(
        request,
        "operations.html",
        key=key,
        found=found,
        period=period.value,
        periods=[one.value for one in Period],
        wanted=wanted,
        bases=services.bases.all(),
        models=services.operations.models(at),
        adapters=services.adapters.all(200),
        parts=parts,
        jobs=services.counts.jobs(),
        free_mb=disk,
        disk_is_low=disk is not None and disk < services.settings.min_free_disk_mb,
        tiles=[_tile(measure, found) for measure in MEASURES],
        charts=[_chart(measure, found) for measure in MEASURES],
        rules=[] if alarms is None else [_rule(one, language) for one in alarms.standing() if one.limit is not None],
        history=[] if alarms is None else [_past(one, language) for one in alarms.history(SHOWN_ALARMS)],
        percent=_percent,
        seconds=_seconds,
    )


def _rule(standing: WatchedRule, language: Language) -> ShownRule:
    rule, state, limit = standing.rule, standing.state, standing.limit
    return ShownRule(
        id=rule.value,
        name=rule_name(rule, language),
        figure="–" if state is None or state.figure is None else shown(rule, state.figure, language),
        limit=shown(rule, None if limit is None else limit.value, language),
        is_least=rule.is_least,
        phase=standing.phase.value,
        since=None if state is None else state.since,
    )


def _past(alarm: Alarm, language: Language) -> ShownAlarm:
    rule = Rule(alarm.rule)
    notices = [
        (one.happening, one.way, one.state.value, translated(one.reason or "", language)) for one in alarm.notices
    ]
    return ShownAlarm(
        rule_name(rule, language), shown(rule, alarm.figure, language), alarm.fired_at, alarm.recovered_at, notices
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%"


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.2f} s"


def _count(count: float | None) -> str:
    return "–" if count is None else f"{count:,.0f}"


def _percent_on_axis(share: float) -> str:
    return f"{100 * share:g}%"


def _seconds_on_axis(seconds: float) -> str:
    return f"{seconds:g} s"


def _p95(figures: FiguresOut) -> float | None:
    times = figures.times["total"]
    return None if times is None else times.p95


def _first_token(figures: FiguresOut) -> float | None:
    times = figures.times["first_token"]
    return None if times is None else times.p95


MEASURES = (
    Measure("calls", lambda figures: figures.calls, _count, _count, better=0),
    Measure("error_rate", lambda figures: figures.error_rate, _percent, _percent_on_axis),
    Measure("refusal_rate", lambda figures: figures.refusal_rate, _percent, _percent_on_axis, better=0),
    Measure("extract_rate", lambda figures: figures.extract_rate, _percent, _percent_on_axis),
    Measure("ungrounded_rate", lambda figures: figures.ungrounded_rate, _percent, _percent_on_axis),
    Measure("wrong_rate", lambda figures: figures.wrong_rate, _percent, _percent_on_axis),
    Measure("first_token", _first_token, _seconds, _seconds_on_axis),
    Measure("p95", _p95, _seconds, _seconds_on_axis),
)


def _tile(measure: Measure, found: OperationsOut) -> Tile:
    value, before = measure.read(found.total), measure.read(found.before)
    shown = "–" if value is None else measure.shown(value)
    if value is None or before is None:
        return Tile(measure.name, shown, "", "")
    difference = value - before
    if abs(difference) < SAME:
        return Tile(measure.name, shown, measure.shown(0), "")
    sign = "+" if difference > 0 else "−"
    way = "" if not measure.better else "better" if difference * measure.better > 0 else "worse"
    return Tile(measure.name, shown, sign + measure.shown(abs(difference)), way)


def _chart(measure: Measure, found: OperationsOut) -> Chart:
    values = [measure.read(bucket.figures) for bucket in found.buckets]
    most = max((value for value in values if value is not None), default=None)
    top = _top(most or 0.0, whole=measure.shown is _count)
    step = (WIDTH - 2 * EDGE) / max(1, len(values) - 1)
    runs: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            y = HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * value / top
            runs[-1].append((round(EDGE + place * step, 1), round(y, 1)))
    lines = [" ".join(f"{x},{y}" for x, y in run) for run in runs if len(run) > 1]
    last = next((value for value in reversed(values) if value is not None), None)
    shown = "–" if last is None else measure.shown(last)
    highest = "–" if most is None else measure.shown(most)
    ticks = [(measure.on_axis(top * part), EDGE + (HEIGHT - 2 * EDGE) * (1 - part)) for part in (1.0, 0.5, 0.0)]
    return Chart(measure.name, highest, shown, lines, [run[0] for run in runs if len(run) == 1], ticks)


def _top(most: float, *, whole: bool) -> float:
    """A round number that is no less, and whose half is round too: an even one where only whole numbers are counted."""
    if not most:
        return 2.0 if whole else 1.0
    power = 10.0 ** math.floor(math.log10(most))
    rounded = next(factor for factor in (1, 2, 4, 6, 8, 10) if factor * power >= most * (1 - 1e-9))
    top = round(rounded * power, 12)
    return max(top, 2.0) if whole else top
