"""Opening the catalogue's database, SQLite or Postgres, and bringing it to this version's schema.

The one place that knows how the two differ; what they share is promised by `Sessions` and `Locks`.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import structlog
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from pydantic import SecretStr
from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    String,
    Update,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.catalogue.changes import keep_note, note_change
from app.catalogue.haste import lock_seconds, refusals
from app.catalogue.scope import keep_new_within, keep_within
from app.errors import DatabaseUnusable, MigrationFailed, Unavailable

log = structlog.get_logger(__name__)

_WRITES = "manualqa_writes"
_MIGRATES = "manualqa_migrates"
_HURRIES = "manualqa_hurries"

_CONNECT_SECONDS: Final = 5
_WAIT_SECONDS: Final = 30
"""Longest wait for a free connection, or one statement; for the write lock `lock_seconds` says it."""
_HURRY_MILLISECONDS: Final = 100
"""Longest wait for the write lock of what need not be written."""
_SHORTEST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.5
"""Seconds between two tries of a lock that another holds."""
_POLL_MILLISECONDS: Final = 50
"""SQLite looks for its write lock ever less often, every 100 ms in the end, where busy writers can miss it for long; it
is told to begin anew after this time."""
_READ_ONLY: Final = "25006"
"""SQLSTATE of a write on a server that is a standby now: another one has taken its place."""


class Sessions:
    """Sessions for reading (call it) and for writing (`begin`).

    A writing session takes the write lock before its first read, so that what it has read still holds when it writes;
    a reading one sees one state of the catalogue throughout. Neither leaves the scope of its context, and the change
    that is under way there is noted in the transaction that makes it.

    On Postgres the write lock is an advisory one, held to the end of the transaction. A writing session reads what is
    committed at each statement: since all who write hold the lock, nothing changes between its statements. (One state
    throughout would be that of the moment before it waited for the lock.) So no transaction ever has to be repeated.
    """

    def __init__(self, engine: Engine) -> None:
        writing: dict[str, Any] = {_WRITES: True}
        reading: dict[str, Any] = {}
        if _is_postgres(engine):
            writing["isolation_level"] = "READ COMMITTED"
            reading.update(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._reading = sessionmaker(engine.execution_options(**reading))
        self._writing = sessionmaker(engine.execution_options(**writing))
        self._hurrying = sessionmaker(engine.execution_options(**writing, **{_HURRIES: True}))
        for made in (self._reading, self._writing, self._hurrying):
            event.listen(made, "do_orm_execute", keep_within)
        for made in (self._writing, self._hurrying):
            event.listen(made, "before_flush", keep_new_within)
            event.listen(made, "before_commit", note_change)
            event.listen(made, "after_commit", keep_note)

    def __call__(self) -> Session:
        return self._reading()

    def begin(self) -> AbstractContextManager[Session]:
        """A session that commits at the end, or rolls everything back."""
        return self._writing.begin()

    def note(self, statement: Update) -> None:
        """Writes what is good to know but no reason to wait: nothing, where another holds the write lock."""
        try:
            with self._hurrying.begin() as session:
                session.execute(statement)
        except OperationalError as error:
            log.info("note_left_out", problem=str(error.orig))


class Locks:
    """Locks by name, which last as long as they are needed: a step of a job, an upload that is being kept.

    They hold among all processes of the database: SQLite has one. On Postgres each is an advisory lock of a connection
    of its own, and free when that ends, so a process that dies holds none. Raises `Unavailable` where the database is
    away, also at the end, where the lock was lost with its connection: what was done under it has to be done again.
    """

    def __init__(self, engine: Engine) -> None:
        self._own: dict[str, _Own] = {}
        self._guard = threading.Lock()
        self._engine = _lock_engine(engine.url) if _is_postgres(engine) else None

    def close(self) -> None:
        """Ends the connections."""
        if self._engine is not None:
            self._engine.dispose()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Waits for this lock, however long, and holds it."""
        with self._guard:
            own = self._own.setdefault(name, _Own())
            own.users += 1
        try:
            with own.lock, self._among_processes(name):
                yield
        finally:
            with self._guard:
                own.users -= 1
                if not own.users:
                    del self._own[name]

    @contextmanager
    def _among_processes(self, name: str) -> Iterator[None]:
        if self._engine is None:
            yield
            return
        key = {"key": _lock_number(name)}
        with ExitStack() as undo:
            with _unavailable():
                connection = undo.enter_context(self._engine.connect())
            undo.callback(connection.invalidate)  # with the lock, however this ends
            pause = _SHORTEST_PAUSE
            while not self._is_taken(connection, key):
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            yield
            with _unavailable():
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
            undo.pop_all()
            connection.close()

    @staticmethod
    def _is_taken(connection: Connection, key: dict[str, int]) -> bool:
        """Whether it is ours now. To wait inside a statement would hold up whatever waits for older snapshots to end:
        the jobs' engine builds indexes so, under one of these locks."""
        with _unavailable():
            return bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), key))


class _Own:
    """The part of a lock that keeps the threads of this process apart."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise Unavailable(repr(error)) from error


def open_database(folder: Path, url: SecretStr | None = None, connections: int = 20) -> Engine:
    """The engine of the catalogue, at the newest schema: the Postgres database of `url`, else SQLite in `folder`.

    Raises `DatabaseUnusable`, `MigrationFailed`.
    """
    engine = _sqlite(folder) if url is None else _postgres(url, connections)
    shown = folder if url is None else shown_address(engine.url)
    try:
        _migrate(engine)
    except (CommandError, SQLAlchemyError) as error:
        engine.dispose()
        if url is not None and isinstance(error, OperationalError):
            raise DatabaseUnusable(repr(error), database=shown, reason="it does not answer, or refuses us") from error
        unknown = isinstance(error, CommandError)
        reason = "its schema is not known to this version" if unknown else "it cannot be read or written"
        raise MigrationFailed(repr(error), folder=shown, reason=reason) from error
    return engine


def place_of(engine: Engine) -> str:
    """Where a database is, as people may read it: its address, or the folder with its file."""
    return shown_address(engine.url) if _is_postgres(engine) else str(Path(engine.url.database or "").resolve().parent)


def by_code_points(session: Session, columns: Iterable[Column[Any]]) -> list[ColumnElement[Any]]:
    """What to order by for the order of Python's `sorted`, whatever a server's language is."""
    if not _is_postgres(session.get_bind()):
        return list(columns)
    return [one.collate("C") if isinstance(one.type, String) else one for one in columns]


def keeps_nul(session: Session) -> bool:
    """Whether a text comes back with its NULs; else with U+FFFD in their place."""
    return not _is_postgres(session.get_bind())


def bytes_of(engine: Engine) -> int:
    """About how much of a disk a database takes."""
    if _is_postgres(engine):
        with engine.connect() as connection:
            return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    path = Path(engine.url.database or "")
    return sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*"))


def shown_address(url: URL) -> str:
    """Where a database is, as people may read it: without user and password."""
    return f"postgresql://{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database or ''}"


# --- SQLite -----------------------------------------------------------------------------------------------------------


def _sqlite(folder: Path) -> Engine:
    """Connections that cost little, so that those who wait for the write lock leave enough to those who read."""
    folder.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        f"sqlite:///{folder / 'catalogue.sqlite'}", max_overflow=-1, connect_args={"timeout": _WAIT_SECONDS}
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, record: object) -> None:  # noqa: ARG001
    connection.isolation_level = None  # transactions begin below, not when the driver thinks fit
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # an accepted document survives a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get(_WRITES):
        connection.exec_driver_sql("BEGIN")
        return
    deadline = time.monotonic() + _write_milliseconds(connection) / 1000
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_POLL_MILLISECONDS}")
    driver: Any = connection.connection.driver_connection
    try:
        while time.monotonic() < deadline and _is_locked(driver):
            pass  # each look takes as long as the pragma says
        if not driver.in_transaction:
            if not options.get(_HURRIES):
                refusals.note()
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        driver.execute(f"PRAGMA busy_timeout = {1000 * _WAIT_SECONDS}")


def _is_locked(driver: Any) -> bool:  # noqa: ANN401 - the driver's connection, of whose type its wrapper says nothing
    """Begins to write, or says that another does; what else is wrong is told by the try after this one."""
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return False


def _write_milliseconds(connection: Connection) -> int:
    """Longest wait of a transaction for the write lock."""
    hurries = connection.get_execution_options().get(_HURRIES)
    return _HURRY_MILLISECONDS if hurries else int(1000 * lock_seconds())


# --- Postgres ---------------------------------------------------------------------------------------------------------


def _is_postgres(engine: Engine | Connection) -> bool:
    return engine.dialect.name == "postgresql"


def _postgres(url: SecretStr, connections: int) -> Engine:
    """Connections that are looked at before each use, end with what is silent, and lead to a server that writes."""
    try:
        parsed = make_url(url.get_secret_value())
    except ArgumentError as error:
        raise DatabaseUnusable(database="MQA_DATABASE_URL", reason="it is no URL of a Postgres database") from error
    if parsed.get_backend_name() != "postgresql" or not parsed.database:
        raise DatabaseUnusable(database="MQA_DATABASE_URL", reason="it is no URL of a Postgres database")
    milliseconds = 1000 * _WAIT_SECONDS
    limits = f"-c lock_timeout={milliseconds} -c statement_timeout={4 * milliseconds} "
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_WAIT_SECONDS,
        pool_recycle=3600,
        connect_args=_connect_arguments(parsed, limits + f"-c idle_in_transaction_session_timeout={4 * milliseconds}"),
        hide_parameters=True,
    )
    event.listen(engine, "connect", _configure_postgres)
    event.listen(engine, "begin", _begin_postgres)
    event.listen(engine, "handle_error", _leave_standby)
    return engine


def _lock_engine(url: URL) -> Engine:
    """Connections for locks, beside the others: who holds one never waits for a connection of who waits for it."""
    return create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_pre_ping=True,
        pool_size=2,
        max_overflow=-1,
        connect_args=_connect_arguments(url, ""),
        hide_parameters=True,
    )


def _connect_arguments(url: URL, options: str) -> dict[str, object]:
    """What libpq is told unless the URL says otherwise: to give up what is silent, and to find a server that writes."""
    arguments: dict[str, object] = {
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "manualqa",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 1000 * _WAIT_SECONDS,
        "target_session_attrs": "read-write",
        "options": f"-c timezone=UTC {options}",
    }
    return {name: value for name, value in arguments.items() if name not in url.query}


def _lock_number(name: str) -> int:
    """The number of an advisory lock, which others in the same database hardly take."""
    return int.from_bytes(hashlib.sha256(f"manualqa {name}".encode()).digest()[:8], signed=True)


def _configure_postgres(connection: Any, record: object) -> None:  # noqa: ANN401, ARG001
    """Has a NUL, which SQLite keeps and Postgres refuses, written as the mark of a character that cannot be shown."""
    from psycopg.types.string import StrDumper  # noqa: PLC0415 - the driver of this database alone

    class WithoutNul(StrDumper):
        def dump(self, obj: str) -> Any:  # noqa: ANN401
            return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)

    connection.adapters.register_dumper(str, WithoutNul)


def _begin_postgres(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(_MIGRATES):  # another process may be at it, for as long as it takes
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    elif options.get(_WRITES):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_write_milliseconds(connection)}")
    if options.get(_WRITES):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_lock_number('writes')})")


def _leave_standby(context: ExceptionContext) -> None:
    """After a failover the old server may still answer: its connections are given up as if it had ended."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY and context.engine is not None:
        writes = context.connection is not None and context.connection.get_execution_options().get(_WRITES)
        if writes:
            context.is_disconnect = True


# --- the schema -------------------------------------------------------------------------------------------------------


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.execution_options(**{_WRITES: True, _MIGRATES: True}).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
