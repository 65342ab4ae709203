"""Opening the catalogue's database and bringing it to this version's schema."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.errors import MigrationFailed

log = structlog.get_logger(__name__)

_WRITES = "manualqa_writes"


class Sessions:
    """Sessions for reading (call it) and for writing (`begin`).

    A writing session takes the write lock before its first read, so that what it has read still holds when it writes;
    a reading one sees one state of the catalogue throughout.
    """

    def __init__(self, engine: Engine) -> None:
        self._reading = sessionmaker(engine)
        self._writing = sessionmaker(engine.execution_options(**{_WRITES: True}))

    def __call__(self) -> Session:
        return self._reading()

    def begin(self) -> AbstractContextManager[Session]:
        """A session that commits at the end, or rolls everything back."""
        return self._writing.begin()


def open_database(folder: Path) -> Engine:
    """The engine of the catalogue in `folder`, at the newest schema; raises `MigrationFailed`."""
    folder.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{folder / 'catalogue.sqlite'}", connect_args={"timeout": 30})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    try:
        _migrate(engine)
    except (CommandError, SQLAlchemyError) as error:
        engine.dispose()
        unknown = isinstance(error, CommandError)
        reason = "its schema is not known to this version" if unknown else "it cannot be read or written"
        raise MigrationFailed(repr(error), folder=folder, reason=reason) from error
    return engine


def _configure_sqlite(connection: sqlite3.Connection, record: object) -> None:  # noqa: ARG001
    connection.isolation_level = None  # transactions begin below, not when the driver thinks fit
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # an accepted document survives a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
