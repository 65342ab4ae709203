"""A registry of adapters over a real catalogue, and a host of adapters that notes what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import delete

from app.catalogue.adapters import AdapterRows
from app.catalogue.database import Sessions, open_database
from app.catalogue.tables import AdapterRow
from app.finetune.adapters import Adapters, Room
from app.finetune.checking import Base, Limits
from tests.fixtures.adapters import TINY_BASE

LIMITS = Limits(rank=64, bytes=200_000)
ROOM = Room(stored=4, limits=LIMITS, min_free_bytes=0)


@dataclass
class Registry:
    """Adapters with what a test needs beside them; `base` is what the server serves."""

    folder: Path
    sessions: Sessions
    base: Base = TINY_BASE
    adapters: Adapters = field(init=False)
    rows: AdapterRows = field(init=False)

    def __post_init__(self) -> None:
        self.rows = AdapterRows(self.sessions)
        self.adapters = self.again()

    def again(self) -> Adapters:
        """A registry as another start of the server has it."""
        return Adapters(self.rows, self.folder / "adapters", lambda: self.base, ROOM)

    def left(self) -> list[str]:
        """What there is in its folder."""
        place = self.folder / "adapters"
        return sorted(path.name for path in place.iterdir()) if place.exists() else []


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sessions]:
    """A catalogue that the tests of a module share."""
    database = open_database(tmp_path_factory.mktemp("catalogue"))
    yield Sessions(database)
    database.dispose()


@pytest.fixture
def registry(sessions: Sessions, tmp_path: Path) -> Registry:
    """A registry without adapters."""
    with sessions.begin() as session:
        session.execute(delete(AdapterRow))
    return Registry(tmp_path, sessions)
