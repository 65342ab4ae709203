"""Routes of operations: how calls went, as figures, as a table, and one by one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime

from app.api.deps import KeyDep, ServicesDep, editor, reader
from app.api.jobs import Id, Limit, Offset
from app.api.operation_schemas import BucketOut, CallList, CallOut, FiguresOut, GroupOut, OperationsOut
from app.catalogue.keys import Role
from app.catalogue.operations import STAGES, CallFilter, Group, Period, Report
from app.catalogue.tables import now
from app.services import Services
from app.types import CallOutcome
from eval.report.inert import spreadsheet_cell

router = APIRouter(prefix="/v1", tags=["operations"])

_BYTE_ORDER_MARK = "\ufeff"
_COUNTS = ("calls", "prompt_tokens", "completion_tokens", "sentences", "withheld", "labelled", "wrong", "rated", "down")
_RATES = ("error_rate", "extract_rate", "refusal_rate", "ungrounded_rate", "wrong_rate", "down_rate")
COLUMNS = (
    "by",
    "id",
    "name",
    *_COUNTS[:1],
    *(outcome.value for outcome in CallOutcome),
    *_COUNTS[1:],
    *_RATES,
    *(f"{stage}_{name}_seconds" for stage in STAGES for name in ("p50", "p95", "p99")),
)

Model = Annotated[str | None, Query(max_length=200)]


def wanted_calls(knowledge_base_id: Id = None, model: Model = None, adapter_id: Id = None) -> CallFilter:
    """The filter that all routes of operations take."""
    return CallFilter(knowledge_base_id, model, adapter_id)


WantedDep = Annotated[CallFilter, Depends(wanted_calls)]


@router.get("/operations", dependencies=[editor])
def show_operations(services: ServicesDep, wanted: WantedDep, period: Period = Period.DAY) -> OperationsOut:
    """How the calls of a period went, beside those of the period before. `adapter_id=base` is the model alone."""
    return operations_out(services, period, services.operations.report(period, wanted, now()))


@router.get(
    "/operations.csv",
    dependencies=[editor],
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def download_operations(services: ServicesDep, wanted: WantedDep, period: Period = Period.DAY) -> Response:
    """The same as a table: the total, the period before, each moment, knowledge base, model and adapter."""
    found = operations_out(services, period, services.operations.report(period, wanted, now()))
    headers = {"Content-Disposition": f'attachment; filename="operations-{period.value}.csv"'}
    return Response(csv_of(found), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/calls", dependencies=[reader])
def list_calls(
    services: ServicesDep,
    key: KeyDep,
    wanted: WantedDep,
    outcome: CallOutcome | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> CallList:
    """Calls, newest first: a reader's own, and an editor's those of every key in the knowledge bases it may use."""
    own = None if Role(key.role).covers(Role.EDITOR) else key.id
    chosen = CallFilter(wanted.knowledge_base_id, wanted.model, wanted.adapter_id, own, outcome)
    found = services.operations.calls(chosen, since, until, limit, offset)
    return CallList(calls=[CallOut.model_validate(call) for call in found])


def operations_out(services: Services, period: Period, report: Report) -> OperationsOut:
    """A report as clients see it, with the names of what has one."""
    bases = {base.id: base.name for base in services.bases.all()}
    adapters = {group.id: services.adapters.find(group.id) for group in report.adapters if group.id is not None}
    names = {id_: adapter.name for id_, adapter in adapters.items() if adapter is not None}
    return OperationsOut(
        period=period,
        since=report.since,
        until=report.until,
        bucket_seconds=report.bucket_seconds,
        total=FiguresOut.model_validate(report.total),
        before=FiguresOut.model_validate(report.before),
        buckets=[BucketOut.model_validate(bucket) for bucket in report.buckets],
        knowledge_bases=_groups(report.knowledge_bases, bases),
        models=_groups(report.models, {group.id: group.id for group in report.models if group.id is not None}),
        adapters=_groups(report.adapters, names),
    )


def _groups(groups: list[Group], names: dict[str, str]) -> list[GroupOut]:
    return [
        GroupOut(
            id=group.id,
            name=None if group.id is None else names.get(group.id),
            figures=FiguresOut.model_validate(group.figures),
        )
        for group in groups
    ]


def csv_of(found: OperationsOut) -> str:
    """One line for each set of figures, in UTF-8 with a byte order mark, so that a spreadsheet reads Chinese as such.

    No cell of it is taken for a formula.
    """
    out = io.StringIO()
    out.write(_BYTE_ORDER_MARK)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for by, id_, name, figures in _lines(found):
        writer.writerow([spreadsheet_cell(by), spreadsheet_cell(id_), spreadsheet_cell(name), *_values(figures)])
    return out.getvalue()


def _lines(found: OperationsOut) -> Iterator[tuple[str, str, str, FiguresOut]]:
    yield "total", _iso(found.since), "", found.total
    yield "before", "", "", found.before
    for bucket in found.buckets:
        yield "time", _iso(bucket.start), "", bucket.figures
    groups = (("knowledge_base", found.knowledge_bases), ("model", found.models), ("adapter", found.adapters))
    for by, some in groups:
        for group in some:
            yield by, group.id or "", group.name or "", group.figures


def _values(figures: FiguresOut) -> Iterator[object]:
    yield figures.calls
    yield from (figures.outcomes.get(outcome, 0) for outcome in CallOutcome)
    yield from (getattr(figures, name) for name in (*_COUNTS[1:], *_RATES))
    for stage in STAGES:
        times = figures.times[stage]
        yield from ("", "", "") if times is None else (times.p50, times.p95, times.p99)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
