"""`manualqa backup` and `manualqa restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.catalogue.folder import DataFolder
from app.errors import BackupTargetTaken
from app.ingest.backup.folder import move_backup
from app.ingest.backup.manifest import read_manifest

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

_UNDER_WAY = ("not_purged", "left_over")
"""What a server that runs has at any moment, and goes on with when it is started."""


def write_backup(at: Terminal, target: Path, *, as_json: bool) -> int:
    """Has the server write a backup, and moves it to `target`; raises `BackupTargetTaken` before anything is done."""
    target = target.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupTargetTaken(folder=target)
    with at.client() as client:
        written = client.post("/v1/maintenance/backups", {}, patient=True)
    here = at.settings.backups_dir / written["id"]
    if here.is_dir():
        move_backup(here, target, read_manifest(here))
        written["folder"] = str(target)
    if as_json:
        at.print_json(written)
        return 0
    if "folder" in written:
        _say(at, "backup_written", **{**written, "size": written["bytes"] // 1_000_000})
    else:
        _say(at, "backup_elsewhere", id=written["id"])
    if written["originals_left_out"]:
        _say(at, "backup_left_out", count=len(written["originals_left_out"]))
    return 0


def restore_folder(at: Terminal, source: Path, *, as_json: bool) -> int:
    """Restores into the data folder; 1 where something does not agree afterwards, which is told."""
    from app.api.maintenance import wording  # noqa: PLC0415 - these load the whole service
    from app.wiring.restoring import restore_backup  # noqa: PLC0415

    folder = DataFolder(at.settings.data_dir)
    folder.acquire(to_restore=True)
    try:
        report = restore_backup(at.settings, source, lambda part: None if as_json else _say(at, f"restoring_{part}"))
    finally:
        folder.release()
    told = [finding for finding in report.findings if finding.kind not in _UNDER_WAY]
    if as_json:
        findings = [{"kind": one.kind, "count": one.count, "document_id": one.document_id} for one in told]
        at.print_json({"documents": report.documents, "chunks": report.chunks, "findings": findings})
    else:
        for finding in told:
            at.out.print(wording(finding, at.words.language), style="red", markup=False, soft_wrap=True)
        _say(at, "restored", folder=at.settings.data_dir, documents=report.documents, chunks=report.chunks)
    return 1 if told else 0


def _say(at: Terminal, key: str, **params: object) -> None:
    at.out.print(at.words(key, **params), markup=False, highlight=False, soft_wrap=True)
