"""Sessions of the web pages: they slide, they end, and they end with their key."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from app.catalogue.keys import LOCAL_ID, Role, digest
from app.catalogue.tables import WebSessionRow, now
from app.catalogue.web_sessions import LONGEST, WebSessions
from app.errors import SessionEnded
from tests.fixtures.catalogues import Catalogue

HOUR = timedelta(hours=1)


@pytest.fixture
def web_sessions(catalogue: Catalogue) -> WebSessions:
    return WebSessions(catalogue.sessions, idle_hours=12)


def move(catalogue: Catalogue, **times: datetime) -> None:
    with catalogue.sessions.begin() as session:
        session.execute(update(WebSessionRow).values(**times))


def expiry(catalogue: Catalogue) -> datetime:
    with catalogue.sessions() as session:
        return session.scalars(select(WebSessionRow.expires_at)).one()


def test_a_session_is_its_keys_and_only_its_hash_is_kept(catalogue: Catalogue, web_sessions: WebSessions) -> None:
    key, _ = catalogue.keys.create("reader", Role.READER)
    secret = web_sessions.open(key.id)
    assert web_sessions.find(secret) == key
    assert web_sessions.find(web_sessions.open(LOCAL_ID)).role == Role.ADMIN
    with catalogue.engine.connect() as connection:
        rows = str(connection.exec_driver_sql("SELECT * FROM web_sessions").all())
    assert digest(secret) in rows
    assert secret not in rows


def test_a_revoked_key_has_no_session(catalogue: Catalogue, web_sessions: WebSessions) -> None:
    key, _ = catalogue.keys.create("reader", Role.READER)
    secret = web_sessions.open(key.id)
    catalogue.keys.revoke(key.id)
    with pytest.raises(SessionEnded):
        web_sessions.find(secret)
    with pytest.raises(SessionEnded):
        web_sessions.find(web_sessions.open("key-none"))


def test_signing_out_ends_this_session_alone(catalogue: Catalogue, web_sessions: WebSessions) -> None:
    key, _ = catalogue.keys.create("reader", Role.READER)
    one, other = web_sessions.open(key.id), web_sessions.open(key.id)
    web_sessions.close(one)
    web_sessions.close("no session")
    with pytest.raises(SessionEnded):
        web_sessions.find(one)
    assert web_sessions.find(other) == key


def test_use_extends_a_session_and_idleness_ends_it(catalogue: Catalogue, web_sessions: WebSessions) -> None:
    secret = web_sessions.open(LOCAL_ID)
    move(catalogue, expires_at=now() + HOUR)
    web_sessions.find(secret)
    assert expiry(catalogue) > now() + 11 * HOUR
    before = expiry(catalogue)
    web_sessions.find(secret)
    assert expiry(catalogue) == before  # not written at every look
    move(catalogue, expires_at=now() - timedelta(seconds=1))
    with pytest.raises(SessionEnded):
        web_sessions.find(secret)


def test_a_session_ends_after_a_week_however_much_it_is_used(catalogue: Catalogue, web_sessions: WebSessions) -> None:
    secret = web_sessions.open(LOCAL_ID)
    begun = now() - LONGEST + HOUR
    move(catalogue, created_at=begun, expires_at=begun + timedelta(minutes=1))
    move(catalogue, expires_at=now() + timedelta(minutes=1))
    web_sessions.find(secret)
    assert expiry(catalogue) == begun + LONGEST


def test_what_has_ended_is_removed_and_a_key_has_at_most_a_hundred(
    catalogue: Catalogue, web_sessions: WebSessions
) -> None:
    first = web_sessions.open(LOCAL_ID)
    move(catalogue, created_at=now() - HOUR)
    opened = [web_sessions.open(LOCAL_ID) for _ in range(100)]
    with pytest.raises(SessionEnded):
        web_sessions.find(first)
    assert web_sessions.find(opened[0])
    move(catalogue, expires_at=now() - HOUR)
    web_sessions.open(LOCAL_ID)
    with catalogue.sessions() as session:
        assert len(session.scalars(select(WebSessionRow)).all()) == 1
