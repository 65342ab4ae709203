"""The data folder: one server owns it, and leaves a note for the command line where it listens."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from app.errors import DataFolderLocked, DataFolderUnusable, RestoreUnfinished
from app.syncing import sync_folder


@dataclass(frozen=True, slots=True)
class RunNote:
    """Where the running server listens. `token` is a key that lives only as long as the process."""

    pid: int
    url: str
    token: str


class DataFolder:
    """The lock and the run note of a data folder; only its owner's user can read either."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / "manualqa.lock", mode=0o600)
        self._note = path / "server.json"
        self._restoring = path / "restoring"

    def acquire(self, *, to_restore: bool = False) -> None:
        """Takes the folder for this process; raises `DataFolderLocked` naming who has it, and `RestoreUnfinished`.

        The lock is the kernel's, so it ends with the process however that dies.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            note = self.note()
            owner = f"process {note.pid}, {note.url}" if note else "?"
            raise DataFolderLocked(folder=self.path, owner=owner) from error
        except OSError as error:
            raise DataFolderUnusable(repr(error), folder=self.path, reason=str(error.strerror)) from error

        if self.is_restoring() and not to_restore:
            self._lock.release()
            raise RestoreUnfinished(folder=self.path)

    def is_restoring(self) -> bool:
        """Whether a backup is being restored into the folder, or was, by a process that did not finish."""
        return self._restoring.exists()

    def begin_restoring(self) -> None:
        """From here on no server starts with the folder."""
        self._restoring.touch(mode=0o600)
        sync_folder(self.path)

    def end_restoring(self) -> None:
        """The folder is whole: a server may have it."""
        self._restoring.unlink()

    def process_id(self) -> str:
        """The name of whoever owns this folder among the processes of one database; the same after a restart."""
        file = self.path / "process-id"
        try:
            return file.read_text(encoding="ascii")
        except FileNotFoundError:
            identity = f"process-{secrets.token_hex(8)}"
            temporary = file.with_suffix(".tmp")
            temporary.write_text(identity, encoding="ascii")
            temporary.replace(file)
            return identity

    def release(self) -> None:
        """Gives the folder back and removes the note."""
        self.forget()
        self._lock.release()

    def forget(self) -> None:
        """Removes the note; the folder stays taken until the process ends."""
        self._note.unlink(missing_ok=True)

    def announce(self, note: RunNote) -> None:
        """Leaves the note, readable for this user only."""
        temporary = self._note.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(note), file)
        temporary.replace(self._note)

    def note(self) -> RunNote | None:
        """The note of the running server, or None where there is none."""
        try:
            return RunNote(**json.loads(self._note.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
