"""Jobs: a killed server goes on after the last finished step of every document and every rebuild."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import tracing
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
)
from app.ingest.durable import Durable, JobPlace, JobQueue, Stopping, TriedInVain, WorkerLimits
from app.ingest.indexing import WINDOW, Stores
from app.ingest.lanes import LANES, REBUILDS, TAKEN_OVER, TAKEN_OVER_AT_ONCE, Lanes, lane_of
from app.ingest.pipeline import Pipeline
from app.ingest.purging import Purging
from app.ingest.rebuild import Rebuild
from app.types import JobKind, JobState

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

PURGES = "purges"
_SOON_SECONDS = 0.2
"""Between two looks at the queue of small documents: somebody waits who has just uploaded one."""
_POLL_SECONDS = 0.5
_SELDOM_SECONDS = 1.0
"""Between two looks at a queue for what others have left: it is nearly always empty."""
_LOOK_SECONDS = 30.0
"""Between two looks at jobs that no queue has, where there are several processes: a database that goes away between an
upload and its place in a queue leaves one, which nobody dies of."""
_LOOK_AT_ALL_SECONDS = 300.0
"""The same for all that may have been left: what is hidden is put into a queue each time, also where it waits there."""
OCR_WINDOW = 8
"""Pages recognised between two checkpoints: at some seconds a page, half a minute or so is done again at most."""


@dataclass(frozen=True, slots=True)
class Work:
    """All that jobs do."""

    pipeline: Pipeline
    rebuild: Rebuild
    purging: Purging


@dataclass(frozen=True, slots=True)
class Others:
    """The other processes: the ids of all that live at this moment, and a block in which none begins to."""

    living: Callable[[], set[str]]
    nobody_comes: Callable[[], AbstractContextManager[None]]


class JobEngine:
    """Queues of documents, rebuilds and purges; there can be one engine in a process."""

    def __init__(self, place: JobPlace, stores: Stores, work: Work, limits: WorkerLimits) -> None:
        self._stores = stores
        self._work = work
        self._limits = limits
        self._works, self._has_others = place.works, place.url is not None
        self._running = threading.Event()
        if not place.works:  # others take jobs up
            self._running.set()
        self._begun: set[str] = set()
        self._looked = self._looked_at_all = time.monotonic()
        self._durable = durable = Durable(place, limits)
        self._lanes = Lanes(lambda: durable.is_stopping)
        pipeline, rebuild, purging = work.pipeline, work.rebuild, work.purging
        self._read = durable.step("read", self._in_lane(pipeline.read))
        self._scanned = durable.step("scanned", pipeline.scanned)
        self._recognise = durable.step("recognise", self._in_lane(pipeline.recognise))
        self._settle = durable.step("settle", self._in_lane(pipeline.settle))
        self._chunk = durable.step("chunk", self._in_lane(pipeline.chunk))
        self._embed = durable.step("embed", self._in_lane(pipeline.embed))
        self._publish = durable.step("publish", self._in_lane(pipeline.publish))
        self._waiting = durable.step("rebuild_waiting", rebuild.waiting)
        self._rebuild_chunk = durable.step("rebuild_chunk", self._in_rebuilds(rebuild.chunk))
        self._rebuild_embed = durable.step("rebuild_embed", self._in_rebuilds(rebuild.embed))
        self._rebuild_place = durable.step("rebuild_place", self._in_rebuilds(rebuild.place))
        self._swap = durable.step("rebuild_swap", rebuild.swap)
        self._workflows = {
            JobKind.INGEST: durable.workflow("ingest", self._run_ingest),
            JobKind.REBUILD: durable.workflow("rebuild", self._run_rebuild),
        }
        self._retire_workflow = durable.workflow("retire", durable.insistent(self._purge_retired))
        self._purge_workflow = durable.workflow("purge", durable.insistent(purging.purge))
        self._purge_base_workflow = durable.workflow("purge_base", durable.insistent(purging.purge_base))

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Launches the worker, takes up unfinished jobs, and enqueues what a crash kept from being enqueued."""
        if not self._works:
            return
        soonest, *others = (name for name, _ in LANES)
        queues = [JobQueue(soonest, _SOON_SECONDS)]
        queues += [JobQueue(name, _POLL_SECONDS) for name in (*others, REBUILDS, PURGES)]
        if self._has_others:
            queues += [JobQueue(name, _SELDOM_SECONDS, TAKEN_OVER_AT_ONCE) for name in TAKEN_OVER.values()]
        self._durable.launch(queues)
        self._running.set()  # from here on uploads enqueue for themselves; what came before is found now
        self._take_up_all()

    def look_after(self, among: Others, *, died: bool) -> None:
        """Takes over what others have left: at once what they had begun, and where one has died, or now and then, also
        what they did not come to put into a queue."""
        if not self._works or not self._running.is_set():
            return
        if self._durable.left_by(among.living()):
            with among.nobody_comes():  # and nobody else takes over, so that no job is begun twice
                self._durable.take_over(among.living, TAKEN_OVER)
        moment = time.monotonic()
        if died or moment - self._looked_at_all > _LOOK_AT_ALL_SECONDS:
            self._looked = self._looked_at_all = moment
            self._take_up_all()
        elif moment - self._looked > _LOOK_SECONDS:
            self._looked = moment
            self._enqueue_forgotten()

    def _enqueue_forgotten(self) -> None:
        """Puts jobs into their queues that were accepted and never came there."""
        jobs = self._stores.jobs.unfinished()
        known = self._durable.known([job.id for job in jobs])
        for job in jobs:
            if job.id not in known:
                log.warning("job_forgotten", job_id=job.id)
                self.enqueue(job)

    def _take_up_all(self) -> None:
        for job in self._stores.jobs.unfinished():
            self._take_up(job)
        for document_id in self._stores.documents.without_job():
            job_id = self._stores.documents.reopen(document_id)
            if job_id is not None:
                self.enqueue(self._stores.jobs.get(job_id))
        self.enqueue_hidden()

    def stop(self, seconds: float) -> None:
        """Lets the running steps finish, for at most `seconds`; the rest is taken up at the next start."""
        self._durable.stop(seconds)
        try:
            for job_id in tuple(self._begun):  # also those whose step was not waited for
                self._stores.jobs.pause(job_id)
        except SQLAlchemyError as error:
            log.warning("jobs_not_paused", error=repr(error))

    # --- enqueueing: before `start` nothing happens, and `start` finds it ---------------------------------------------

    def enqueue(self, job: Job) -> None:
        """Puts a job in its queue; the same job twice is one workflow."""
        if not self._running.is_set():
            return
        workflow = self._workflows[job.kind]
        if job.index_id is not None:
            self._durable.enqueue(REBUILDS, job.id, workflow, job.index_id, job.id)
        elif job.document_id is not None:
            lane = lane_of(self._stores.documents.bytes(job.document_id))
            self._durable.enqueue(lane, job.id, workflow, job.document_id, job.id)

    def enqueue_purge(self, document_id: str) -> None:
        """Removes the traces of a hidden document. A purge may run twice; one that broke off must."""
        if self._running.is_set():
            identity = f"purge-{document_id}-{secrets.token_hex(4)}"
            self._durable.enqueue(PURGES, identity, self._purge_workflow, document_id)

    def enqueue_purge_base(self, knowledge_base_id: str) -> None:
        """Removes a hidden knowledge base."""
        if self._running.is_set():
            identity = f"purge-{knowledge_base_id}-{secrets.token_hex(4)}"
            self._durable.enqueue(PURGES, identity, self._purge_base_workflow, knowledge_base_id)

    def enqueue_hidden(self) -> None:
        """Removes everything that is hidden and not purged yet."""
        for document_id in self._stores.documents.hidden():
            self.enqueue_purge(document_id)
        for knowledge_base_id in self._stores.bases.hidden():
            self.enqueue_purge_base(knowledge_base_id)
        self.enqueue_retirement()

    def enqueue_retirement(self) -> None:
        """Removes generations that were replaced or given up."""
        if self._running.is_set():
            identity = f"retire-{secrets.token_hex(4)}"
            self._durable.enqueue(PURGES, identity, self._retire_workflow)

    def _take_up(self, job: Job) -> None:
        """Enqueues an unfinished job, or a new one where its workflow has ended without ending the job."""
        lost = self._durable.is_lost(job.id)
        if lost is None:
            self.enqueue(job)
        elif lost:
            log.warning("job_begins_again", job_id=job.id)
            self._durable.cancel(job.id)
            self._stores.jobs.end(job.id, JobState.FAILED, IngestFailed.code(), name=job.document_name or "?")
            if job.index_id is not None:
                self._stores.generations.abandon(job.index_id)

    # --- one document -------------------------------------------------------------------------------------------------

    def _run_ingest(self, document_id: str, job_id: str) -> str:
        """Runs one document to its end; returns which."""
        with self._beginning(job_id), tracing.within("ingest", job_id=job_id, document_id=document_id) as span:
            ended = self._ingest_to_its_end(document_id, job_id)
            span.note(ended=ended)
            return ended

    def _in_lane(self, step: Callable[Concatenate[str, str, P], R]) -> Callable[Concatenate[str, str, P], R]:
        """A step of a document, in the lane of its size."""

        def in_lane(document_id: str, job_id: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with self._place(lane_of(self._stores.documents.bytes(document_id)), job_id):
                return step(document_id, job_id, *args, **kwargs)

        return in_lane

    def _in_rebuilds(
        self, step: Callable[Concatenate[str, str, str, P], R]
    ) -> Callable[Concatenate[str, str, str, P], R]:
        """A step of a rebuild on one document."""

        def in_lane(document_id: str, index_id: str, job_id: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with self._place(REBUILDS, job_id):
                return step(document_id, index_id, job_id, *args, **kwargs)

        return in_lane

    def _place(self, lane: str, job_id: str) -> AbstractContextManager[None]:
        """The lane, held; the job is not to blame for what happens while it waits for it."""
        jobs = self._stores.jobs

        def goes_on(seconds: float) -> None:
            self._durable.insist(lambda: jobs.go_on(job_id, seconds))

        return self._lanes.place(lane, lambda: jobs.wait(job_id), goes_on)

    @contextmanager
    def _beginning(self, job_id: str) -> Iterator[None]:
        """Notes that this process has begun the job, until that has ended; one that stops midway stays noted."""
        self._begun.add(job_id)
        yield
        self._begun.discard(job_id)

    def _ingest_to_its_end(self, document_id: str, job_id: str) -> str:
        pipeline = self._work.pipeline
        try:
            attempts = self._durable.insist(lambda: self._stores.jobs.begin(job_id))
            if attempts > self._limits.attempts:
                raise GaveUp(name=self._stores.documents.name(document_id), times=self._limits.attempts)
            hidden = self._ingest(document_id, job_id)
        except JobCancelled:
            ended = "cancelled"
        except (DocumentError, FingerprintMismatch) as error:
            ended, fault = "failed", error
            self._durable.insist(lambda: pipeline.fail(document_id, job_id, fault))
        except TriedInVain as error:
            ended = "failed"
            log.error("ingest_gave_up", document_id=document_id, errors=str(error))
            self._durable.insist(lambda: pipeline.unexpected(document_id, job_id))
        except Exception as error:
            self._end_if_stopping(job_id, error)
            ended = "failed"
            log.exception("ingest_failed", document_id=document_id)
            self._durable.insist(lambda: pipeline.unexpected(document_id, job_id))
        else:
            for other in hidden:
                self.enqueue_purge(other)
            return "ready"
        self._durable.insist(lambda: pipeline.clear(document_id))
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
        with self._beginning(job_id), tracing.within("rebuild", job_id=job_id, index_id=index_id) as span:
            ended = self._rebuild_to_its_end(index_id, job_id)
            span.note(ended=ended)
            return ended

    def _rebuild_to_its_end(self, index_id: str, job_id: str) -> str:
        rebuild, ended = self._work.rebuild, "failed"
        try:
            if self._durable.insist(lambda: self._stores.jobs.begin(job_id)) > self._limits.attempts:
                raise self._rebuild_failed(index_id)
            self._rebuild(index_id, job_id)
            ended = "done"
        except (JobCancelled, KnowledgeBaseNotFound):
            self._durable.insist(lambda: rebuild.cancel(index_id, job_id))
            ended = "cancelled"
        except ManualqaError as error:
            fault = error
            self._durable.insist(lambda: rebuild.fail(index_id, job_id, fault))
        except TriedInVain as error:
            log.error("rebuild_gave_up", index_id=index_id, errors=str(error))
            self._durable.insist(lambda: rebuild.fail(index_id, job_id, self._rebuild_failed(index_id)))
        except Exception as error:
            self._end_if_stopping(job_id, error)
            log.exception("rebuild_failed", index_id=index_id)
            self._durable.insist(lambda: rebuild.fail(index_id, job_id, self._rebuild_failed(index_id)))
        self.enqueue_retirement()
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

    # --- stopping -----------------------------------------------------------------------------------------------------

    def _go_on(self, job_id: str) -> None:
        """Ends a workflow between two steps of a server that stops; it stays open for the next start."""
        if self._durable.is_stopping:
            self._stores.jobs.pause(job_id)
            raise Stopping

    def _end_if_stopping(self, job_id: str, error: Exception) -> None:
        if self._durable.is_stopping:
            self._stores.jobs.pause(job_id)
            raise Stopping from error
