"""Opening the catalogue's database and bringing it to this version's schema."""

from __future__ import annotations

from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.errors import MigrationFailed

log = structlog.get_logger(__name__)

Sessions = sessionmaker[Session]


def open_database(folder: Path) -> Engine:
    """The engine of the catalogue in `folder`, at the newest schema; raises `MigrationFailed`."""
    folder.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{folder / 'catalogue.sqlite'}", connect_args={"timeout": 30})
    event.listen(engine, "connect", _configure_sqlite)
    try:
        _migrate(engine)
    except (CommandError, SQLAlchemyError) as error:
        engine.dispose()
        unknown = isinstance(error, CommandError)
        reason = "its schema is not known to this version" if unknown else "it cannot be read or written"
        raise MigrationFailed(repr(error), folder=folder, reason=reason) from error
    return engine


def _configure_sqlite(connection: object, record: object) -> None:  # noqa: ARG001
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # an accepted document survives a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
