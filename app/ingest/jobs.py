"""Durable jobs on DBOS: a killed server goes on after the last finished step of every document."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog
from dbos import DBOS, SetWorkflowID
from dbos import error as dbos_errors
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue.documents import Published
from app.catalogue.records import Job
from app.errors import (
    DocumentError,
    FingerprintMismatch,
    GaveUp,
    IngestFailed,
    JobCancelled,
    KnowledgeBaseNotFound,
    ManualqaError,
    RebuildFailed,
    Unavailable,
)
from app.ingest.indexing import WINDOW, Stores
from app.ingest.pipeline import Pipeline
from app.ingest.purging import Purging
from app.ingest.rebuild import Rebuild
from app.types import JobKind, JobState

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

LANES = (("documents-small", 1_000_000), ("documents-medium", 8_000_000), ("documents-large", None))
"""Queues by a file's bytes, each with a worker of its own: a small file never waits for a large one."""
STEPS_VERSION = "2"
"""Changes with the steps of a workflow: one that another version began is not gone on with, but begun again."""
REBUILDS = "rebuilds"
PURGES = "purges"
POLL_SECONDS = 0.2
OCR_WINDOW = 8
"""Pages recognised between two checkpoints: at some seconds a page, half a minute or so is done again at most."""
_OPEN = frozenset({"PENDING", "ENQUEUED", "DELAYED"})
_LONGEST_PAUSE_SECONDS = 30.0
_RECOVERIES = 1_000_000
"""Ours is the count that ends a job (`WorkerLimits.attempts`): it knows whether anything was done meanwhile."""


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """`tries` of one step that fails, after `retry_seconds` and then three times as long each time; `attempts` of
    processes that die at the same step of a job before it is given up."""

    tries: int
    retry_seconds: float
    attempts: int


@dataclass(frozen=True, slots=True)
class Work:
    """All that jobs do."""

    pipeline: Pipeline
    rebuild: Rebuild
    purging: Purging


class JobEngine:
    """Queues of documents, rebuilds and purges; there can be one engine in a process."""

    def __init__(self, folder: Path, stores: Stores, work: Work, limits: WorkerLimits) -> None:
        self._stores = stores
        self._work = work
        self._limits = limits
        self._stopping = threading.Event()
        self._running = threading.Event()
        DBOS(
            config={
                "name": "manualqa",
                "system_database_url": f"sqlite:///{folder / 'jobs.sqlite'}",
                "executor_id": "local",  # always the same, so that a restart takes up what it left
                "application_version": STEPS_VERSION,
                "log_level": "WARNING",
            }
        )
        pipeline, rebuild, purging = work.pipeline, work.rebuild, work.purging
        self._read = self._step("read", pipeline.read)
        self._scanned = self._step("scanned", pipeline.scanned)
        self._recognise = self._step("recognise", pipeline.recognise)
        self._settle = self._step("settle", pipeline.settle)
        self._chunk = self._step("chunk", pipeline.chunk)
        self._embed = self._step("embed", pipeline.embed)
        self._publish = self._step("publish", pipeline.publish)
        self._waiting = self._step("rebuild_waiting", rebuild.waiting)
        self._rebuild_chunk = self._step("rebuild_chunk", rebuild.chunk)
        self._rebuild_embed = self._step("rebuild_embed", rebuild.embed)
        self._rebuild_place = self._step("rebuild_place", rebuild.place)
        self._swap = self._step("rebuild_swap", rebuild.swap)
        self._workflows = {
            JobKind.INGEST: _workflow("ingest", self._run_ingest),
            JobKind.REBUILD: _workflow("rebuild", self._run_rebuild),
        }
        self._retire_workflow = _workflow("retire", self._insistent(self._purge_retired))
        self._purge_workflow = _workflow("purge", self._insistent(purging.purge))
        self._purge_base_workflow = _workflow("purge_base", self._insistent(purging.purge_base))

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Launches the worker, takes up unfinished jobs, and enqueues what a crash kept from being enqueued."""
        DBOS.launch()
        for queue in (*(name for name, _ in LANES), REBUILDS, PURGES):
            DBOS.register_queue(queue, worker_concurrency=1, polling_interval_sec=POLL_SECONDS)
        self._running.set()  # from here on uploads enqueue for themselves; what came before is found below
        for job in self._stores.jobs.unfinished():
            self._take_up(job)
        for document_id in self._stores.documents.without_job():
            job_id = self._stores.documents.reopen(document_id)
            if job_id is not None:
                self.enqueue(self._stores.jobs.get(job_id))
        for document_id in self._stores.documents.hidden():
            self.enqueue_purge(document_id)
        for knowledge_base_id in self._stores.bases.hidden():
            self.enqueue_purge_base(knowledge_base_id)
        self.enqueue_retirement()

    def stop(self, seconds: float) -> None:
        """Lets the running steps finish, for at most `seconds`; the rest is taken up at the next start."""
        self._stopping.set()
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=int(seconds))
        try:
            for job in self._stores.jobs.unfinished():  # also those whose step was not waited for
                if job.state is JobState.RUNNING:
                    self._stores.jobs.pause(job.id)
        except SQLAlchemyError as error:
            log.warning("jobs_not_paused", error=repr(error))

    # --- enqueueing: before `start` nothing happens, and `start` finds it ---------------------------------------------

    def enqueue(self, job: Job) -> None:
        """Puts a job in its queue; the same job twice is one workflow."""
        if not self._running.is_set():
            return
        with SetWorkflowID(job.id):
            if job.index_id is not None:
                DBOS.enqueue_workflow(REBUILDS, self._workflows[job.kind], job.index_id, job.id)
            elif job.document_id is not None:
                lane = lane_of(self._stores.documents.bytes(job.document_id))
                DBOS.enqueue_workflow(lane, self._workflows[job.kind], job.document_id, job.id)

    def enqueue_purge(self, document_id: str) -> None:
        """Removes the traces of a hidden document. A purge may run twice; one that broke off must."""
        if self._running.is_set():
            with SetWorkflowID(f"purge-{document_id}-{secrets.token_hex(4)}"):
                DBOS.enqueue_workflow(PURGES, self._purge_workflow, document_id)

    def enqueue_purge_base(self, knowledge_base_id: str) -> None:
        """Removes a hidden knowledge base."""
        if self._running.is_set():
            with SetWorkflowID(f"purge-{knowledge_base_id}-{secrets.token_hex(4)}"):
                DBOS.enqueue_workflow(PURGES, self._purge_base_workflow, knowledge_base_id)

    def enqueue_retirement(self) -> None:
        """Removes generations that were replaced or given up."""
        if self._running.is_set():
            with SetWorkflowID(f"retire-{secrets.token_hex(4)}"):
                DBOS.enqueue_workflow(PURGES, self._retire_workflow)

    def _take_up(self, job: Job) -> None:
        """Enqueues an unfinished job, or a new one where its workflow has ended without ending the job."""
        status = DBOS.get_workflow_status(job.id)
        if status is None:
            self.enqueue(job)
        elif status.status not in _OPEN or status.app_version not in (None, STEPS_VERSION):
            log.warning("job_begins_again", job_id=job.id, status=status.status, version=status.app_version)
            DBOS.cancel_workflow(job.id)
            self._stores.jobs.end(job.id, JobState.FAILED, IngestFailed.code(), name=job.document_name or "?")
            if job.index_id is not None:
                self._stores.generations.abandon(job.index_id)

    # --- one document -------------------------------------------------------------------------------------------------

    def _run_ingest(self, document_id: str, job_id: str) -> str:
        """Runs one document to its end; returns which."""
        pipeline = self._work.pipeline
        try:
            attempts = self._insist(lambda: self._stores.jobs.begin(job_id))
            if attempts > self._limits.attempts:
                raise GaveUp(name=self._stores.documents.name(document_id), times=self._limits.attempts)
            hidden = self._ingest(document_id, job_id)
        except JobCancelled:
            ended = "cancelled"
        except (DocumentError, FingerprintMismatch) as error:
            ended, fault = "failed", error
            self._insist(lambda: pipeline.fail(document_id, job_id, fault))
        except dbos_errors.DBOSMaxStepRetriesExceeded as error:
            ended = "failed"
            log.error("ingest_gave_up", document_id=document_id, errors=[repr(cause) for cause in error.errors])
            self._insist(lambda: pipeline.unexpected(document_id, job_id))
        except Exception as error:
            self._end_if_stopping(job_id, error)
            ended = "failed"
            log.exception("ingest_failed", document_id=document_id)
            self._insist(lambda: pipeline.unexpected(document_id, job_id))
        else:
            for other in hidden:
                _apart(partial(self.enqueue_purge, other))
            return "ready"
        self._insist(lambda: pipeline.clear(document_id))
        return ended

    def _ingest(self, document_id: str, job_id: str) -> tuple[str, ...]:
        """Every step of a document; returns the documents whose place it has taken."""
        first, total = self._read(document_id, job_id, 1)
        while first <= total:
            self._go_on(job_id)
            first, total = self._read(document_id, job_id, first)
        scanned = self._scanned(document_id, job_id)
        for start in range(0, len(scanned), OCR_WINDOW):
            self._go_on(job_id)
            self._recognise(document_id, job_id, scanned[start : start + OCR_WINDOW], total - len(scanned) + start)
        self._settle(document_id, job_id)
        while True:  # again where a new generation has become the live one meanwhile
            index_id, chunks = self._chunk(document_id, job_id)
            for window in range(-(-chunks // WINDOW)):
                self._go_on(job_id)
                self._embed(document_id, job_id, index_id, window)
            self._go_on(job_id)
            published: Published = self._publish(document_id, job_id, index_id)
            if published.done:
                return published.hidden

    # --- one generation -----------------------------------------------------------------------------------------------

    def _run_rebuild(self, index_id: str, job_id: str) -> str:
        """Builds a generation to its end; returns how it ended."""
        rebuild, ended = self._work.rebuild, "failed"
        try:
            if self._insist(lambda: self._stores.jobs.begin(job_id)) > self._limits.attempts:
                raise self._rebuild_failed(index_id)
            self._rebuild(index_id, job_id)
            ended = "done"
        except (JobCancelled, KnowledgeBaseNotFound):
            self._insist(lambda: rebuild.cancel(index_id, job_id))
            ended = "cancelled"
        except ManualqaError as error:
            fault = error
            self._insist(lambda: rebuild.fail(index_id, job_id, fault))
        except dbos_errors.DBOSMaxStepRetriesExceeded as error:
            log.error("rebuild_gave_up", index_id=index_id, errors=[repr(cause) for cause in error.errors])
            self._insist(lambda: rebuild.fail(index_id, job_id, self._rebuild_failed(index_id)))
        except Exception as error:
            self._end_if_stopping(job_id, error)
            log.exception("rebuild_failed", index_id=index_id)
            self._insist(lambda: rebuild.fail(index_id, job_id, self._rebuild_failed(index_id)))
        _apart(self.enqueue_retirement)
        return ended

    def _rebuild_failed(self, index_id: str) -> RebuildFailed:
        return RebuildFailed(name=self._stores.bases.name_of(index_id))

    def _rebuild(self, index_id: str, job_id: str) -> None:
        while True:
            documents = self._waiting(index_id, job_id)
            if not documents and self._swap(index_id, job_id):
                return
            for document_id in documents:
                chunks = self._rebuild_chunk(document_id, index_id, job_id)
                for window in range(-(-chunks // WINDOW)):
                    self._go_on(job_id)
                    self._rebuild_embed(document_id, index_id, job_id, window)
                self._go_on(job_id)
                self._rebuild_place(document_id, index_id, job_id)

    def _purge_retired(self) -> None:
        for index_id in self._stores.generations.retired():
            self._work.rebuild.purge(index_id)

    # --- stopping and trying again ------------------------------------------------------------------------------------

    def _go_on(self, job_id: str) -> None:
        """Ends a workflow between two steps of a server that stops; it stays open for the next start."""
        if self._stopping.is_set():
            self._stores.jobs.pause(job_id)
            raise _Stopping

    def _end_if_stopping(self, job_id: str, error: Exception) -> None:
        if self._stopping.is_set():
            self._stores.jobs.pause(job_id)
            raise _Stopping from error

    def _insist(self, run: Callable[[], R]) -> R:
        """Does what must be done whatever is away, such as recording an end: again until it works or the server stops.

        It is no step: a job that is taken up again may end before the steps that are recorded of it.
        """
        pause = self._limits.retry_seconds
        while True:
            try:
                return run()
            except (Unavailable, OSError, SQLAlchemyError) as error:
                log.warning("job_waits", error=repr(error))
                if self._stopping.wait(pause):
                    raise _Stopping from error
                pause = min(3 * pause, _LONGEST_PAUSE_SECONDS)

    def _insistent(self, run: Callable[P, R]) -> Callable[P, R]:
        def again(*args: P.args, **kwargs: P.kwargs) -> R:
            return self._insist(partial(run, *args, **kwargs))

        return again

    def _step(self, name: str, run: Callable[P, R]) -> Callable[P, R]:
        """A step is not run again after a restart once it has finished; one that was `Unavailable` is tried again."""

        def step(*args: P.args, **kwargs: P.kwargs) -> R:
            return run(*args, **kwargs)

        durable = DBOS.step(
            name=name,
            retries_allowed=True,
            max_attempts=self._limits.tries,
            interval_seconds=self._limits.retry_seconds,
            backoff_rate=3.0,
            should_retry=_may_help,
        )
        return durable(step)


class _Stopping(BaseException):
    """The server stops: the workflow ends here, unfinished, and the next start goes on after its last step."""


def _apart(run: Callable[[], None]) -> None:
    """Runs it outside the workflow that asks for it, whose recorded steps it would be taken for."""
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def lane_of(size: int) -> str:
    """The queue for a file of so many bytes."""
    return next(name for name, most in LANES if most is None or size <= most)


def _may_help(error: BaseException) -> bool:
    return isinstance(error, Unavailable | OSError | SQLAlchemyError)


def _workflow(name: str, run: Callable[P, R]) -> Callable[P, R]:
    def workflow(*args: P.args, **kwargs: P.kwargs) -> R:
        return run(*args, **kwargs)

    return DBOS.workflow(name=name, max_recovery_attempts=_RECOVERIES)(workflow)
