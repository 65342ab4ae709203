"""Durable ingestion jobs on DBOS: a killed server goes on after the last finished step of every document."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog
from dbos import DBOS, SetWorkflowID
from dbos import error as dbos_errors
from sqlalchemy.exc import SQLAlchemyError

from app.errors import DocumentError, DocumentNotFound, FingerprintMismatch, KnowledgeBaseNotFound, Unavailable
from app.ingest.pipeline import WINDOW, Pipeline

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

QUEUE = "documents"
ATTEMPTS = 4
POLL_SECONDS = 0.2
_OPEN = frozenset({"PENDING", "ENQUEUED", "DELAYED"})


class JobEngine:
    """The queue of documents; there can be one engine in a process.

    One worker takes documents in turn, so that no step of a document ever meets its own purge.
    """

    def __init__(self, folder: Path, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._stopping = threading.Event()
        self._running = threading.Event()
        DBOS(
            config={
                "name": "manualqa",
                "system_database_url": f"sqlite:///{folder / 'jobs.sqlite'}",
                "executor_id": "local",  # always the same, so that a restart takes up what it left
                "application_version": "1",
                "log_level": "WARNING",
            }
        )
        self._parse = _step("parse", pipeline.parse)
        self._chunk = _step("chunk", pipeline.chunk)
        self._embed = _step("embed", pipeline.embed)
        self._publish = _step("publish", pipeline.publish)
        self._purge = _step("purge_document", pipeline.purge)
        self._purge_base = _step("purge_knowledge_base", pipeline.purge_base)
        self._ingest_workflow = _workflow("ingest", self._ingest)
        self._purge_workflow = _workflow("purge", self._purge)
        self._purge_base_workflow = _workflow("purge_base", self._purge_base)

    def start(self) -> None:
        """Launches the worker, takes up unfinished jobs, and enqueues what a crash kept from being enqueued."""
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=POLL_SECONDS)
        self._running.set()  # from here on uploads enqueue for themselves; what came before is found below
        stores = self._pipeline.stores
        for document_id, job_id in stores.documents.unfinished():
            self.enqueue(document_id, self._open_job(document_id, job_id))
        for document_id in stores.documents.hidden():
            self.enqueue_purge(document_id)
        for knowledge_base_id, index_id in stores.bases.hidden():
            self.enqueue_purge_base(knowledge_base_id, index_id)

    def stop(self, seconds: float) -> None:
        """Lets the running step finish, for at most `seconds`; the rest is taken up at the next start."""
        self._stopping.set()
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=int(seconds))

    def enqueue(self, document_id: str, job_id: str) -> None:
        """Puts a document in the queue; the same job twice is one workflow. Before `start`, that finds it."""
        if not self._running.is_set():
            return
        with SetWorkflowID(job_id):
            DBOS.enqueue_workflow(QUEUE, self._ingest_workflow, document_id, job_id)

    def _open_job(self, document_id: str, job_id: str) -> str:
        """The job of an unfinished document, or a new one where its workflow has ended without ending the document."""
        status = DBOS.get_workflow_status(job_id)
        if status is None or status.status in _OPEN:
            return job_id
        return self._pipeline.stores.documents.new_job(document_id)

    def enqueue_purge(self, document_id: str) -> None:
        """Removes the traces of a hidden document in its turn. A purge may run twice; one that broke off must."""
        if not self._running.is_set():
            return
        with SetWorkflowID(f"purge-{document_id}-{secrets.token_hex(4)}"):
            DBOS.enqueue_workflow(QUEUE, self._purge_workflow, document_id)

    def enqueue_purge_base(self, knowledge_base_id: str, index_id: str) -> None:
        """Removes the indexes of a hidden knowledge base, after its documents."""
        if not self._running.is_set():
            return
        with SetWorkflowID(f"purge-{knowledge_base_id}-{secrets.token_hex(4)}"):
            DBOS.enqueue_workflow(QUEUE, self._purge_base_workflow, knowledge_base_id, index_id)

    def _ingest(self, document_id: str, job_id: str) -> str:
        """Runs one document to `ready` or `failed`; returns which."""
        try:
            self._parse(document_id, job_id)
            chunks = self._chunk(document_id, job_id)
            for window in range(-(-chunks // WINDOW)):
                self._go_on()
                self._embed(document_id, job_id, window)
            self._go_on()
            self._publish(document_id, job_id)
        except (DocumentNotFound, KnowledgeBaseNotFound):
            return "deleted"
        except (DocumentError, FingerprintMismatch) as error:
            self._pipeline.fail(document_id, job_id, error)
            return "failed"
        except dbos_errors.DBOSWorkflowCancelledError:
            raise
        except dbos_errors.DBOSMaxStepRetriesExceeded as error:
            self._give_up(document_id, job_id, error)
            return "failed"
        except Exception as error:
            if self._stopping.is_set():
                raise _Stopping from error
            log.exception("ingest_failed", document_id=document_id)
            self._pipeline.unexpected(document_id, job_id)
            return "failed"
        return "ready"

    def _go_on(self) -> None:
        """Ends a workflow between two steps of a server that stops; it stays open for the next start."""
        if self._stopping.is_set():
            raise _Stopping

    def _give_up(self, document_id: str, job_id: str, error: dbos_errors.DBOSMaxStepRetriesExceeded) -> None:
        log.error("ingest_gave_up", document_id=document_id, errors=[repr(cause) for cause in error.errors])
        self._pipeline.unexpected(document_id, job_id)


class _Stopping(BaseException):
    """The server stops: the workflow ends here, unfinished, and the next start goes on after its last step."""


def _may_help(error: BaseException) -> bool:
    return isinstance(error, Unavailable | OSError | SQLAlchemyError)


def _step(name: str, run: Callable[P, R]) -> Callable[P, R]:
    """A step is not run again after a restart once it has finished; one that was `Unavailable` is tried again."""

    def step(*args: P.args, **kwargs: P.kwargs) -> R:
        return run(*args, **kwargs)

    durable = DBOS.step(
        name=name,
        retries_allowed=True,
        max_attempts=ATTEMPTS,
        interval_seconds=1.0,
        backoff_rate=3.0,
        should_retry=_may_help,
    )
    return durable(step)


def _workflow(name: str, run: Callable[P, R]) -> Callable[P, R]:
    def workflow(*args: P.args, **kwargs: P.kwargs) -> R:
        return run(*args, **kwargs)

    return DBOS.workflow(name=name)(workflow)
