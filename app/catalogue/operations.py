"""How calls went: counts, rates and times of a period, over time and by knowledge base, model and adapter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, Row, Select, Text, case, cast, extract, func, select

from app.catalogue.database import Sessions
from app.catalogue.tables import CallRow
from app.types import CallOutcome, Channel, Label

STAGES: Final = ("sources", "first_token", "total")
PERCENTILES: Final = (50, 95, 99)
MOST_GROUPS: Final = 50
"""Lines of a breakdown: those with the most calls."""
BASE_MODEL: Final = "base"
"""In the place of an adapter's id: the model alone."""


class Period(StrEnum):
    """How far back figures go."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_BUCKETS: Final = {
    Period.HOUR: (60, 60),
    Period.DAY: (48, 1800),
    Period.WEEK: (28, 6 * 3600),
    Period.MONTH: (30, 86_400),
}
"""Number and seconds: as many points as a chart shows apart, and round moments between them."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls; None takes all. `adapter_id` may be "base" for those that the model answered alone."""

    knowledge_base_id: str | None = None
    model: str | None = None
    adapter_id: str | None = None
    key_id: str | None = None
    outcome: CallOutcome | None = None

    def of(self) -> Iterator[ColumnElement[bool]]:
        """As conditions on rows."""
        if self.knowledge_base_id is not None:
            yield CallRow.knowledge_base_id == self.knowledge_base_id
        if self.model is not None:
            yield CallRow.model == self.model
        if self.adapter_id is not None:
            yield (
                CallRow.adapter_id.is_(None)
                if self.adapter_id == BASE_MODEL
                else (CallRow.adapter_id == self.adapter_id)
            )
        if self.key_id is not None:
            yield CallRow.key_id == self.key_id
        if self.outcome is not None:
            yield CallRow.outcome == self.outcome


@dataclass(frozen=True, slots=True)
class Times:
    """Percentiles of a stage in seconds, over the calls that came to it."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of some calls. Rates are shares of 1, and None where there is nothing to take a share of.

    `error_rate`, `extract_rate` and `refusal_rate` are about calls whose asker did not leave; `ungrounded_rate` is
    withheld sentences by all that the model wrote; `wrong_rate` is what reviewers called wrong or unsupported, by all
    they looked at; `down_rate` is thumbs down by all thumbs.
    """

    calls: int
    outcomes: dict[CallOutcome, int]
    refusals: dict[str, int]
    errors: dict[str, int]
    error_rate: float | None
    extract_rate: float | None
    refusal_rate: float | None
    prompt_tokens: int
    completion_tokens: int
    sentences: int
    withheld: int
    ungrounded_rate: float | None
    labelled: int
    wrong: int
    wrong_rate: float | None
    rated: int
    down: int
    down_rate: float | None
    times: dict[str, Times | None]


@dataclass(frozen=True, slots=True)
class Bucket:
    """The figures from one moment to the next bucket's."""

    start: datetime
    figures: Figures


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one knowledge base, model or adapter; None stands for calls without it."""

    id: str | None
    figures: Figures


@dataclass(frozen=True, slots=True)
class Report:
    """A period with its figures, those of the period before, over time, and taken apart."""

    since: datetime
    until: datetime
    bucket_seconds: int
    total: Figures
    before: Figures
    buckets: list[Bucket]
    knowledge_bases: list[Group]
    models: list[Group]
    adapters: list[Group]


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A call in a list; `question` is None where questions are not kept."""

    id: str
    knowledge_base_id: str
    key_id: str
    channel: Channel
    asked_at: datetime
    question: str | None
    outcome: CallOutcome
    reason: str | None
    model: str | None
    adapter_id: str | None
    sources_seconds: float | None
    first_token_seconds: float | None
    total_seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None
    sentences: int
    withheld: int
    verdict: str | None
    label: Label | None


class Operations:
    """Reads calls, within the scope of the request, and changes none."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def report(self, period: Period, wanted: CallFilter, at: datetime) -> Report:
        """The period that ends with the bucket of `at`. One statement, whose rows the database has grouped."""
        number, width = _BUCKETS[period]
        end = (int(at.timestamp()) // width + 1) * width
        start, first = end - number * width, end - 2 * number * width
        with self._sessions() as session:
            rows = session.execute(_grouped(first, end, width, wanted)).all()
        total, before = _Tally(), _Tally()
        buckets = [_Tally() for _ in range(number)]
        groups: tuple[dict[str | None, _Tally], ...] = ({}, {}, {})
        for row in rows:
            part = _Part.of(row)
            place = min(int(row.bucket), 2 * number - 1) - number
            if place < 0:
                before.add(part)
                continue
            total.add(part)
            buckets[place].add(part)
            for found, name in zip(groups, (row.knowledge_base_id, row.model, row.adapter_id), strict=True):
                found.setdefault(name, _Tally()).add(part)
        return Report(
            since=_moment(start),
            until=_moment(end),
            bucket_seconds=width,
            total=total.figures(),
            before=before.figures(),
            buckets=[Bucket(_moment(start + n * width), tally.figures()) for n, tally in enumerate(buckets)],
            knowledge_bases=_largest(groups[0]),
            models=_largest(groups[1]),
            adapters=_largest(groups[2]),
        )

    def since(self, at: datetime, seconds: float) -> Figures:
        """The figures of the last `seconds` before `at`."""
        whole = _columns(cast(0, BigInteger)).where(
            CallRow.asked_at >= at - timedelta(seconds=seconds), CallRow.asked_at <= at
        )
        tally = _Tally()
        with self._sessions() as session:
            for row in session.execute(whole.group_by(*_KEYS)):
                tally.add(_Part.of(row))
        return tally.figures()

    def models(self, at: datetime) -> list[str]:
        """Models of the last month's calls, to choose from."""
        query = select(CallRow.model).where(CallRow.model.is_not(None), CallRow.asked_at >= at - timedelta(days=30))
        with self._sessions() as session:
            return sorted(one for one in session.scalars(query.distinct().limit(MOST_GROUPS)) if one is not None)

    def calls(
        self, wanted: CallFilter, since: datetime | None, until: datetime | None, limit: int, offset: int
    ) -> list[ListedCall]:
        """Calls, newest first, asked from `since` on and before `until`."""
        query = select(*(getattr(CallRow, name) for name in ListedCall.__slots__)).where(*wanted.of())
        if since is not None:
            query = query.where(CallRow.asked_at >= since)
        if until is not None:
            query = query.where(CallRow.asked_at < until)
        query = query.order_by(CallRow.asked_at.desc(), CallRow.id).limit(limit).offset(offset)
        with self._sessions() as session:
            return [
                ListedCall(
                    **{
                        **row._mapping,  # noqa: SLF001 - SQLAlchemy's public name of a row as a mapping
                        "outcome": CallOutcome(row.outcome),
                        "channel": Channel(row.channel),
                        "label": None if row.label is None else Label(row.label),
                    }
                )
                for row in session.execute(query)
            ]


# --- the statement ----------------------------------------------------------------------------------------------------

_KEYS: Final = (CallRow.knowledge_base_id, CallRow.model, CallRow.adapter_id, CallRow.outcome, CallRow.reason)


def _grouped(first: int, end: int, width: int, wanted: CallFilter) -> Select[Any]:
    """Rows grouped by bucket and all that figures are taken apart by; buckets count from `first`, in seconds."""
    bucket = (cast(extract("epoch", CallRow.asked_at), BigInteger) - first) // width
    number = cast(bucket, BigInteger)
    asked = CallRow.asked_at >= _moment(first), CallRow.asked_at < _moment(end)
    return _columns(number).where(*asked, *wanted.of()).group_by(number, *_KEYS)


def _columns(bucket: ColumnElement[int]) -> Select[Any]:
    columns: tuple[Any, ...] = (
        bucket.label("bucket"),
        *_KEYS,
        func.count().label("calls"),
        func.sum(func.coalesce(CallRow.prompt_tokens, 0)).label("prompt_tokens"),
        func.sum(func.coalesce(CallRow.completion_tokens, 0)).label("completion_tokens"),
        func.sum(CallRow.sentences).label("sentences"),
        func.sum(CallRow.withheld).label("withheld"),
        func.count(CallRow.label).label("labelled"),
        _number_of(CallRow.label.in_((Label.WRONG, Label.UNSUPPORTED))).label("wrong"),
        func.count(CallRow.verdict).label("rated"),
        _number_of(CallRow.verdict == "down").label("down"),
        _all_of(CallRow.sources_seconds).label("sources"),
        _all_of(CallRow.first_token_seconds).label("first_token"),
        _all_of(CallRow.total_seconds).label("total"),
    )
    return select(*columns)


def _number_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _all_of(seconds: Any) -> ColumnElement[str]:  # noqa: ANN401 - a column that may be empty, or not
    """All times of a group in one text, as whole milliseconds: a row of Python for each would take ten times as long"""
    return func.aggregate_strings(cast(cast(1000 * seconds, BigInteger), Text), ",")


# --- what becomes of its rows -----------------------------------------------------------------------------------------


Milliseconds = NDArray[np.int64]

_SUMMED: Final = (
    "calls",
    "prompt_tokens",
    "completion_tokens",
    "sentences",
    "withheld",
    "labelled",
    "wrong",
    "rated",
    "down",
)


@dataclass(frozen=True, slots=True)
class _Part:
    """A row of the statement, read once however many tallies it goes into."""

    counts: dict[str, int]
    outcome: CallOutcome
    reason: str | None
    times: dict[str, Milliseconds]

    @staticmethod
    def of(row: Row[Any]) -> _Part:
        values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name of a row as a mapping
        return _Part(
            {name: int(values[name]) for name in _SUMMED},
            CallOutcome(values["outcome"]),
            values["reason"],
            {stage: np.fromstring(values[stage], np.int64, sep=",") for stage in STAGES if values[stage]},
        )


@dataclass(slots=True)
class _Tally:
    """Parts, added up."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SUMMED, 0))
    outcomes: dict[CallOutcome, int] = field(default_factory=lambda: dict.fromkeys(CallOutcome, 0))
    refusals: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    times: dict[str, list[Milliseconds]] = field(default_factory=lambda: {stage: [] for stage in STAGES})

    def add(self, part: _Part) -> None:
        for name, count in part.counts.items():
            self.counts[name] += count
        calls = part.counts["calls"]
        self.outcomes[part.outcome] += calls
        why = {CallOutcome.REFUSED: self.refusals, CallOutcome.FAILED: self.errors}.get(part.outcome)
        if why is not None and part.reason is not None:
            why[part.reason] = why.get(part.reason, 0) + calls
        for stage, times in part.times.items():
            self.times[stage].append(times)

    def figures(self) -> Figures:
        counts, outcomes = self.counts, self.outcomes
        stayed = counts["calls"] - outcomes[CallOutcome.LEFT]
        return Figures(
            **counts,
            outcomes=outcomes,
            refusals=dict(sorted(self.refusals.items())),
            errors=dict(sorted(self.errors.items())),
            error_rate=_share(outcomes[CallOutcome.FAILED], stayed),
            extract_rate=_share(outcomes[CallOutcome.EXTRACTED], stayed),
            refusal_rate=_share(outcomes[CallOutcome.REFUSED], stayed),
            ungrounded_rate=_share(counts["withheld"], counts["sentences"]),
            wrong_rate=_share(counts["wrong"], counts["labelled"]),
            down_rate=_share(counts["down"], counts["rated"]),
            times={stage: _percentiles(told) for stage, told in self.times.items()},
        )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _percentiles(told: list[Milliseconds]) -> Times | None:
    if not told:
        return None
    p50, p95, p99 = (float(value) / 1000 for value in np.percentile(np.concatenate(told), PERCENTILES))
    return Times(p50, p95, p99)


def _largest(groups: dict[str | None, _Tally]) -> list[Group]:
    def order(item: tuple[str | None, _Tally]) -> tuple[int, str]:
        return -item[1].counts["calls"], item[0] or ""

    return [Group(name, tally.figures()) for name, tally in sorted(groups.items(), key=order)[:MOST_GROUPS]]


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
