"""The worker of trainings: takes them from the queue one after the other, prepares, trains and registers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import anyio
import structlog
from anyio import to_thread

from app.catalogue.finetunes import Training, Trainings
from app.errors import AdapterNameTaken, ManualqaError, TrainingFailed, TrainingGaveUp, errors_by_code
from app.failpoints import failpoint
from app.finetune.adapters import Source
from app.finetune.curves import read_curves
from app.finetune.orders import TrainingOrder
from app.finetune.process import TrainingProcess
from app.finetune.progress import progress_of
from app.finetune.run_folders import RunFolders
from app.types import TrainingStage

log = structlog.get_logger(__name__)

QUEUE_POLL_SECONDS = 2.0
"""Between two looks at the queue, where other processes put trainings into it."""
_NAME_CHARACTERS = 100
"""Of an adapter's name."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a run folder was made from: the resolved configuration, and the counts and hashes of the examples."""

    config: dict[str, Any]
    examples: dict[str, Any]


class Preparing(Protocol):
    """Writes the run folder of an order: examples, and the configuration that they resolve to.

    Law: doing it twice ends in the same folder; raises `ManualqaError`, `TrainingDoesNotFit` among them.
    """

    async def __call__(self, order: TrainingOrder, folder: Path) -> Written: ...


class Registered(Protocol):
    """An adapter of the registry."""

    @property
    def id(self) -> str: ...


class Registry(Protocol):
    """Where adapters go; `Adapters` is it.

    Law: `register` checks a folder and keeps a copy of it, whole or not at all, also where the process is killed
    midway; one of a training (`source.job_id`) is kept once, whoever asks again. Raises `ManualqaError`.
    """

    def register(self, folder: Path, name: str, source: Source) -> Registered: ...


@dataclass(frozen=True, slots=True)
class Life:
    """Whether the server is stopping, and whether it has no time left for it; and which it is, if one of several."""

    draining: Callable[[], bool]
    hurrying: Callable[[], bool]
    process_id: str | None = None


@dataclass(frozen=True, slots=True)
class RunnerLimits:
    """`attempts` are the starts of a training that may fail without coming on, with so many seconds between two."""

    attempts: int
    retry_seconds: float


@dataclass(slots=True)
class _Run:
    """One training under way on this event loop."""

    training: Training
    scope: anyio.CancelScope
    stopped: threading.Event = field(default_factory=threading.Event)


class Runner:
    """One training at a time, oldest first; one that was cut off goes on behind what was done and written.

    `wake` and `interrupt` may be called from any thread.
    """

    def __init__(
        self,
        store: Trainings,
        folders: RunFolders,
        prepare: Preparing,
        process: TrainingProcess,
        adapters: Registry,
        limits: RunnerLimits,
        life: Life,
    ) -> None:
        self._store = store
        self._folders = folders
        self._prepare = prepare
        self._process = process
        self._adapters = adapters
        self._limits = limits
        self._life = life
        self._loop: asyncio.AbstractEventLoop | None = None
        self._called = asyncio.Event()
        self._current: _Run | None = None
        self._faults: dict[str, str] = {}

    def wake(self) -> None:
        """There is something in the queue."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._called.set)

    def interrupt(self, training_id: str) -> bool:
        """Stops the work on a training that has been ended or deleted; False where there is none."""
        current = self._current
        if self._loop is None or current is None or current.training.id != training_id:
            return False
        current.stopped.set()
        self._loop.call_soon_threadsafe(current.scope.cancel)
        return True

    async def work(self) -> None:
        """Until it is cancelled or the server drains; what is under way then goes on at the next start."""
        self._loop = asyncio.get_running_loop()
        if self._life.process_id is None:  # what others have half made is no left-over
            await to_thread.run_sync(self._sweep)
        while not self._life.draining():
            self._called.clear()
            try:
                training = await to_thread.run_sync(self._store.next, self._life.process_id)
                if training is None:
                    with anyio.move_on_after(None if self._life.process_id is None else QUEUE_POLL_SECONDS):
                        await self._called.wait()
                else:
                    await self._run(training)
            except Exception:  # the worker loop: the training stays open and is taken up again
                log.exception("trainings_crashed")
                await anyio.sleep(self._limits.retry_seconds)

    def _sweep(self) -> None:
        self._folders.sweep(self._store.ids())

    async def _run(self, queued: Training) -> None:
        training = await to_thread.run_sync(self._store.begin, queued.id)
        if training is None:
            return
        failpoint("finetune_begun")
        log.info("training_begun", training_id=training.id, stage=training.stage, attempt=training.attempts)
        try:
            with anyio.CancelScope() as scope:
                self._current = run = _Run(training, scope)
                await self._advance(run)
        except ManualqaError as error:
            log.warning("training_failed", training_id=training.id, code=error.code(), detail=error.detail)
            await self._fail(training.id, error)
        except Exception:  # the worker's boundary: the training fails, the queue goes on
            log.exception("training_crashed", training_id=training.id)
            await self._fail(training.id, ManualqaError())
        finally:
            self._current = None
        if await to_thread.run_sync(self._store.find, training.id) is None:
            await to_thread.run_sync(self._folders.remove, training.id)

    async def _fail(self, training_id: str, error: ManualqaError) -> None:
        await to_thread.run_sync(self._store.fail, training_id, error.code(), error.stored_params())

    async def _advance(self, run: _Run) -> None:
        """Each stage that is not behind it; returns early where the training is not open any more or has to wait."""
        training = run.training
        if training.attempts > self._limits.attempts:
            fault = self._faults.pop(training.id, None)
            raise TrainingGaveUp(attempts=self._limits.attempts, reason=fault or "the server ended")
        if training.stage in (TrainingStage.WAITING, TrainingStage.PREPARING) and not await self._prepared(training):
            return
        if training.stage != TrainingStage.REGISTERING and not await self._trained(run):
            return
        await to_thread.run_sync(self._register, training.id)

    async def _prepared(self, training: Training) -> bool:
        if not await to_thread.run_sync(self._store.enter, training.id, TrainingStage.PREPARING):
            return False
        order = await to_thread.run_sync(self._folders.order, training.id)
        written = await self._prepare(order, self._folders.of(training.id).path)
        failpoint("finetune_prepared")
        return await to_thread.run_sync(self._store.prepared, training.id, written.config, written.examples)

    async def _trained(self, run: _Run) -> bool:
        """Whether an adapter lies in the run folder; False where the child was stopped or has to be started again."""
        training, folder = run.training, self._folders.of(run.training.id)
        if folder.result() is None:
            code = await self._child(run)
            if run.stopped.is_set() or self._life.draining():
                await to_thread.run_sync(self._store.put_back, training.id)
                return False
            if folder.result() is None:
                fault = f"ended with code {code}"
                self._faults[training.id] = fault
                log.warning("training_process_died", training_id=training.id, code=code)
                await to_thread.run_sync(self._take_in, training.id)
                await anyio.sleep(self._limits.retry_seconds)
                return False
        await to_thread.run_sync(self._take_in, training.id)
        failpoint("finetune_ended")
        _require_done(folder.result() or {})
        return await to_thread.run_sync(self._store.trained, training.id)

    def _take_in(self, training_id: str) -> bool:
        """Writes down what the child has told so far; False where the training is not open any more."""
        progress = progress_of(read_curves(self._folders.of(training_id).path))
        return self._store.progress(training_id, progress.step, progress.steps, progress.figures)

    async def _child(self, run: _Run) -> int:
        """One life of the child, on a thread of its own that this coroutine outlasts, however it is cancelled."""
        ended, codes, faults = asyncio.Event(), list[int](), list[OSError]()
        loop = asyncio.get_running_loop()

        def live() -> None:
            try:
                codes.append(self._live(run))
            except OSError as error:
                faults.append(error)
            except Exception:  # the boundary of the process: it has ended, and is started again
                log.exception("training_process_lost", training_id=run.training.id)
            finally:
                loop.call_soon_threadsafe(ended.set)

        thread = threading.Thread(target=live, name="training", daemon=True)
        thread.start()
        try:
            await ended.wait()
        finally:
            if not ended.is_set():
                run.stopped.set()
            with anyio.CancelScope(shield=True):
                await ended.wait()
        if faults:
            raise TrainingFailed(repr(faults[0]), reason=f"cannot start: {faults[0].strerror}")
        return codes[0] if codes else -1

    def _live(self, run: _Run) -> int:
        folder, seen = self._folders.of(run.training.id), -1

        def look() -> None:
            nonlocal seen
            size = folder.events_file.stat().st_size if folder.events_file.exists() else 0
            if size != seen:
                seen = size
                if not self._take_in(run.training.id):
                    run.stopped.set()

        def stops() -> bool:
            return run.stopped.is_set() or self._life.draining()

        return self._process.run(folder.path, look, stops, self._life.hurrying)

    def _register(self, training_id: str) -> None:
        """The adapter goes to the registry, which keeps it once; then the row is told."""
        training, folder = self._store.get(training_id), self._folders.of(training_id)
        config = folder.config()
        source = Source(
            base=config.base_name,
            base_revision=config.base_revision,
            prompt=config.training.prompt,
            context_tokens=config.training.context_tokens,
            job_id=training_id,
            data_hash=config.data_sha256,
            figures=training.figures,
        )
        failpoint("finetune_registering")
        try:
            adapter = self._adapters.register(folder.adapter, training.name[:_NAME_CHARACTERS], source)
        except AdapterNameTaken:
            name = f"{training.name[: _NAME_CHARACTERS - len(training_id) - 1]} {training_id}"
            adapter = self._adapters.register(folder.adapter, name, source)
        failpoint("finetune_registered")
        self._store.finish(training_id, adapter.id)
        log.info("training_done", training_id=training_id, adapter_id=adapter.id)


def _require_done(result: dict[str, Any]) -> None:
    """Raises what the child says has failed, where it has."""
    if result.get("state") == "done":
        return
    params = result.get("params")
    known = errors_by_code().get(str(result.get("code")), TrainingFailed)
    raise known(f"the child: {result}", **(params if isinstance(params, dict) else {}))
