"""Sessions of the web pages: the browser keeps a secret in a cookie, the catalogue its hash and whose it is."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.keys import LOCAL_ID, digest, has_expired, key_of, local_user
from app.catalogue.records import Key
from app.catalogue.tables import KeyRow, WebSessionRow, now
from app.errors import SessionEnded

LONGEST = timedelta(days=7)
"""However much a session is used, then the key is asked for again."""
_MOST_OF_A_KEY = 100
"""Open at the same time; the oldest ends for a new one."""
_STEP = 20
"""A session is extended at most so many times in its idle time, so that reading pages writes little."""


class WebSessions:
    """Who is signed in. A session ends on sign-out, when it is not used for its idle time, and with its key."""

    def __init__(self, sessions: Sessions, idle_hours: float) -> None:
        self._sessions = sessions
        self._idle = timedelta(hours=idle_hours)

    def open(self, key_id: str) -> str:
        """A new session of this key, or of the local user; its secret, which is not kept."""
        secret, moment = secrets.token_urlsafe(32), now()
        with self._sessions.begin() as session:
            session.execute(delete(WebSessionRow).where(WebSessionRow.expires_at <= moment))
            session.add(
                WebSessionRow(
                    sha256=digest(secret), key_id=key_id, created_at=moment, expires_at=self._end(moment, moment)
                )
            )
            session.flush()
            newest = (
                select(WebSessionRow.sha256)
                .where(WebSessionRow.key_id == key_id)
                .order_by(WebSessionRow.created_at.desc())
                .limit(_MOST_OF_A_KEY)
            )
            session.execute(
                delete(WebSessionRow).where(WebSessionRow.key_id == key_id, WebSessionRow.sha256.not_in(newest))
            )
        return secret

    def find(self, secret: str) -> Key:
        """Whose session this is, which goes on for its idle time from now; raises `SessionEnded`."""
        moment = now()
        with self._sessions() as session:
            row = session.get(WebSessionRow, digest(secret))
            key = None if row is None or row.expires_at <= moment else _owner(session, row.key_id)
        if row is None or key is None:
            raise SessionEnded
        later = self._end(row.created_at, moment)
        if later - row.expires_at > self._idle / _STEP:
            mine = WebSessionRow.sha256 == row.sha256
            self._sessions.note(update(WebSessionRow).where(mine).values(expires_at=later))
        return key

    def close(self, secret: str) -> None:
        """Ends the session, where it is one."""
        with self._sessions.begin() as session:
            session.execute(delete(WebSessionRow).where(WebSessionRow.sha256 == digest(secret)))

    def _end(self, created: datetime, moment: datetime) -> datetime:
        return min(moment + self._idle, created + LONGEST)


def _owner(session: Session, key_id: str) -> Key | None:
    if key_id == LOCAL_ID:
        return local_user()
    row = session.get(KeyRow, key_id)
    if row is None or row.revoked_at is not None or has_expired(row, now()):
        return None
    return key_of(session, row)
