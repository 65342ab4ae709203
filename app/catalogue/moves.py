"""The mark of a database into which a set-up is being moved: no server takes it before it is whole."""

from __future__ import annotations

from sqlalchemy import Column, Engine, MetaData, Table, Text, inspect, select

from app.catalogue.database import place_of
from app.errors import MoveUnfinished

_MARK = Table("unfinished_move", MetaData(), Column("source", Text, nullable=False))
"""There only while a move is unfinished, and so not among the tables of a catalogue."""


def source_of_move(engine: Engine) -> str | None:
    """Where what is being moved comes from; None where no move is unfinished."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(_MARK.name):
            return None
        return connection.scalar(select(_MARK.c.source))


def begin_move(engine: Engine, source: str) -> None:
    """From here on no server starts on it."""
    with engine.begin() as connection:
        _MARK.create(connection, checkfirst=True)
        connection.execute(_MARK.delete())
        connection.execute(_MARK.insert(), {"source": source})


def end_move(engine: Engine) -> None:
    """It is whole: a server may have it."""
    with engine.begin() as connection:
        _MARK.drop(connection, checkfirst=True)


def require_whole(engine: Engine) -> None:
    """Raises `MoveUnfinished`."""
    if source_of_move(engine) is not None:
        raise MoveUnfinished(database=place_of(engine))
