"""The audit log: every change with its moment, the key that made it and what it was made to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.catalogue.changes import Change
from app.catalogue.database import Sessions
from app.catalogue.tables import AuditRow


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change: `action` is a method and a route, `target` the values in its address."""

    id: str
    at: datetime
    key_id: str
    key_name: str
    action: str
    target: dict[str, Any]
    request_id: str


class Audit:
    """Notes are added with the changes themselves, see `app.catalogue.changes`; nothing removes or alters one."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def all(self, key_id: str | None, limit: int, offset: int) -> list[AuditEntry]:
        """Changes, newest first, of one key where that is given."""
        query = select(AuditRow).order_by(AuditRow.at.desc(), AuditRow.id)
        if key_id is not None:
            query = query.where(AuditRow.key_id == key_id)
        with self._sessions() as session:
            return [_entry(row) for row in session.scalars(query.limit(limit).offset(offset))]

    def note(self, change: Change) -> None:
        """Keeps a change that no transaction has made, such as a backup."""
        if not change.noted:
            change.noted = True  # so that this transaction is not taken for the change
            with self._sessions.begin() as session:
                session.add(change.row())


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(row.id, row.at, row.key_id, row.key_name, row.action, row.target, row.request_id)
