"""Adapters in the catalogue: what each was trained from, how it is served, and how far it has come."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.promotions import answering_adapters
from app.catalogue.tables import AdapterRow, now
from app.errors import AdapterNameTaken, AdapterNotFound, AdapterPromoted, AdapterRetired, AdaptersFull
from app.types import AdapterState, PromptKind


@dataclass(frozen=True, slots=True)
class NewAdapter:
    """What is known of an adapter when it comes; see `AdapterRow`. `figures` are those of its training."""

    name: str
    base: str
    base_revision: str
    rank: int
    bytes: int
    sha256: str
    prompt: PromptKind
    context_tokens: int | None = None
    job_id: str | None = None
    data_hash: str | None = None
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter as it stands; its files are in the folder `<id>/peft` of the adapters' folder.

    `hosted` is what the operator wants, not what a model server has at this moment.
    """

    id: str
    name: str
    base: str
    base_revision: str
    rank: int
    bytes: int
    sha256: str
    prompt: PromptKind
    context_tokens: int | None
    state: AdapterState
    hosted: bool
    job_id: str | None
    data_hash: str | None
    figures: dict[str, Any]
    created_at: datetime
    used_at: datetime | None

    @property
    def retired(self) -> bool:
        return self.state == AdapterState.RETIRED


def new_adapter_id() -> str:
    """An id that no adapter has."""
    return f"ad-{secrets.token_hex(8)}"


class AdapterRows:
    """Rows of adapters; each write is one transaction. A row is added once its files are whole and in their place."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, adapter_id: str) -> Adapter:
        """Raises `AdapterNotFound`."""
        with self._sessions() as session:
            return _record(session, _found(session, adapter_id))

    def find(self, adapter_id: str) -> Adapter | None:
        """The adapter, or None where there is none."""
        try:
            return self.get(adapter_id)
        except AdapterNotFound:
            return None

    def of_job(self, job_id: str) -> Adapter | None:
        """The adapter that a training made, or None where it was not registered."""
        query = select(AdapterRow).where(AdapterRow.job_id == job_id).order_by(AdapterRow.created_at)
        with self._sessions() as session:
            row = session.scalars(query.limit(1)).one_or_none()
            return None if row is None else _record(session, row)

    def all(self, limit: int = 1000, offset: int = 0, *, retired: bool = True) -> list[Adapter]:
        """Adapters, newest first, without the retired ones where those are not wanted."""
        query = select(AdapterRow).order_by(AdapterRow.created_at.desc(), AdapterRow.id)
        if not retired:
            query = query.where(AdapterRow.state != AdapterState.RETIRED)
        with self._sessions() as session:
            return _records(session, session.scalars(query.limit(limit).offset(offset)))

    def wanted(self) -> list[Adapter]:
        """The adapters that are to be hosted, the last used first."""
        query = (
            select(AdapterRow)
            .where(AdapterRow.hosted, AdapterRow.state != AdapterState.RETIRED)
            .order_by(func.coalesce(AdapterRow.used_at, AdapterRow.created_at).desc(), AdapterRow.id)
        )
        with self._sessions() as session:
            return _records(session, session.scalars(query))

    def with_files(self) -> set[str]:
        """The ids of all adapters that are not retired."""
        with self._sessions() as session:
            return set(session.scalars(select(AdapterRow.id).where(AdapterRow.state != AdapterState.RETIRED)))

    # --- writing --------------------------------------------------------------------------------------------------

    def require_room(self, name: str, limit: int) -> None:
        """Raises `AdapterNameTaken` or `AdaptersFull`, as `add` would; to be told before files are copied."""
        with self._sessions() as session:
            _require_room(session, name, limit)

    def add(self, adapter_id: str, new: NewAdapter, limit: int) -> Adapter:
        """A checked adapter, whose files are in their place; raises `AdapterNameTaken`, `AdaptersFull`."""
        with self._sessions.begin() as session:
            _require_room(session, new.name, limit)
            row = AdapterRow(
                id=adapter_id,
                name=new.name,
                base=new.base,
                base_revision=new.base_revision,
                rank=new.rank,
                bytes=new.bytes,
                sha256=new.sha256,
                prompt=new.prompt,
                context_tokens=new.context_tokens,
                state=AdapterState.CHECKED,
                hosted=False,
                job_id=new.job_id,
                data_hash=new.data_hash,
                figures=new.figures,
                created_at=now(),
            )
            session.add(row)
            session.flush()
            return _record(session, row)

    def set_hosted(self, adapter_id: str, *, hosted: bool) -> Adapter:
        """Notes whether a model server is to have it; raises `AdapterNotFound`, and `AdapterRetired` where it is away
        for good."""
        with self._sessions.begin() as session:
            row = _found(session, adapter_id)
            if hosted and row.state == AdapterState.RETIRED:
                raise AdapterRetired(ref=adapter_id)
            row.hosted = hosted
            return _record(session, row)

    def used(self, adapter_ids: Sequence[str]) -> None:
        """These have been asked just now; which is used least is decided by it."""
        with self._sessions.begin() as session:
            for row in session.scalars(select(AdapterRow).where(AdapterRow.id.in_(adapter_ids))):
                row.used_at = now()

    def add_figures(self, adapter_id: str, figures: dict[str, Any]) -> Adapter:
        """Adds to its figures, in place of those of the same names; raises `AdapterNotFound`."""
        with self._sessions.begin() as session:
            row = _found(session, adapter_id)
            row.figures = {**row.figures, **figures}
            return _record(session, row)

    def retire(self, adapter_id: str) -> Adapter:
        """It is not hosted or promoted any more; its files stay. Raises `AdapterNotFound`, `AdapterPromoted`."""
        with self._sessions.begin() as session:
            row = _found(session, adapter_id)
            if adapter_id in answering_adapters(session):
                raise AdapterPromoted(ref=adapter_id)
            row.state, row.hosted = AdapterState.RETIRED, False
            return _record(session, row)


def _require_room(session: Session, name: str, limit: int) -> None:
    if session.scalar(select(AdapterRow.id).where(AdapterRow.name == name)) is not None:
        raise AdapterNameTaken(name=name)
    kept = select(func.count()).select_from(AdapterRow).where(AdapterRow.state != AdapterState.RETIRED)
    if (session.scalar(kept) or 0) >= limit:
        raise AdaptersFull(limit=limit)


def _found(session: Session, adapter_id: str) -> AdapterRow:
    row = session.get(AdapterRow, adapter_id)
    if row is None:
        raise AdapterNotFound(ref=adapter_id[:60])
    return row


def _record(session: Session, row: AdapterRow) -> Adapter:
    return _records(session, [row])[0]


def _records(session: Session, rows: Iterable[AdapterRow]) -> list[Adapter]:
    """Whether an adapter is promoted is what the knowledge bases say, which come and go, and no column."""
    promoted = answering_adapters(session)
    return [_with_state(row, AdapterState.PROMOTED if row.id in promoted else AdapterState(row.state)) for row in rows]


def _with_state(row: AdapterRow, state: AdapterState) -> Adapter:
    return Adapter(
        id=row.id,
        name=row.name,
        base=row.base,
        base_revision=row.base_revision,
        rank=row.rank,
        bytes=row.bytes,
        sha256=row.sha256,
        prompt=PromptKind(row.prompt),
        context_tokens=row.context_tokens,
        state=state,
        hosted=row.hosted,
        job_id=row.job_id,
        data_hash=row.data_hash,
        figures=row.figures,
        created_at=row.created_at,
        used_at=row.used_at,
    )
