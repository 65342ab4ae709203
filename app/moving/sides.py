"""The two set-ups of a move: where each keeps what it has, and what they keep in the same place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from app.catalogue.adapters import AdapterRows
from app.catalogue.database import Sessions, place_of
from app.catalogue.finetunes import Trainings
from app.catalogue.inspection import Inspection
from app.catalogue.records import Generation
from app.ingest.indexing import Stores
from app.types import DocumentState, GenerationState

Told = Callable[[str, int, int], None]
"""Called with the name of a part, and how much of how much is done there."""


@dataclass(frozen=True, slots=True)
class Folders:
    """What a set-up keeps on its own disk: `scratch` is where files come in, beside the originals."""

    data: Path
    adapters: Path
    trainings: Path
    scratch: Path


@dataclass(frozen=True, slots=True)
class Side:
    """One set-up, open; what is `..._on_disk` is in a folder of this machine, and not on a server."""

    engine: Engine
    sessions: Sessions
    stores: Stores
    folders: Folders
    catalogue_on_disk: bool
    originals_on_disk: bool
    index_on_disk: bool

    @property
    def place(self) -> str:
        """Where its catalogue is, as people may read it."""
        return place_of(self.engine)

    @property
    def facts(self) -> Inspection:
        return Inspection(self.sessions)

    def generations(self) -> list[Generation]:
        """Those whose index is needed: what was replaced or given up is not."""
        found = [one for one in self.stores.generations.all() if one.state is not GenerationState.RETIRED]
        return sorted(found, key=lambda generation: generation.index_id)

    def hashes(self) -> set[str]:
        """Those of all originals that a document needs."""
        return {one.sha256 for one in self.facts.documents() if one.state is not DocumentState.DELETING}

    def trees(self) -> list[tuple[str, Path]]:
        """The folders of adapters and trainings that the catalogue knows, by a name that is the same on both sides."""
        adapters, trainings = AdapterRows(self.sessions).with_files(), Trainings(self.sessions).ids()
        return [
            *((f"adapters/{one}", self.folders.adapters / one) for one in sorted(adapters)),
            *((f"finetune/{one}", self.folders.trainings / one) for one in sorted(trainings)),
        ]


@dataclass(frozen=True, slots=True)
class Shared:
    """What both sides keep in the same place, so that it stays where it is."""

    catalogue: bool
    originals: bool
    index: bool
    folders: bool

    @property
    def everything(self) -> bool:
        return self.catalogue and self.originals and self.index and self.folders
