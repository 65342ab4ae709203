"""The trainings of a server as its clients use them: look at the data, estimate, start, watch, stop, go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from app.catalogue.finetunes import NewTraining, Training, TrainingRoom, Trainings, new_training_id
from app.failpoints import failpoint
from app.finetune.curves import Curves, read_curves
from app.finetune.examples import Example
from app.finetune.leftovers import ALONE, Leftovers
from app.finetune.machine import require_extra
from app.finetune.orders import TrainingOrder
from app.finetune.preparation import Estimated, Looked
from app.finetune.process import TRAINING_CHILD, ProcessLimits, TrainingProcess
from app.finetune.run_folders import RunFolders
from app.finetune.runner import Life, Preparing, Registry, Runner, RunnerLimits
from app.services import Services

_RETRY_SECONDS = 5.0


class Preparations(Preparing, Protocol):
    """A `Preparing` that also says beforehand what would come of an order. Nothing of that is kept.

    Law: `check` is quick and raises what can be known at once to stand against the order; `look` prepares as calling
    it does; `estimate` reckons with the pairs alone, before any passage is searched for.
    """

    def check(self, order: TrainingOrder) -> None: ...

    async def look(self, order: TrainingOrder) -> Looked: ...

    async def estimate(self, order: TrainingOrder) -> Estimated: ...


@dataclass(frozen=True, slots=True)
class TrainingParts:
    """What a training needs beside the services; tests hand in their own command."""

    preparation: Preparations
    adapters: Registry
    command: tuple[str, ...] = TRAINING_CHILD


class TrainingJobs:
    """Safe to call from any thread; `work` runs in the server's event loop as long as the server does."""

    def __init__(self, services: Services, parts: TrainingParts) -> None:
        settings = services.settings
        self._preparation = parts.preparation
        self._store: Trainings = services.trainings
        self._folders = RunFolders(settings.finetune_dir, services.process_id or ALONE)
        self._room = TrainingRoom(settings.max_finetunes, settings.finetune_queue)
        self._runner = Runner(
            self._store,
            self._folders,
            parts.preparation,
            TrainingProcess(parts.command, ProcessLimits(settings.finetune_stop_seconds)),
            parts.adapters,
            RunnerLimits(settings.finetune_attempts, _RETRY_SECONDS),
            Life(services.is_draining, services.is_hurrying, services.process_id),
        )

    async def work(self) -> None:
        """Works through the queue until it is cancelled."""
        await self._runner.work()

    def leftovers(self) -> Leftovers:
        """What processes that died left of run folders, where several share them."""
        return self._folders.leftovers(self._store.ids)

    # --- before a training ------------------------------------------------------------------------------------------

    async def look(self, order: TrainingOrder) -> Looked:
        """The examples that would come of the order, with a report on them; raises as `start` does."""
        require_extra()
        self._preparation.check(order)
        return await self._preparation.look(order)

    async def estimate(self, order: TrainingOrder) -> Estimated:
        """What the training would cost, and why it would be refused, if it would; raises as `start` does."""
        require_extra()
        self._preparation.check(order)
        return await self._preparation.estimate(order)

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self, order: TrainingOrder) -> Training:
        """Puts a training into the queue.

        Raises `ExtraMissing`, `KnowledgeBaseNotFound`, `KnowledgeBaseEmpty`, `TrainingPairsInvalid`, `UnknownModel`,
        `WeightsMissing`, `TrainingBaseUnusable`, `TrainingDoesNotFit`, `TrainingsFull`, `TrainingQueueFull`.
        """
        return self._start(order, (await self.estimate(order)).required())

    def cancel(self, training_id: str) -> Training:
        """Ends it with what it has written; raises `TrainingNotFound`, `TrainingEnded`."""
        cancelled = self._store.cancel(training_id)
        self._runner.interrupt(training_id)
        return cancelled

    def resume(self, training_id: str) -> Training:
        """Goes on behind the last checkpoint; raises `TrainingNotFound`, `TrainingDone`, `TrainingQueueFull`."""
        require_extra()
        if self._store.get(training_id).ended:
            self._folders.forget_failure(training_id)
        resumed = self._store.resume(training_id, self._room.opened)
        self._runner.wake()
        return resumed

    def remove(self, training_id: str) -> None:
        """Deletes it with its folder, also while it is under way; its adapter stays. Raises `TrainingNotFound`."""
        self._store.remove(training_id)
        if not self._runner.interrupt(training_id):  # otherwise the runner removes the folder when the child has ended
            self._folders.remove(training_id)

    def _start(self, order: TrainingOrder, estimated: Estimated) -> Training:
        self._store.require_room(self._room)
        training_id = new_training_id()
        self._folders.create(training_id, order)
        failpoint("finetune_folder_made")
        new = NewTraining(order.name, estimated.config.base, order.training.chosen(), estimated.counts())
        added = self._store.add(training_id, order.knowledge_base_id, new, self._room)
        failpoint("finetune_queued")
        self._runner.wake()
        return added

    # --- reading ------------------------------------------------------------------------------------------------------

    def get(self, training_id: str) -> Training:
        """Raises `TrainingNotFound`."""
        return self._store.get(training_id)

    def find(self, training_id: str) -> Training | None:
        """The training, or None where it is gone."""
        return self._store.find(training_id)

    def all(self, knowledge_base_id: str | None, limit: int, offset: int) -> list[Training]:
        """Trainings, newest first."""
        return self._store.all(knowledge_base_id, limit, offset)

    def curves(self, training_id: str) -> Curves:
        """Every step and evaluation so far; raises `TrainingNotFound`."""
        return read_curves(self._folders.of(self._store.get(training_id).id).path)

    def examples(self, training_id: str, *, heldout: bool, limit: int, offset: int) -> list[Example]:
        """What it learns from, or is measured on; empty until it is prepared. Raises `TrainingNotFound`."""
        folder = self._folders.of(self._store.get(training_id).id)
        if not folder.config_file.exists():
            return []
        return (folder.heldout() if heldout else folder.train())[offset : offset + limit]
