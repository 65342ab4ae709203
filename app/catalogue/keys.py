"""API keys: made once, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.records import Key
from app.catalogue.tables import KeyRow, KeyScopeRow, KnowledgeBaseRow, now
from app.errors import AdminKeyLimited, KeyExpired, KeyInvalid, KnowledgeBaseNotFound, NotFound

PREFIX = "mqa_"
FIRST_ID = "key-first"
LOCAL_ID = "local"
"""Whose key is no row: who has the token of the running server, or its sign-in link, on the same machine."""

_USED = timedelta(minutes=5)
"""How often at most the use of a key is written down."""


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

    def create(
        self,
        name: str,
        role: Role,
        knowledge_base_ids: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        requests_per_minute: int | None = None,
        questions_per_day: int | None = None,
    ) -> tuple[Key, str]:
        """A new key and its secret, which is not kept and cannot be shown again.

        `knowledge_base_ids` are the only ones that it may use; None stands for all there are and will be. Raises
        `AdminKeyLimited`, `KnowledgeBaseNotFound`.
        """
        if knowledge_base_ids is not None and role == Role.ADMIN:
            raise AdminKeyLimited
        secret = new_secret()
        row = KeyRow(
            id=f"key-{secrets.token_hex(6)}",
            name=name,
            role=role,
            sha256=digest(secret),
            limited=knowledge_base_ids is not None,
            expires_at=expires_at,
            requests_per_minute=requests_per_minute,
            questions_per_day=questions_per_day,
        )
        with self._sessions.begin() as session:
            session.add(row)
            session.flush()
            for knowledge_base_id in dict.fromkeys(knowledge_base_ids or ()):
                base = session.get(KnowledgeBaseRow, knowledge_base_id)
                if base is None or base.deleting:
                    raise KnowledgeBaseNotFound(ref=knowledge_base_id[:60])
                session.add(KeyScopeRow(key_id=row.id, knowledge_base_id=knowledge_base_id))
            session.flush()
            return key_of(session, row), secret

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
        """The key of this secret; raises `KeyInvalid` where there is none or it was revoked, `KeyExpired`.

        The look-up is by hash, so its timing tells nothing about the secret.
        """
        sha256, moment = digest(secret), now()
        earlier = (KeyRow.previous_sha256 == sha256) & (KeyRow.previous_until > moment)
        with self._sessions() as session:
            row = session.scalars(select(KeyRow).where((KeyRow.sha256 == sha256) | earlier)).one_or_none()
            if row is None or row.revoked_at is not None:
                raise KeyInvalid
            if has_expired(row, moment):
                raise KeyExpired
            key = key_of(session, row)
        if key.last_used_at is None or moment - key.last_used_at > _USED:
            self._sessions.note(update(KeyRow).where(KeyRow.id == key.id).values(last_used_at=moment))
        return key

    def rotate(self, key_id: str, overlap: timedelta) -> tuple[Key, str]:
        """The key with a new secret; the one before is good for `overlap` more, and every older one ends.

        Raises `NotFound` where there is no such key or it was revoked.
        """
        secret = new_secret()
        with self._sessions.begin() as session:
            row = session.get(KeyRow, key_id)
            if row is None or row.revoked_at is not None:
                raise NotFound
            row.previous_sha256, row.previous_until = row.sha256, now() + overlap
            row.sha256 = digest(secret)
            return key_of(session, row), secret

    def all(self) -> list[Key]:
        with self._sessions() as session:
            return [key_of(session, row) for row in session.scalars(select(KeyRow).order_by(KeyRow.created_at))]

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


def has_expired(row: KeyRow, moment: datetime) -> bool:
    """Whether a key's time is over."""
    return row.expires_at is not None and row.expires_at <= moment


def key_of(session: Session, row: KeyRow) -> Key:
    """The record of a row."""
    scopes = select(KeyScopeRow.knowledge_base_id).where(KeyScopeRow.key_id == row.id)
    return Key(
        id=row.id,
        name=row.name,
        role=row.role,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        knowledge_base_ids=frozenset(session.scalars(scopes)) if row.limited else None,
        requests_per_minute=row.requests_per_minute,
        questions_per_day=row.questions_per_day,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
