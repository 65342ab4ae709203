"""Durable ingestion jobs on DBOS: a killed server goes on after the last finished step of every document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog
from dbos import DBOS, SetWorkflowID
from dbos import error as dbos_errors

from app.errors import DocumentError, DocumentNotFound, FingerprintMismatch, KnowledgeBaseNotFound, Unavailable
from app.ingest.pipeline import WINDOW, Pipeline

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

QUEUE = "documents"
ATTEMPTS = 4
POLL_SECONDS = 0.2


class JobEngine:
    """The queue of documents; there can be one engine in a process.

    One worker takes documents in turn, so that no step of a document ever meets its own purge.
    """

    def __init__(self, folder: Path, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
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
        stores = self._pipeline.stores
        for document_id, job_id in stores.documents.unfinished():
            self.enqueue(document_id, job_id)
        for document_id in stores.documents.hidden():
            self.enqueue_purge(document_id)
        for knowledge_base_id, index_id in stores.bases.hidden():
            self.enqueue_purge_base(knowledge_base_id, index_id)

    def stop(self, seconds: float) -> None:
        """Lets the running job go on for at most `seconds`; the rest is taken up at the next start."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=int(seconds))

    def enqueue(self, document_id: str, job_id: str) -> None:
        """Puts a document in the queue; the same job twice is one workflow."""
        with SetWorkflowID(job_id):
            DBOS.enqueue_workflow(QUEUE, self._ingest_workflow, document_id, job_id)

    def enqueue_purge(self, document_id: str) -> None:
        """Removes the traces of a hidden document in its turn."""
        with SetWorkflowID(f"purge-{document_id}"):
            DBOS.enqueue_workflow(QUEUE, self._purge_workflow, document_id)

    def enqueue_purge_base(self, knowledge_base_id: str, index_id: str) -> None:
        """Removes the indexes of a hidden knowledge base, after its documents."""
        with SetWorkflowID(f"purge-{knowledge_base_id}"):
            DBOS.enqueue_workflow(QUEUE, self._purge_base_workflow, knowledge_base_id, index_id)

    def _ingest(self, document_id: str, job_id: str) -> str:
        """Runs one document to `ready` or `failed`; returns which."""
        try:
            self._parse(document_id, job_id)
            chunks = self._chunk(document_id, job_id)
            for window in range(-(-chunks // WINDOW)):
                self._embed(document_id, job_id, window)
            self._publish(document_id, job_id)
        except (DocumentNotFound, KnowledgeBaseNotFound):
            return "deleted"
        except (DocumentError, FingerprintMismatch) as error:
            self._pipeline.fail(document_id, job_id, error)
            return "failed"
        except dbos_errors.DBOSWorkflowCancelledError:
            raise
        except Exception:
            log.exception("ingest_failed", document_id=document_id)
            self._pipeline.unexpected(document_id, job_id)
            return "failed"
        return "ready"


def _may_help(error: BaseException) -> bool:
    return isinstance(error, Unavailable)


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
