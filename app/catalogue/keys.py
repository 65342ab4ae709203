"""API keys: made once, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.catalogue.database import Sessions
from app.catalogue.records import Key
from app.catalogue.tables import KeyRow, now
from app.errors import KeyInvalid, NotFound

PREFIX = "mqa_"
FIRST_ID = "key-first"
LOCAL_ID = "local"
"""Whose key is no row: who has the token of the running server, or its sign-in link, on the same machine."""


class Role(StrEnum):
    """What a key may do; each role may do all that the ones before it may."""

    READER = "reader"
    EDITOR = "editor"
    ADMIN = "admin"

    def covers(self, needed: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(needed)


def new_secret() -> str:
    """A fresh key of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def local_user() -> Key:
    """The user who runs the server."""
    return Key(id=LOCAL_ID, name="command line on this machine", role=Role.ADMIN, created_at=now())


def digest(secret: str) -> str:
    """What is kept of a key. A plain hash is enough, since the key is random and long, not a password."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Keys:
    """The keys of this server."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def create(self, name: str, role: Role) -> tuple[Key, str]:
        """A new key and its secret, which is not kept and cannot be shown again."""
        secret = new_secret()
        row = KeyRow(id=f"key-{secrets.token_hex(6)}", name=name, role=role, sha256=digest(secret))
        with self._sessions.begin() as session:
            session.add(row)
            session.flush()
            return key_of(row), secret

    def create_first(self, secret: str) -> None:
        """The first admin key, where there is none yet; several processes may do so at the same moment."""
        if self.count():
            return
        try:
            with self._sessions.begin() as session:
                session.add(KeyRow(id=FIRST_ID, name="first key", role=Role.ADMIN, sha256=digest(secret)))
        except IntegrityError:  # another process was faster
            return

    def find(self, secret: str) -> Key:
        """The key of this secret; raises `KeyInvalid` where there is none or it was revoked.

        The look-up is by hash, so its timing tells nothing about the secret.
        """
        with self._sessions() as session:
            row = session.scalars(select(KeyRow).where(KeyRow.sha256 == digest(secret))).one_or_none()
        if row is None or row.revoked_at is not None:
            raise KeyInvalid
        return key_of(row)

    def all(self) -> list[Key]:
        with self._sessions() as session:
            return [key_of(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.created_at))]

    def count(self) -> int:
        with self._sessions() as session:
            return session.scalar(select(func.count()).select_from(KeyRow)) or 0

    def revoke(self, key_id: str) -> None:
        """Ends a key at once; raises `NotFound`."""
        with self._sessions.begin() as session:
            row = session.get(KeyRow, key_id)
            if row is None:
                raise NotFound
            row.revoked_at = row.revoked_at or now()


def key_of(row: KeyRow) -> Key:
    """The record of a row."""
    return Key(id=row.id, name=row.name, role=row.role, created_at=row.created_at, revoked_at=row.revoked_at)
