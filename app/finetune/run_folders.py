"""The run folders of a server: one for each training, named by its id, made and removed in one step."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from app.finetune.leftovers import ALONE, Leftovers, half_made
from app.finetune.orders import TrainingOrder
from app.finetune.run_folder import RunFolder
from app.syncing import sync_folder

_IDENTITY = re.compile(r"ft-[0-9a-f]{16}")
_ORDER = "order.json"
_NEW, _GONE = ".new-", ".gone-"


class RunFolders:
    """A folder that has its own name holds at least a whole order. `maker` is this process among others."""

    def __init__(self, root: Path, maker: str = ALONE) -> None:
        self._root = root
        self._maker = maker

    def leftovers(self, known: Callable[[], Collection[str]]) -> Leftovers:
        """What a crash left behind, where several processes share the root."""
        return Leftovers(self._root, known)

    def of(self, training_id: str) -> RunFolder:
        """The folder of a training; raises ValueError for what is no id of one."""
        return RunFolder(self._path(training_id))

    def create(self, training_id: str, order: TrainingOrder) -> None:
        """Makes the folder with its order, durably, in one step."""
        target = self._path(training_id)
        new = self._root / half_made(_NEW, self._maker, training_id)
        new.mkdir(parents=True)
        with (new / _ORDER).open("w", encoding="utf-8") as file:
            file.write(order.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        sync_folder(new)
        new.replace(target)
        sync_folder(self._root)

    def order(self, training_id: str) -> TrainingOrder:
        """What was asked for."""
        return TrainingOrder.model_validate_json((self._path(training_id) / _ORDER).read_bytes())

    def forget_failure(self, training_id: str) -> None:
        """Removes the result of a child that failed, so that another may try."""
        folder = self.of(training_id)
        result = folder.result()
        if result is None or result.get("state") != "done":
            folder.result_file.unlink(missing_ok=True)

    def remove(self, training_id: str) -> None:
        """Removes the folder; from the first moment on nothing has its name."""
        path, gone = self._path(training_id), self._root / f"{_GONE}{training_id}"
        shutil.rmtree(gone, ignore_errors=True)
        if path.exists():
            path.replace(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def sweep(self, known: Collection[str]) -> None:
        """Removes what a killed server left half made or half removed, and folders of trainings that are not known;
        only at start of a process that is alone."""
        if not self._root.is_dir():
            return
        for path in self._root.iterdir():
            if path.name.startswith((_NEW, _GONE)):
                shutil.rmtree(path, ignore_errors=True)
            elif _IDENTITY.fullmatch(path.name) and path.name not in known:
                self.remove(path.name)

    def _path(self, training_id: str) -> Path:
        if not _IDENTITY.fullmatch(training_id):
            raise ValueError(training_id)
        return self._root / training_id
