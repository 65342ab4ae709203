"""Restoring a backup into an empty data folder, without computing a single vector."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import structlog

from app.catalogue.inspection import Inspection
from app.errors import BackupInvalid, RestoreRefused
from app.ingest.backup.folder import copy_file
from app.ingest.backup.manifest import (
    ADAPTERS,
    CATALOGUE,
    JOBS,
    ORIGINALS,
    TRAININGS,
    Manifest,
    read_manifest,
    verify,
)
from app.ingest.backup.vectors import read_batches
from app.ingest.indexing import Indexing, Stores
from app.syncing import sync_folder
from app.types import DocumentState, GenerationState

log = structlog.get_logger(__name__)

OWN = ("manualqa.lock", "restoring")
"""What a data folder may hold and still be empty: the lock of this process, and the mark of a restore."""


def check_backup(backup: Path) -> Manifest:
    """The manifest, once every file was compared with its hash; raises `BackupInvalid`."""
    manifest = read_manifest(backup)
    verify(backup, manifest)
    return manifest


def prepare_folder(data: Path, *, again: bool) -> None:
    """Raises `RestoreRefused` where the folder holds anything; `again` clears what an unfinished restore left."""
    found = [path for path in data.iterdir() if path.name not in OWN]
    if found and not again:
        raise RestoreRefused(folder=data)
    for path in found:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def copy_databases(backup: Path, data: Path) -> None:
    """Puts catalogue and jobs in place; before anything opens them."""
    for name in (CATALOGUE, JOBS):
        if (backup / name).exists():
            copy_file(backup / name, data / name)
    sync_folder(data)


class Restore:
    """Fills the stores with a backup that was checked, over a catalogue that is in place.

    Each call ends in the same state however often it is done.
    """

    def __init__(self, backup: Path, manifest: Manifest, stores: Stores, indexing: Indexing, facts: Inspection) -> None:
        self._backup = backup
        self._manifest = manifest
        self._stores = stores
        self._indexing = indexing
        self._facts = facts

    def originals(self, scratch: Path) -> None:
        """Keeps every original; `scratch` is on the file system of the folder of originals."""
        for path in sorted((self._backup / ORIGINALS).glob("??/*")):
            part = scratch / f"upload-{path.name}.part"
            part.unlink(missing_ok=True)
            copy_file(path, part)
            self._stores.files.blobs.stage(path.name, part)
            self._stores.files.blobs.keep(path.name, part)

    def _originals(self) -> set[str]:
        return {path.name for path in (self._backup / ORIGINALS).glob("??/*")}

    def vectors(self) -> None:
        """Writes every vector into its index."""
        for index_id in self._manifest.counts.vectors:
            for chunk_ids, vectors in read_batches(self._backup, index_id):
                self._stores.vectors.upsert(index_id, chunk_ids, vectors)

    def keywords(self) -> None:
        """Writes the keyword entries of every document that is whole in a generation anew."""
        for generation in self._stores.generations.all():
            if generation.state is GenerationState.RETIRED:
                continue
            for document_id in sorted(set(self._facts.searchable_chunks(generation.index_id).values())):
                document = self._stores.documents.get(generation.knowledge_base_id, document_id)
                self._indexing.write_keywords(document, generation)

    def folders(self, adapters: Path, trainings: Path) -> None:
        """Copies the files of adapters and trainings."""
        for name, target in ((ADAPTERS, adapters), (TRAININGS, trainings)):
            for folder, _, files in os.walk(self._backup / name):
                into = target / Path(folder).relative_to(self._backup / name)
                into.mkdir(parents=True, exist_ok=True, mode=0o700)
                for file in files:
                    copy_file(Path(folder, file), into / file)

    def compare(self) -> None:
        """Counts again what was counted; raises `BackupInvalid`."""
        documents = self._facts.documents()
        counts = self._manifest.counts
        pairs: Sequence[tuple[str, int, int]] = (
            ("documents", len(documents), counts.documents),
            ("documents", sum(one.state is DocumentState.READY for one in documents), counts.ready),
            ("chunks", sum(one.chunks_stored for one in documents), counts.chunks),
            ("original files", len(self._stores.files.hashes() & self._originals()), counts.originals),
            *(
                ("vectors", len(self._stores.vectors.ids(index_id)), count)
                for index_id, count in counts.vectors.items()
            ),
        )
        for what, found, wanted in pairs:
            if found != wanted:
                raise BackupInvalid(what, folder=self._backup, reason=f"{found} of {wanted} entries came back")
