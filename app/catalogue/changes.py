"""The change that a request makes, and its note in the same transaction: neither is there without the other."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.catalogue.tables import AuditRow, now


@dataclass(slots=True)
class Change:
    """Who changes what: `action` is a method and a route, `target` what its address names.

    `noted` once a transaction has kept it; one that is `always` kept is so without a transaction too.
    """

    key_id: str
    key_name: str
    action: str
    target: Mapping[str, str]
    request_id: str
    always: bool = False
    noted: bool = False

    def row(self) -> AuditRow:
        """The note of it."""
        return AuditRow(
            id=f"aud-{secrets.token_hex(8)}",
            at=now(),
            key_id=self.key_id,
            key_name=self.key_name,
            action=self.action,
            target=dict(self.target),
            request_id=self.request_id,
        )


_change: ContextVar[Change | None] = ContextVar("change", default=None)


def begin_change(change: Change) -> None:
    """What this context commits from here on is this change."""
    _change.set(change)


def change_under_way() -> Change | None:
    """The change of this context."""
    return _change.get()


@contextmanager
def without_change() -> Iterator[None]:
    """No change is under way where the block begins; one that begins inside ends with it."""
    token = _change.set(None)
    try:
        yield
    finally:
        _change.reset(token)


def note_change(session: Session) -> None:
    """Before a commit: the change is noted in the first transaction that it commits."""
    change = _change.get()
    if change is not None and not change.noted:
        session.add(change.row())


def keep_note(session: Session) -> None:  # noqa: ARG001
    """After a commit: the note is there to stay."""
    change = _change.get()
    if change is not None:
        change.noted = True
