"""All rows of a catalogue from one database to another, of either kind, and whether they are the same there.

Tables and columns are those of `tables.py` themselves, so that a new one is copied without a word here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import JSON, Integer, Row, String, Table, and_, delete, func, insert, null, select, update

from app.catalogue.contents import ROWS_AT_ONCE, in_batches
from app.catalogue.database import Sessions, by_code_points, keeps_nul
from app.catalogue.jobs import OPEN
from app.catalogue.tables import Table as CatalogueTable
from app.types import JobState, Stage

LEFT_OUT: Final = frozenset({"processes", "web_sessions", "alarm_states", "alarms", "alarm_notices"})
"""Tables of one set-up alone: who is alive in it, which browsers are signed in at its address, and its alarms."""

NO_CONTENT: Final = LEFT_OUT | {"api_keys", "audit"}
"""Tables that a server fills by itself at its first start, or when it is looked at."""

TABLES: Final = tuple(table for table in CatalogueTable.metadata.sorted_tables if table.name not in LEFT_OUT)
"""Those that are copied, each behind all that it refers to."""

INDEXED: Final = frozenset({"documents", "chunks"})
"""Tables whose texts the keyword index is made of."""

_MOST_INTEGER = 2**31 - 1
"""Largest number of an `Integer` on Postgres; SQLite has no such limit, as it has none for a text's length."""

_FORGOTTEN: Final = {"evaluations": "claimed_by", "finetune_jobs": "claimed_by", "turns": "process_id"}
"""Columns that name a process of the old set-up."""

_WAITING: Final = {
    "state": JobState.QUEUED.value,
    "stage": Stage.WAITING.value,
    "stage_started_at": None,
    "stage_from": 0,
    "steps_at_start": -1,
    "attempts": 0,
}
"""What an open job is in the new set-up, whose queues begin it anew."""

Values = dict[str, Any]
Kind = Literal["missing", "changed", "extra"]
Progress = Callable[[int], None]
"""Called with the number of rows that have been looked at since the last call."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table on both sides: how many rows each has, and how many of them are not the same."""

    name: str
    source: int
    target: int
    different: int


class RowCopy:
    """Makes the tables of `target` equal to those of `source`, which nobody writes to meanwhile.

    Each row is compared by its key, so that a copy that broke off goes on, also where the source has changed since.
    `before_texts_change` is called before a text that an index may have been made of is taken away or replaced.
    """

    def __init__(self, source: Sessions, target: Sessions, before_texts_change: Callable[[], None]) -> None:
        self._source = source
        self._target = target
        self._before_texts_change = before_texts_change

    def run(self, progress: Progress) -> None:
        """Takes out what the source lacks, then changes and adds, behind what it refers to."""
        filled = {table.name for table in TABLES if count_rows(self._target, table)}
        for table in reversed(TABLES):
            if table.name in filled:
                self._apply(table, "extra", _delete)
        for table in TABLES:
            if table.name in filled:
                self._apply(table, "changed", _update)
            self._apply(table, "missing", _insert, progress)

    def facts(self, table: Table, progress: Progress) -> TableFacts:
        """Both sides of a table, row by row."""
        counts = [0, 0]
        different = 0
        for old, new in self._pairs(table, progress):
            counts[0] += old is not None
            counts[1] += new is not None
            different += old != new
        return TableFacts(table.name, counts[0], counts[1], different)

    def _apply(
        self,
        table: Table,
        kind: Kind,
        write: Callable[[Any, Table, list[Values]], None],
        progress: Progress | None = None,
    ) -> None:
        texts = kind != "missing" and table.name in INDEXED
        for rows in in_batches(self._of_kind(table, kind, progress)):
            if texts:
                self._before_texts_change()
                texts = False
            with self._target.begin() as session:
                write(session, table, rows)

    def _of_kind(self, table: Table, kind: Kind, progress: Progress | None) -> Iterator[Values]:
        for old, new in self._pairs(table, progress or _silent):
            if old is None:
                if kind == "extra" and new is not None:
                    yield new
            elif new is None:
                if kind == "missing":
                    yield old
            elif kind == "changed" and old != new:
                yield old

    def _pairs(self, table: Table, progress: Progress) -> Iterator[tuple[Values | None, Values | None]]:
        """Rows with the same key, in its order; None where a side has none."""
        with self._target() as session:
            nul = keeps_nul(session)
        sources = (_as_it_arrives(table, row, nul=nul) for row in _rows(self._source, table))
        targets = _rows(self._target, table)
        old, new = next(sources, None), next(targets, None)
        seen = 0
        while old is not None or new is not None:
            if new is None or (old is not None and _key(table, old) < _key(table, new)):
                yield old, None
                old = next(sources, None)
            elif old is None or _key(table, new) < _key(table, old):
                yield None, new
                new = next(targets, None)
            else:
                yield old, new
                old, new = next(sources, None), next(targets, None)
            seen += 1
            if seen % ROWS_AT_ONCE == 0:
                progress(ROWS_AT_ONCE)
        progress(seen % ROWS_AT_ONCE)


def count_rows(sessions: Sessions, table: Table) -> int:
    """How many rows a table has."""
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def has_content(sessions: Sessions) -> bool:
    """Whether there is anything that a server has not put there by itself."""
    with sessions() as session:
        return any(
            session.execute(select(table.primary_key.columns[0]).limit(1)).first() is not None
            for table in TABLES
            if table.name not in NO_CONTENT
        )


def columns_that_overflow(sessions: Sessions) -> list[str]:
    """Names of columns with a value that Postgres would refuse there."""
    found = []
    with sessions() as session:
        for table in TABLES:
            limits = [(column, *limit) for column in table.columns if (limit := _limit(column)) is not None]
            largest = session.execute(select(*(size for _, size, _ in limits))).one()
            found += [
                f"{table.name}.{column.name}"
                for (column, _, most), size in zip(limits, largest, strict=True)
                if size is not None and size > most
            ]
    return found


def _limit(column: Any) -> tuple[Any, int] | None:  # noqa: ANN401 - a column of any type
    """What measures the largest value of a column, and how large Postgres lets it be."""
    if isinstance(column.type, String) and column.type.length is not None:
        return func.max(func.length(column)), column.type.length
    if isinstance(column.type, Integer):
        return func.max(func.abs(column)), _MOST_INTEGER
    return None


def _rows(sessions: Sessions, table: Table) -> Iterator[Values]:
    """All rows of a table in the order of their key, some at a time."""
    jsons = [column for column in table.columns if isinstance(column.type, JSON)]
    with sessions() as session:
        key = by_code_points(session, table.primary_key.columns)
        query = select(*table.columns, *(column.is_(null()).label(_absent(column.name)) for column in jsons))
        for row in session.execute(query.order_by(*key), execution_options={"yield_per": ROWS_AT_ONCE}):
            yield _values(row, [column.name for column in jsons])


def _values(row: Row[Any], jsons: list[str]) -> Values:
    """A row by its columns; a JSON column that holds `null` is told from one that holds nothing."""
    values: Values = dict(row._mapping)  # noqa: SLF001 - the public name of a row's mapping
    for name in jsons:
        if not values.pop(_absent(name)) and values[name] is None:
            values[name] = JSON.NULL
    return values


def _absent(name: str) -> str:
    return f"{name}_is_absent"


def _as_it_arrives(table: Table, values: Values, *, nul: bool) -> Values:
    """What a row of the source is in the target."""
    if table.name in _FORGOTTEN:
        values[_FORGOTTEN[table.name]] = None
    if table.name == "jobs" and values["state"] in OPEN:
        values.update(_WAITING)
    if not nul:
        values = {
            name: value.replace("\0", "\ufffd") if isinstance(value, str) else value for name, value in values.items()
        }
    return values


def _key(table: Table, values: Values) -> tuple[Any, ...]:
    return tuple(values[column.name] for column in table.primary_key.columns)


def _bound(table: Table, values: Values) -> Values:
    """A row for writing: a JSON column without anything needs to be told so."""
    return {
        name: null() if value is None and isinstance(table.columns[name].type, JSON) else value
        for name, value in values.items()
    }


def _insert(session: Any, table: Table, rows: list[Values]) -> None:  # noqa: ANN401
    session.execute(insert(table), [_bound(table, row) for row in rows])


def _update(session: Any, table: Table, rows: list[Values]) -> None:  # noqa: ANN401
    for row in rows:
        session.execute(update(table).where(_is(table, row)).values(_bound(table, row)))


def _delete(session: Any, table: Table, rows: list[Values]) -> None:  # noqa: ANN401
    for row in rows:
        session.execute(delete(table).where(_is(table, row)))


def _is(table: Table, row: Values) -> Any:  # noqa: ANN401 - an expression
    return and_(*(column == row[column.name] for column in table.primary_key.columns))


def _silent(rows: int) -> None:
    """Nobody is told."""
