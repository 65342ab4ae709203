"""A backup's folder while it is written: every file that comes into it is hashed, durable, and its user's alone."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from app.errors import BackupFailed
from app.ingest.backup.manifest import MANIFEST, FileEntry, Manifest, sha256_of, write_manifest
from app.syncing import sync_folder

_READ_BYTES = 1 << 20
_BUSY_SECONDS = 30.0
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP)


class BackupFolder:
    """Collects files; it is no backup before `finish`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: list[FileEntry] = []
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.mkdir(mode=0o700)

    def place(self, name: str) -> Path:
        """Where a file of this name is to be written; `add` counts it in."""
        return _place(self.path, name)

    def add(self, name: str) -> None:
        """Counts in a file that was written to its place."""
        path = self.path / name
        path.chmod(0o600)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        self._entries.append(FileEntry(path=name, bytes=path.stat().st_size, sha256=sha256_of(path)))

    def link(self, name: str, source: Path, sha256: str) -> bool:
        """Takes a file that never changes: linked where it can be, else copied; False where its hash is another."""
        path = self.place(name)
        try:
            os.link(source, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            copy_file(source, path)
        if sha256_of(path) != sha256:
            path.unlink()
            return False
        self._entries.append(FileEntry(path=name, bytes=path.stat().st_size, sha256=sha256))
        return True

    def copy_tree(self, name: str, source: Path, without: str | None = None) -> None:
        """Copies the ordinary files below a folder as they are now; what vanishes meanwhile is left out."""
        for folder, folders, files in os.walk(source):
            folders[:] = sorted(one for one in folders if one != without and not one.startswith("."))
            for file in sorted(files):
                path = Path(folder, file)
                if file.startswith(".") or path.is_symlink() or not path.is_file():
                    continue
                target = f"{name}/{path.relative_to(source).as_posix()}"
                try:
                    digest = copy_file(path, self.place(target))
                except FileNotFoundError:
                    continue
                size = (self.path / target).stat().st_size
                self._entries.append(FileEntry(path=target, bytes=size, sha256=digest))

    def finish(self, manifest: Manifest, final: Path) -> None:
        """Writes the manifest and gives the folder its name."""
        for folder, _, _ in os.walk(self.path):
            sync_folder(Path(folder))
        write_manifest(self.path, manifest)
        self.path.replace(final)
        sync_folder(final.parent)

    @property
    def entries(self) -> tuple[FileEntry, ...]:
        """All that was counted in."""
        return tuple(self._entries)


def copy_file(source: Path, target: Path) -> str:
    """Copies a file, durably and for its user alone; the hash of what was copied."""
    digest = hashlib.sha256()
    with (
        source.open("rb") as reading,
        os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writing,
    ):
        while piece := reading.read(_READ_BYTES):
            digest.update(piece)
            writing.write(piece)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()


def copy_database(source: Path, target: Path) -> None:
    """One state of a SQLite database, whoever writes to it meanwhile; raises `BackupFailed`."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            closing(sqlite3.connect(source, timeout=_BUSY_SECONDS)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)
        as_one_file(target)
    except sqlite3.Error as error:
        raise BackupFailed(repr(error), reason="a database could not be copied") from error


def as_one_file(database: Path) -> None:
    """Puts what is in a database's log beside it into the file itself, and looks whether it is sound."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        [(said,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    if said != "ok":
        raise BackupFailed(str(said), reason="a database is damaged")


def move_backup(source: Path, target: Path, manifest: Manifest) -> None:
    """Moves a whole backup; on another file system it is copied and compared first, the manifest last."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    target.mkdir(mode=0o700, exist_ok=True)
    for entry in manifest.files:
        if copy_file(source / entry.path, _place(target, entry.path)) != entry.sha256:
            raise BackupFailed(reason=f"the file {entry.path} was changed")
    for folder, _, _ in os.walk(target):
        sync_folder(Path(folder))
    write_manifest(target, manifest)
    (source / MANIFEST).unlink()
    shutil.rmtree(source)


def _place(root: Path, name: str) -> Path:
    """A path below a folder; the folders on the way are made, for their user alone."""
    path = root / name
    for folder in reversed(path.relative_to(root).parents):
        (root / folder).mkdir(exist_ok=True, mode=0o700)
    return path
