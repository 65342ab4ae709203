"""What both databases promise alike, and what is Postgres' own: locks among processes, lost servers, odd texts."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from app.catalogue import haste
from app.catalogue.database import Locks, Sessions, open_database
from app.catalogue.tables import KnowledgeBaseRow
from app.errors import DatabaseUnusable, Unavailable
from tests.fixtures.catalogues import PART, Catalogue, a_catalogue, a_file
from tests.fixtures.postgres import PASSWORD, PostgresServer, a_postgres
from tests.fixtures.waiting import wait_for


def test_what_a_writer_has_read_holds_until_it_commits(catalogue: Catalogue) -> None:
    base = catalogue.base("0")

    def count_up(sessions: Sessions) -> None:
        for _ in range(10):
            with sessions.begin() as session:
                row = session.get_one(KnowledgeBaseRow, base.id)
                row.name = str(int(row.name) + 1)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(count_up, Sessions(catalogue.engine)) for _ in range(4)]:
            done.result(120)
    assert catalogue.bases.get(base.id).name == "40"


def test_a_reader_sees_one_state_throughout(catalogue: Catalogue) -> None:
    catalogue.base("one")
    count = select(func.count()).select_from(KnowledgeBaseRow)
    with catalogue.sessions() as session:
        assert session.scalar(count) == 1
        catalogue.base("two")
        assert session.scalar(count) == 1


def test_names_are_ordered_by_their_code_points(catalogue: Catalogue) -> None:
    names = ["Zebra", "apple", "Éclair", "a-b", "ab", "手册", "A b", "Ab"]
    for name in names:
        catalogue.base(name)
    assert [base.name for base in catalogue.bases.all()] == sorted(names)
    base = catalogue.bases.all()[0]
    for name in names:
        catalogue.queued(base, a_file(name, name))
    folded = sorted(names, key=lambda name: ("".join(c.lower() if c.isascii() else c for c in name), name))
    assert [one.name for one in catalogue.documents.all(base.id, 20, 0, sort="name")] == folded
    assert {one.name for one in catalogue.documents.all(base.id, 20, 0, name="ZEB")} == {"Zebra"}


def test_a_text_with_a_nul_is_kept_at_its_length(catalogue: Catalogue) -> None:
    base = catalogue.base()
    one = catalogue.queued(base)
    catalogue.contents.put_part(one.document, 1, PART)
    catalogue.contents.put_texts(one.document, {1: "a\0b"})
    text = catalogue.contents.page_text(one.document, 1)
    assert text in ("a\0b", "a\ufffdb")
    assert catalogue.contents.page_text(one.document, 2) == "two"


def test_a_lock_is_held_by_one_at_a_time_and_others_do_not_wait(catalogue: Catalogue) -> None:
    locks = [Locks(catalogue.engine), Locks(catalogue.engine)] if catalogue.engine.dialect.name != "sqlite" else []
    locks = locks or [Locks(catalogue.engine)] * 2  # SQLite has one process, with one of them
    inside, most = 0, 0

    def work(number: int) -> None:
        nonlocal inside, most
        for _ in range(20):
            with locks[number % 2].of("one"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, number) for number in range(4)]:
            done.result(120)
    assert most == 1
    entered = threading.Event()
    with locks[0].of("one"), ThreadPoolExecutor(1) as pool:

        def other() -> None:
            with locks[1].of("other"):
                entered.set()

        pool.submit(other).result(60)
    assert entered.is_set()
    with pytest.raises(RuntimeError), locks[0].of("one"):
        raise RuntimeError
    with locks[1].of("one"):  # it was given back
        pass
    for one in locks:
        one.close()


def test_ten_processes_migrate_a_database_once(postgres: PostgresServer, tmp_path: Path) -> None:
    with postgres.database() as url, ThreadPoolExecutor(5) as pool:
        for opened in [pool.submit(open_database, tmp_path, url) for _ in range(5)]:
            opened.result(120).dispose()
        with a_catalogue(tmp_path, url) as catalogue:
            assert catalogue.bases.all() == []


@pytest.mark.parametrize("url", ["mysql://u:s3cret@h/db", "not a url s3cret", "postgresql://u:s3cret@h"])
def test_an_address_that_is_none_is_told_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable) as refused:
        open_database(tmp_path, SecretStr(url))
    assert "s3cret" not in str(refused.value) + str(refused.value.detail)


def test_a_server_that_refuses_us_is_told_without_the_password(postgres: PostgresServer, tmp_path: Path) -> None:
    wrong = SecretStr(postgres.url("nowhere").get_secret_value())
    with pytest.raises(DatabaseUnusable) as refused:
        open_database(tmp_path, wrong)
    assert f"postgresql://127.0.0.1:{postgres.port}/nowhere" in str(refused.value)
    assert PASSWORD not in str(refused.value) + str(refused.value.detail)


def test_a_server_that_crashes_is_used_again_once_it_is_back(tmp_path: Path) -> None:
    with a_postgres() as server, server.database() as url, a_catalogue(tmp_path, url) as catalogue:
        base = catalogue.base()
        locks = Locks(catalogue.engine)
        with pytest.raises(Unavailable), locks.of("lost"):  # who held it is told
            server.stop()
        with pytest.raises(SQLAlchemyError):
            catalogue.bases.get(base.id)
        with pytest.raises(Unavailable), locks.of("lost"):
            pass
        server.start()
        assert catalogue.bases.get(base.id).name == base.name
        assert catalogue.base("after").name == "after"
        with locks.of("lost"):
            pass
        locks.close()


def test_a_server_that_has_become_a_standby_is_left(postgres: PostgresServer, tmp_path: Path) -> None:
    """After a failover the old server answers on, and refuses to write."""
    with postgres.database() as url, a_catalogue(tmp_path, url) as catalogue:
        catalogue.base("before")
        with postgres.connected() as connection:
            name = str(url.get_secret_value()).rpartition("/")[2]
            connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        catalogue.engine.dispose()
        with pytest.raises(DBAPIError):
            catalogue.base("while it is one")
        with postgres.connected() as connection:
            connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
        assert wait_for(lambda: catalogue.base("after").name == "after")


def test_a_hasty_writer_is_told_that_another_writes_and_readers_go_on(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(haste, "_HASTY_SECONDS", 0.3)
    base = catalogue.base("one")

    def rename() -> str:
        try:
            with haste.hasty(), catalogue.sessions.begin() as session:
                session.get_one(KnowledgeBaseRow, base.id).name = "two"
        except OperationalError:
            return "refused"
        return "renamed"

    with ThreadPoolExecutor(18) as pool:  # more than there are connections for readers
        with catalogue.sessions.begin() as session:
            session.get_one(KnowledgeBaseRow, base.id)  # has the lock from here on
            told = [pool.submit(rename) for _ in range(18)]
            assert catalogue.bases.get(base.id).name == "one"
            assert {one.result(60) for one in told} == {"refused"}
        assert pool.submit(rename).result(60) == "renamed"


def test_a_patient_writer_waits_its_turn(catalogue: Catalogue) -> None:
    base = catalogue.base("one")

    def rename() -> None:
        with haste.hasty(), haste.patient(), catalogue.sessions.begin() as session:
            session.get_one(KnowledgeBaseRow, base.id).name = "two"

    with ThreadPoolExecutor(1) as pool:
        with catalogue.sessions.begin() as session:
            session.get_one(KnowledgeBaseRow, base.id)
            told = pool.submit(rename)
            with pytest.raises(TimeoutError):
                told.result(0.3)
        told.result(60)
    assert catalogue.bases.get(base.id).name == "two"
