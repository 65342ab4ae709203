"""The parts of a running server: questions, knowledge bases, documents and jobs, and their life."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import get_args

import anyio
import structlog
from anyio import to_thread
from pydantic import SecretStr
from sqlalchemy import Engine

from app.authors import Authors
from app.catalogue.adapters import AdapterRows
from app.catalogue.alarms import Alarms
from app.catalogue.audit import Audit
from app.catalogue.calibrations import Calibrations
from app.catalogue.calls import Calls
from app.catalogue.conversations import Conversations, History
from app.catalogue.counts import Counts
from app.catalogue.database import Locks, Sessions
from app.catalogue.documents import Room
from app.catalogue.drafts import Drafts
from app.catalogue.evaluations import Evaluations
from app.catalogue.finetunes import Trainings
from app.catalogue.inspection import Inspection
from app.catalogue.keys import Keys
from app.catalogue.movement import Movement
from app.catalogue.operations import Operations
from app.catalogue.processes import Process, Processes
from app.catalogue.promotions import Promotions
from app.catalogue.quotas import Quotas
from app.catalogue.records import Job
from app.catalogue.reviews import Reviews
from app.catalogue.web_sessions import WebSessions
from app.embedding import Embedding
from app.errors import (
    BlobsUnavailable,
    Unavailable,
)
from app.generate.answer import Answerer, AnswerLimits
from app.generate.guarded_model import GuardedModel
from app.generate.model_queue import Patience, patience
from app.health import Health
from app.ingest.backup.writing import BackupPlaces, Backups
from app.ingest.consistency import Consistency, Mending
from app.ingest.durable import JobPlace, WorkerLimits
from app.ingest.indexing import Indexing, Stores
from app.ingest.jobs import JobEngine, Others, Work
from app.ingest.library import Library
from app.ingest.pipeline import Pipeline, Reading
from app.ingest.purging import Purging
from app.ingest.rebuild import Rebuild
from app.ingest.rendering.process import DrawingLimits
from app.ingest.rendering.views import PageViews
from app.ingest.turns import Turns
from app.parts import Guards, Parts, guarded
from app.ports import LanguageModel
from app.presence import Presence
from app.questions import Questions
from app.recording import Recorder
from app.retention import Retention
from app.settings import Settings
from app.types import Fingerprint, Language

log = structlog.get_logger(__name__)

WARM_UP_POLL_SECONDS = 0.2
IMAGES_SWEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Company:
    """What this process shares with others on one database."""

    url: SecretStr
    processes: Processes
    process: Process
    locks: Locks


class Services:
    """All parts of a running server. `start` returns at once; embedder and model get ready in the background."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        database: Engine,
        sessions: Sessions,
        parts: Parts,
        reading: Reading,
        token: str,
        company: Company | None = None,
    ) -> None:
        self.settings = settings
        self.run_token = token
        self.bases, self.documents, self.contents = stores.bases, stores.documents, stores.contents
        self.generations, self.jobs, self.files = stores.generations, stores.jobs, stores.files
        self.keys, self.quotas = Keys(sessions), Quotas(sessions)
        self.evaluations = Evaluations(sessions)
        self.calibrations, self.trainings = Calibrations(sessions), Trainings(sessions)
        self.adapters, self.promotions = AdapterRows(sessions), Promotions(sessions)
        self.counts, self.audit = Counts(sessions), Audit(sessions)
        self.alarms, self.movement = Alarms(sessions), Movement(sessions)
        self.calls = Calls(sessions, keep_questions=settings.keep_questions)
        self.reviews, self.drafts = Reviews(sessions), Drafts(sessions)
        self.recorder, self.operations = Recorder(self.calls), Operations(sessions)
        self.authors = Authors(self.adapters, self.promotions)
        self.process_id = None if company is None else company.process.id
        self.works = company is None or company.process.works
        history = History(settings.max_conversations, settings.max_turns)
        self.conversations = Conversations(sessions, history, self.process_id)
        days = settings.call_days, settings.days_of_conversations
        self._retention = Retention(self.calls, self.conversations, *days)
        self.web_sessions = WebSessions(sessions, settings.session_hours)
        drawing = DrawingLimits(settings.page_image_seconds, settings.page_image_memory_mb, settings.page_image_pixels)
        self.page_views = PageViews(stores, settings.page_image_processes, drawing)
        self._stores = stores
        self._database = database
        self.embedding = Embedding(parts.embedder, parts.open_embedder)
        self._model = guarded(parts, settings)
        self._judge = parts.judge
        self.adapter_host = parts.adapter_host
        self._engine = parts.engine
        self._images_swept = time.monotonic()
        self._draining, self._hurrying = threading.Event(), threading.Event()
        guards = Guards.of(settings, stores.vectors, parts.embedder)
        limits_of_answers = AnswerLimits(settings.context_tokens, settings.max_answer_tokens)
        self._answerer = Answerer(self._model, parts.embedder, limits_of_answers)
        self.questions = Questions(
            settings, stores, self._answerer, self.embedding, guards, self.authors, self.calibrations, self.recorder
        )
        processes = None if company is None else company.processes
        self.health = Health(database, self._model, self.embedding, guards, stores.files, parts.replicas, processes)
        indexing = Indexing(stores, self.embedding.embedders.for_index, guards.there())
        turns = Turns() if company is None else Turns(company.locks.of)
        pipeline = Pipeline(stores, indexing, reading, turns)
        work = Work(pipeline, Rebuild(stores, indexing, pipeline.turns), Purging(stores, indexing, pipeline.turns))
        limits = WorkerLimits(settings.ingest_tries, settings.ingest_retry_seconds, settings.ingest_attempts)
        place = JobPlace(settings.data_dir)
        if company is not None:
            place = JobPlace(settings.data_dir, company.url, company.process.id, company.process.works)
        self._engine_of_jobs = JobEngine(place, stores, work, limits)
        room = Room(settings.max_documents, settings.max_knowledge_base_mb * 1_000_000)
        self.library = Library(stores, self._engine_of_jobs, self.fingerprint, room)
        mending = Mending(self.library, self._engine_of_jobs, pipeline)
        self.consistency = Consistency(stores, Inspection(sessions), mending)
        places = BackupPlaces(settings.backups_dir, settings.data_dir, settings.adapters_dir, settings.finetune_dir)
        self.backups = Backups(places, stores, pipeline.turns, self.is_draining)
        self._company = company
        self._presence: Presence | None = None
        if company is not None:
            seconds = settings.process_lost_seconds
            self._presence = Presence(
                company.processes, company.process, seconds, self._look_after, _give_up, settings.beat_file.touch
            )

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the model server and the worker, and loads the embedder beside them."""
        self.backups.sweep()
        if self._company is None or self._presence is None:
            self._sweep_files()
            self.conversations.stop_running()
        else:
            with self._company.locks.of("start"):  # nobody comes while this one thinks that it is alone
                if self._presence.join():
                    self._sweep_files()
                self.conversations.stop_running(self._company.processes.living())
            self._presence.start()
        self.page_views.start()
        self._retention.start()
        if self._engine is not None:
            self._engine.start()
        self.embedding.start(self._engine_of_jobs.start)

    def _sweep_files(self) -> None:
        """What a crash left goes; where the storage is away it stays until the next start, which /readyz says too."""
        try:
            self.files.sweep(self.documents.uses)
        except BlobsUnavailable as error:
            log.warning("files_not_swept", detail=error.detail)

    def _look_after(self, living: set[str], died: bool) -> None:
        """What a process does for the others: see `Presence`."""
        if died:
            self.conversations.stop_running(living)
        if self._company is not None:
            others = Others(self._company.processes.living, partial(self._company.locks.of, "start"))
            self._engine_of_jobs.look_after(others, died=died)
        if time.monotonic() - self._images_swept > IMAGES_SWEEP_SECONDS:  # others purge documents too
            self._images_swept = time.monotonic()
            self._stores.images.sweep(self.documents.is_there)

    def living(self) -> set[str]:
        """The ids of all processes that live, this one among them; none where it is always alone."""
        return set() if self._company is None else self._company.processes.living()

    def others(self) -> set[str]:
        """The same without this one, which makes nothing before it starts."""
        return self.living() - {self.process_id or ""}

    def drain(self) -> None:
        """A stop is coming: streams that only watch end now. The second time, running steps are not waited for."""
        if self._draining.is_set():
            self._hurrying.set()
        self._draining.set()

    def is_hurrying(self) -> bool:
        """Whether running steps are not waited for."""
        return self._hurrying.is_set()

    def is_draining(self) -> bool:
        """Whether a stop is coming."""
        return self._draining.is_set()

    async def stop(self) -> None:
        """Ends the worker after its step, then the model server; the next start takes up what was not finished."""
        self.embedding.stop()
        self._draining.set()
        self._retention.stop()
        seconds = 0.0 if self._hurrying.is_set() else self.settings.shutdown_seconds
        await to_thread.run_sync(self._engine_of_jobs.stop, seconds)
        await self._model.close()
        if self._judge is not None:
            await self._judge.close()
        if self._engine is not None:
            await to_thread.run_sync(self._engine.stop)
        await to_thread.run_sync(self.page_views.stop)
        await to_thread.run_sync(self.recorder.close)
        if self._presence is not None:
            await to_thread.run_sync(self._presence.stop)
        self._stores.keywords.close()
        self._stores.vectors.close()
        if self._company is not None:
            self._company.locks.close()
        self._database.dispose()

    async def warm_up_model(self) -> None:
        """Has the local model read the constant part of both prompts, so that no question has to wait for that."""
        if self._engine is None:
            return
        while (await self._model.status()).state != "ready":  # noqa: ASYNC110 - another process gets ready
            await anyio.sleep(WARM_UP_POLL_SECONDS)
        for language in get_args(Language):
            try:
                with patience(Patience.BACKGROUND):
                    await self._answerer.warm(language)
            except Unavailable as error:
                log.warning("warm_up_failed", detail=error.detail)

    @property
    def model(self) -> GuardedModel:
        """The language model that answers, behind its queue."""
        return self._model

    @property
    def judge(self) -> LanguageModel:
        """The language model that judges answers in evaluations."""
        return self._judge or self._model

    # --- indexes ------------------------------------------------------------------------------------------------------

    def fingerprint(self) -> Fingerprint:
        """What this server builds indexes with; raises `NotReady` while the embedder loads."""
        return self.embedding.fingerprint(self.settings.chunk_size, self.settings.chunk_overlap)

    def rebuild(self, knowledge_base_id: str, size: int | None, overlap: int | None, embedder: str | None) -> Job:
        """Starts building a new generation; None keeps the chunk sizes there are and takes the server's embedder.

        Raises `KnowledgeBaseNotFound`, `RebuildRunning`, `NotReady`, `WeightsMissing`, `EmbedderUnavailable`.
        """
        old = self.bases.get(knowledge_base_id).fingerprint
        new = self.embedding.fingerprint(
            old.chunk_size if size is None else size,
            old.chunk_overlap if overlap is None else overlap,
            embedder,
        )
        return self.library.rebuild(knowledge_base_id, new)


def _give_up() -> None:
    """Another process does the work of this one: what it still writes would cross that."""
    os._exit(1)
