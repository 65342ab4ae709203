"""A backup put back, from the settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.catalogue.database import Sessions, open_database
from app.catalogue.folder import DataFolder
from app.catalogue.inspection import Inspection
from app.errors import (
    EmbedderUnavailable,
)
from app.ingest.backup.restoring import Restore, check_backup, copy_databases, prepare_folder
from app.ingest.consistency import Consistency, Report
from app.ingest.indexing import Indexing
from app.ports import Embedder
from app.settings import Settings
from app.types import Fingerprint
from app.wiring.stores import open_stores


def restore_backup(settings: Settings, backup: Path, told: Callable[[str], None]) -> Report:
    """Restores a backup into the empty data folder, which this process owns; what does not agree afterwards.

    `told` gets the name of each part before it is restored. Raises `BackupInvalid`, `RestoreRefused`, and what opening
    the stores raises. Broken off, the folder is of no use to a server, and the next restore begins anew.
    """
    told("checking")
    manifest = check_backup(backup)
    folder = DataFolder(settings.data_dir)
    prepare_folder(settings.data_dir, again=folder.is_restoring())
    folder.begin_restoring()
    copy_databases(backup, settings.data_dir)
    database = open_database(settings.data_dir)
    sessions = Sessions(database)
    stores = open_stores(settings, sessions)
    facts = Inspection(sessions)
    try:
        restore = Restore(backup, manifest, stores, Indexing(stores, _no_embedder), facts)
        told("originals")
        restore.originals(settings.uploads_dir)
        told("vectors")
        restore.vectors()
        told("keywords")
        restore.keywords()
        told("folders")
        restore.folders(settings.adapters_dir, settings.finetune_dir)
        told("comparing")
        restore.compare()
        report = Consistency(stores, facts, None).check()
    finally:
        stores.keywords.close()
        stores.vectors.close()
        database.dispose()
    folder.end_restoring()
    return report


def _no_embedder(fingerprint: Fingerprint) -> Embedder:
    raise EmbedderUnavailable(f"asked for {fingerprint.embedder}", reason="its files could not be loaded")
