"""Writing a backup of a running server, which goes on with all but removing."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from app import __version__
from app.catalogue.adapters import AdapterRows
from app.catalogue.contents import Contents
from app.catalogue.database import Sessions, open_database
from app.catalogue.finetunes import Trainings
from app.catalogue.generations import Generations
from app.catalogue.inspection import Inspection
from app.catalogue.tables import now
from app.errors import BackupFailed, BackupRunning
from app.failpoints import failpoint
from app.ingest.backup.folder import BackupFolder, as_one_file, copy_database
from app.ingest.backup.manifest import ADAPTERS, CATALOGUE, JOBS, ORIGINALS, TRAININGS, Counts, Manifest
from app.ingest.backup.vectors import batches, write_batches
from app.ingest.indexing import Stores
from app.ingest.turns import REMOVALS, Turns
from app.types import DocumentState, GenerationState

log = structlog.get_logger(__name__)

_PART = ".part"
BACKUP_ID = re.compile(r"backup-[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class Backup:
    """A whole backup: its id, which is its folder's name, and what is in it."""

    id: str
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class BackupPlaces:
    """Where backups are written, and the folders that are copied beside the stores."""

    backups: Path
    data: Path
    adapters: Path
    trainings: Path


class Backups:
    """One at a time. The copy is that of one moment; what comes or goes later is not in it.

    The jobs are copied before the catalogue: like after a crash at that moment, work may be done again, but none is
    taken for done. Vectors and originals of what the copied catalogue has are copied last, and until then nothing is
    purged. The keyword index is not copied, it is written anew from the chunks.
    """

    def __init__(self, places: BackupPlaces, stores: Stores, turns: Turns, is_stopping: Callable[[], bool]) -> None:
        self._places = places
        self._stores = stores
        self._turns = turns
        self._is_stopping = is_stopping
        self._writing = threading.Lock()

    def sweep(self) -> None:
        """Removes what a killed server had written of a backup. Only at start."""
        for left in self._places.backups.glob(f"*{_PART}"):
            shutil.rmtree(left, ignore_errors=True)

    def write(self) -> Backup:
        """Raises `BackupRunning`, `BackupFailed`, and `IndexUnavailable`, `BlobsUnavailable`, `DiskFull`; nothing of
        it is left then."""
        if not self._writing.acquire(blocking=False):
            raise BackupRunning
        try:
            moment = now()
            backup_id = f"backup-{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
            path = self._places.backups / f"{backup_id}{_PART}"
            with self._turns.of(REMOVALS), _removed_if_it_fails(path):
                folder = BackupFolder(path)
                counts, left_out = self._fill(folder)
                manifest = Manifest(
                    version=__version__, created_at=moment, counts=counts, left_out=left_out, files=folder.entries
                )
                folder.finish(manifest, self._places.backups / backup_id)
        finally:
            self._writing.release()
        log.info("backup_written", backup_id=backup_id, files=len(manifest.files), bytes=manifest.bytes)
        return Backup(backup_id, manifest)

    def _fill(self, folder: BackupFolder) -> tuple[Counts, tuple[str, ...]]:
        if not (self._places.data / CATALOGUE).exists():
            raise BackupFailed(reason="the catalogue is in a database server, which has its own backups")
        jobs = self._places.data / JOBS
        if jobs.exists():
            copy_database(jobs, folder.place(JOBS))
            folder.add(JOBS)
        failpoint("backup.jobs")
        catalogue = folder.place(CATALOGUE)
        copy_database(self._places.data / CATALOGUE, catalogue)
        failpoint("backup.catalogue")
        engine = open_database(folder.path)
        try:
            sessions = Sessions(engine)
            vectors = dict(self._vectors(folder, sessions))
            failpoint("backup.vectors")
            documents = Inspection(sessions).documents()
            hashes = sorted({one.sha256 for one in documents if one.state is not DocumentState.DELETING})
            left_out = tuple(sha256 for sha256 in hashes if not self._original(folder, sha256))
            failpoint("backup.originals")
            adapters = self._adapters(folder, sessions)
            self._trainings(folder, sessions)
            counts = Counts(
                knowledge_bases=len({one.knowledge_base_id for one in Generations(sessions).all()}),
                documents=len(documents),
                ready=sum(one.state is DocumentState.READY for one in documents),
                chunks=sum(one.chunks_stored for one in documents),
                originals=len(hashes) - len(left_out),
                adapters=adapters,
                vectors=vectors,
            )
        finally:
            engine.dispose()
        as_one_file(catalogue)
        folder.add(CATALOGUE)
        return counts, left_out

    def _vectors(self, folder: BackupFolder, sessions: Sessions) -> Iterator[tuple[str, int]]:
        contents = Contents(sessions)
        for generation in Generations(sessions).all():
            if generation.state is GenerationState.RETIRED:
                continue
            index_id = generation.index_id
            chunk_ids = (
                chunk_id
                for document_id in contents.documents_in(index_id)
                for chunk_id in self._going_on(contents.chunk_ids(document_id, index_id))
            )
            yield index_id, write_batches(folder, index_id, batches(self._stores.vectors, index_id, chunk_ids))

    def _original(self, folder: BackupFolder, sha256: str) -> bool:
        """Whether it is there and whole, and so in the backup now."""
        self._going_on(())
        try:
            with self._stores.files.local(sha256) as path:
                return folder.link(f"{ORIGINALS}/{sha256[:2]}/{sha256}", path, sha256)
        except FileNotFoundError:
            return False

    def _adapters(self, folder: BackupFolder, sessions: Sessions) -> int:
        known = sorted(AdapterRows(sessions).with_files())
        for adapter_id in known:
            folder.copy_tree(f"{ADAPTERS}/{adapter_id}", self._places.adapters / adapter_id)
        return len(known)

    def _trainings(self, folder: BackupFolder, sessions: Sessions) -> None:
        """A training that runs changes its checkpoints at any moment: without them it begins again."""
        rows = Trainings(sessions)
        for training_id in sorted(rows.ids()):
            without = "checkpoints" if training_id in rows.open_ids() else None
            folder.copy_tree(f"{TRAININGS}/{training_id}", self._places.trainings / training_id, without)

    def _going_on(self, chunk_ids: list[str] | tuple[str, ...]) -> list[str] | tuple[str, ...]:
        """What it was given, unless the server stops."""
        if self._is_stopping():
            raise BackupFailed(reason="the server stops")
        return chunk_ids


@contextmanager
def _removed_if_it_fails(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
