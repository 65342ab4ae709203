"""The parts of a running server: questions, knowledge bases, documents and jobs, and their life."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

import anyio
import structlog
from anyio import CapacityLimiter, to_thread
from pydantic import SecretStr
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from app.authors import Authors, author_name
from app.breakers import Breaker, Watched
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
from app.catalogue.records import Job, KnowledgeBase
from app.catalogue.reviews import Reviews
from app.catalogue.web_sessions import WebSessions
from app.errors import (
    BlobStoreUnusable,
    BlobsUnavailable,
    EmbedderUnavailable,
    IndexUnavailable,
    ManualqaError,
    NotReady,
    QuestionEmpty,
    QuestionTooLong,
    Unavailable,
)
from app.generate.answer import Answerer, AnswerLimits, Author
from app.generate.engine import LocalEngine
from app.generate.events import AnswerEvent, DoneEvent
from app.generate.guarded_model import GuardedModel
from app.generate.hosting import AdapterHost
from app.generate.model_queue import ModelQueue, Patience, patience
from app.generate.replicas import ReplicaHost
from app.generate.translate import Translator
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
from app.ports import Embedder, KeywordIndex, LanguageModel, VectorStore
from app.presence import Presence
from app.recording import Asked, Recorder
from app.retention import Retention
from app.retrieve.embedders import Embedders
from app.retrieve.search import Searcher
from app.retrieve.threshold import default_tuning
from app.settings import Settings
from app.text.language import detect_language
from app.text.tokens import TOKENS_VERSION
from app.types import Answer, Channel, Fingerprint, Language, SearchResult, Tuning
from app.wordings import Wordings

log = structlog.get_logger(__name__)

EMBEDDER_RETRY_SECONDS = 5.0
WARM_UP_POLL_SECONDS = 0.2
IMAGES_SWEEP_SECONDS = 60.0
ENDPOINT_REQUESTS = 32
"""Calls at once to an endpoint, which has a queue of its own: vLLM writes that many side by side on one card."""
_WARM_UP = ("warm up", "warm up " * 10)
"""Questions of the two lengths that most have."""
_MOST_SWAPS = 3
"""Searches of one question at most, where documents or a new generation go live during each."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question to one knowledge base; None takes the knowledge base's or the server's choice.

    `keep_doubtful` gives answers also where the model's doubt would make them refusals; calibration weighs them.
    `also` are other wordings to search with; `Services.worded` finds them. `adapter` is the id of the adapter that is
    to answer, or "base" for the model alone; `asker` tells askers apart where only a share of them gets an adapter.
    `channel` is the way a user's question came in; without it the question is not recorded.
    """

    knowledge_base_id: str
    text: str
    limit: int | None = None
    threshold: float | None = None
    language: Language | None = None
    keep_doubtful: bool = False
    also: tuple[str, ...] = ()
    adapter: str | None = None
    asker: str = ""
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class PartState:
    """State of one part, as `/readyz` shows it."""

    state: str
    required: bool
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that a setting chooses; tests hand in their own. Without a `judge` the model judges."""

    embedder: Embedder
    model: LanguageModel
    engine: LocalEngine | None = None
    open_embedder: Callable[[str], Embedder] | None = None
    reading: Reading | None = None
    judge: LanguageModel | None = None
    adapter_host: AdapterHost | None = None
    replicas: ReplicaHost | None = None
    vectors: VectorStore | None = None
    keywords: KeywordIndex | None = None


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
        self._embedder = parts.embedder
        self._embedders = Embedders(parts.embedder, parts.open_embedder or _no_other_embedder)
        self._model = guarded(parts, settings)
        self._judge = parts.judge
        self.adapter_host, self._replicas = parts.adapter_host, parts.replicas
        self._engine = parts.engine
        self._embedder_state = PartState("starting", required=True)
        self._warned: set[str] = set()
        self._images_swept = time.monotonic()
        self._stopping, self._draining, self._hurrying = threading.Event(), threading.Event(), threading.Event()
        self._searcher = Searcher(stores.vectors, stores.keywords, stores.contents, settings.candidates)
        self._searching = CapacityLimiter(settings.search_threads)
        self._index, self._embedding = _watched(settings, stores.vectors, parts.embedder)
        self._answerer = Answerer(
            self._model, parts.embedder, AnswerLimits(settings.context_tokens, settings.max_answer_tokens)
        )
        translator = Translator(self._model, settings.translate_seconds)
        self._wordings = Wordings(translator, stores.contents) if settings.translate_questions else None
        watched = tuple(part for part in (self._index, self._embedding) if part is not None)
        indexing = Indexing(stores, self._embedders.for_index, watched)
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
        threading.Thread(target=self._load_embedder, name="embedder", daemon=True).start()

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
        self._stopping.set()
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

    def _load_embedder(self) -> None:
        """Tries until it works, since an endpoint may come up later than this server; then the worker can start."""
        while not self._stopping.is_set():
            try:
                for question in _WARM_UP:
                    self._embedder.embed_queries([question])
            except EmbedderUnavailable as error:
                log.warning("embedder_failed", detail=error.detail)
                self._embedder_state = PartState("down", required=True, detail=str(error.params.get("reason", "")))
                self._stopping.wait(EMBEDDER_RETRY_SECONDS)
            else:
                self._embedder_state = PartState("ready", required=True)
                self._engine_of_jobs.start()
                return

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
    def embedder(self) -> Embedder:
        """What embeds for new indexes; raises `NotReady`, `EmbedderUnavailable` while it is not loaded."""
        self._require_embedder()
        return self._embedder

    @property
    def judge(self) -> LanguageModel:
        """The language model that judges answers in evaluations."""
        return self._judge or self._model

    async def parts(self) -> dict[str, PartState]:
        """State of each part."""
        model = await self._model.status()
        workers = {} if self._company is None else {"workers": await to_thread.run_sync(self._workers_state)}
        replicas = {} if self._replicas is None else {"replicas": _replicas_state(self._replicas)}
        return {
            **workers,
            **replicas,
            "catalogue": await to_thread.run_sync(self._catalogue_state),
            **await self._search_states(),
            "model": PartState(model.state, required=False, detail=model.detail),
            "files": await to_thread.run_sync(self._files_state),
        }

    async def _search_states(self) -> dict[str, PartState]:
        """The embedder's, and that of an index on a server; what is left alone is tried here too, once that is due."""
        states = {"embedder": self._embedder_state}
        if self._embedding is not None and self._embedder_state.state == "ready":
            states["embedder"] = await to_thread.run_sync(_state, self._embedding)
        if self._index is not None:
            states["index"] = await to_thread.run_sync(_state, self._index)
        return states

    def breakers(self) -> list[Breaker]:
        """Of the model, and of what search needs where that is on a server."""
        return [self._model.breaker, *(part.breaker for part in (self._index, self._embedding) if part is not None)]

    def _catalogue_state(self) -> PartState:
        try:
            with self._database.connect() as connection:
                connection.execute(select(1))
        except SQLAlchemyError as error:
            log.error("catalogue_failed", detail=str(error))
            return PartState("down", required=True)
        return PartState("ready", required=True)

    def _files_state(self) -> PartState:
        """Questions are answered without the originals; documents wait for them."""
        try:
            self.files.check()
        except (BlobsUnavailable, BlobStoreUnusable) as error:
            return PartState("down", required=False, detail=str(error.params["reason"]))
        return PartState("ready", required=False)

    def _workers_state(self) -> PartState:
        """Questions are answered without workers; documents wait for them."""
        try:
            there = self._company is not None and self._company.processes.workers() > 0
        except SQLAlchemyError:
            there = False
        return PartState("ready" if there else "down", required=False)

    # --- questions ----------------------------------------------------------------------------------------------------

    def fingerprint(self) -> Fingerprint:
        """What this server builds indexes with; raises `NotReady` while the embedder loads."""
        self._require_embedder()
        return self._fingerprint_of(self._embedder, self.settings.chunk_size, self.settings.chunk_overlap)

    def rebuild(self, knowledge_base_id: str, size: int | None, overlap: int | None, embedder: str | None) -> Job:
        """Starts building a new generation; None keeps the chunk sizes there are and takes the server's embedder.

        Raises `KnowledgeBaseNotFound`, `RebuildRunning`, `NotReady`, `WeightsMissing`, `EmbedderUnavailable`.
        """
        self._require_embedder()
        old = self.bases.get(knowledge_base_id).fingerprint
        chosen = self._embedder if embedder is None else self._embedders.named(embedder)
        new = self._fingerprint_of(
            chosen,
            old.chunk_size if size is None else size,
            old.chunk_overlap if overlap is None else overlap,
        )
        return self.library.rebuild(knowledge_base_id, new)

    def _fingerprint_of(self, embedder: Embedder, size: int, overlap: int) -> Fingerprint:
        return Fingerprint(embedder.fingerprint, embedder.dimensions, size, overlap, TOKENS_VERSION)

    def check_question(self, question: Question) -> KnowledgeBase:
        """Raises `QuestionEmpty`, `QuestionTooLong`, `KnowledgeBaseNotFound`, `FingerprintMismatch`, `NotReady`, and
        `AdapterNotFound`, `AdapterRetired`, `AdapterNotHosted` where it names an adapter."""
        limit = self.settings.max_question_characters
        if not question.text.strip():
            raise QuestionEmpty
        if len(question.text) > limit:
            raise QuestionTooLong(length=len(question.text), limit=limit)
        base = self.bases.get(question.knowledge_base_id)
        self._require_embedder()
        self._embedders.for_index(base.fingerprint)
        self.authors.check(question.adapter)
        return base

    async def found(self, question: Question) -> SearchResult:
        """What `search` finds, in the other language too where the model is free to translate: nobody waits for it."""
        with patience(Patience.NONE):
            worded = await self.worded(question)
        return await to_thread.run_sync(self.search, worded, limiter=self._searching)

    async def worded(self, question: Question) -> Question:
        """The question with its wording in the other language, where the manuals are also in that one.

        Costs a short call of the model then; without the model the question stays as it is. Raises what
        `check_question` does.
        """
        base = await to_thread.run_sync(self.check_question, question)
        if self._wordings is None or question.also:
            return question
        other = await self._wordings.other(base, question.text)
        return question if other is None else replace(question, also=(other,))

    def search(self, question: Question) -> SearchResult:
        """Passages for a question; raises what `check_question` does, `IndexUnavailable` and `EmbedderUnavailable`.

        All of a result comes from one state: where a document or a generation comes or goes meanwhile, the search is
        done again, so that it never shows some passages of a document and misses others.
        """
        base = self.check_question(question)
        for _ in range(_MOST_SWAPS):
            fault: IndexUnavailable | None = None
            try:
                result = self._search_generation(base, question)
            except IndexUnavailable as error:  # perhaps because this generation was removed meanwhile
                fault = error
            live = self.bases.get(base.id)
            if live.answers_like(base):
                break
            base = live
        if fault is not None:
            raise fault
        return result

    def _search_generation(self, base: KnowledgeBase, question: Question) -> SearchResult:
        embedder = self._embedders.for_index(base.fingerprint)
        own = Tuning(threshold=base.settings.threshold if question.threshold is None else question.threshold)
        tuning = own.over(self._calibrated(base)).over(self.uncalibrated(base))
        limit = question.limit or self.settings.top_k
        with _guarding(self._index), _guarding(self._embedding):
            return self._searcher.search(
                embedder,
                base.id,
                base.index_id,
                question.text,
                limit,
                tuning.threshold or 0.0,
                tuning.keyword_weight or 0.0,
                question.also,
            )

    def _calibrated(self, base: KnowledgeBase, adapter_id: str | None = None) -> Tuning:
        """What holds of the knowledge base's calibration for its present index, and this server's model or adapter."""
        calibration = self.calibrations.find(base.id)
        if calibration is None:
            return Tuning()
        author = author_name(self.model.name, adapter_id)
        faults = calibration.faults(base.fingerprint, author)
        if faults and calibration.id not in self._warned:
            self._warned.add(calibration.id)
            log.warning("calibration_stale", knowledge_base_id=base.id, faults=[fault.value for fault in faults])
        return calibration.holding(base.fingerprint, author)

    def calibration_state(self, base: KnowledgeBase) -> Literal["none", "active", "stale"]:
        """Whether the knowledge base is calibrated, and for its present index and what answers its questions."""
        calibration = self.calibrations.find(base.id)
        if calibration is None:
            return "none"
        return "stale" if calibration.faults(base.fingerprint, self.author_of(base.id)) else "active"

    def author_of(self, knowledge_base_id: str) -> str:
        """The name of what answers a knowledge base's questions: the model, or an adapter of it."""
        return author_name(self.model.name, self.authors.present(knowledge_base_id))

    def uncalibrated(self, base: KnowledgeBase) -> Tuning:
        """What holds for a knowledge base that is not calibrated and has no threshold of its own."""
        server = Tuning(threshold=self.settings.threshold)
        return server.over(default_tuning(base.fingerprint.embedder)).over(self._answerer.limits.tuning())

    async def ask_stream(self, question: Question) -> AsyncGenerator[AnswerEvent]:
        """Sources, then tokens, then the checked answer; raises as `search` does, before the first event.

        A user's question is recorded as it ends.
        """
        events = self._ask_stream(question)
        if question.channel is not None:
            asked = Asked(question.knowledge_base_id, question.asker, question.channel, question.text)
            events = self.recorder.recorded(asked, events)
        async with aclosing(events):
            async for event in events:
                yield event

    async def _ask_stream(self, question: Question) -> AsyncGenerator[AnswerEvent]:
        base = await to_thread.run_sync(self.check_question, question)
        started = time.monotonic()
        question = await self.worded(question)
        worded_seconds = time.monotonic() - started
        result = await to_thread.run_sync(self.search, question, limiter=self._searching)
        result = replace(result, seconds=result.seconds + worded_seconds)
        chosen = question.language or base.settings.language
        language: Language = "zh" if (chosen or detect_language(question.text)) == "zh" else "en"
        author, tuning = await to_thread.run_sync(self._author, base, question)
        stream = self._answerer.stream(
            question.text,
            language,
            result,
            has_documents=base.ready > 0,
            keep_doubtful=question.keep_doubtful,
            tuning=tuning,
            author=author,
        )
        async with aclosing(stream) as events:
            async for event in events:
                yield event

    def _author(self, base: KnowledgeBase, question: Question) -> tuple[Author, Tuning]:
        """Who answers, and the limits that hold for them."""
        author = self.authors.of(base.id, question.adapter, question.text, question.asker)
        stand_in = self._calibrated(base) if author.adapter is not None else None
        return replace(author, stand_in=stand_in), self._calibrated(base, author.adapter)

    async def ask(self, question: Question) -> Answer:
        """The checked answer; raises as `search` does."""
        return await checked_answer(self.ask_stream(question))

    def _require_embedder(self) -> None:
        if self._embedder_state.state == "starting":
            raise NotReady
        if self._embedder_state.state != "ready":
            raise EmbedderUnavailable(reason=self._embedder_state.detail or "?")


async def checked_answer(events: AsyncGenerator[object]) -> Answer:
    """The answer that a stream of events ends with; the stream is closed, however this ends."""
    answer: Answer | None = None
    async with aclosing(events):
        async for event in events:
            if isinstance(event, DoneEvent):
                answer = event.answer
    if answer is None:
        raise ManualqaError("the answer ended without its last event")
    return answer


def guarded(parts: Parts, settings: Settings) -> GuardedModel:
    """The model of these parts behind its queue: as many at once as the local server has slots for."""
    own = settings.llm_slots if parts.engine is not None else ENDPOINT_REQUESTS
    queue = ModelQueue(settings.model_requests or own, settings.model_queue_seconds)
    return GuardedModel(parts.model, queue, Breaker("model", settings.breaker_failures, settings.breaker_seconds))


def _watched(settings: Settings, vectors: VectorStore, embedder: Embedder) -> tuple[Watched | None, Watched | None]:
    """Index and embedder, as far as they are on a server; what is in this process fails for one alone."""
    limits = (settings.breaker_failures, settings.breaker_seconds)
    index = embedding = None
    if settings.vector_store != "chroma":
        index = Watched(Breaker("index", *limits), IndexUnavailable, vectors.indexes)
    if settings.embedder_base_url:
        ask = partial(embedder.embed_queries, ["ready?"])
        embedding = Watched(Breaker("embedder", *limits), EmbedderUnavailable, ask)
    return index, embedding


def _guarding(part: Watched | None) -> AbstractContextManager[None]:
    return nullcontext() if part is None else part.breaker.guarding(part.kind)


def _replicas_state(host: ReplicaHost) -> PartState:
    """As its adapters were last compared: `degraded` where something is wrong with one, `down` where all are away."""
    seen, detail = host.replicas(), host.detail()
    if not seen:
        return PartState("starting", required=False)
    if all(replica.adapters is None for replica in seen):
        return PartState("down", required=False, detail=detail)
    return PartState("ready" if detail is None else "degraded", required=False, detail=detail)


def _state(part: Watched) -> PartState:
    """Of a part that search needs: that of its breaker, and of a trial where one is due."""
    try:
        part.require_there()
    except ManualqaError as error:
        return PartState("down", required=True, detail=str(error.params.get("reason", "")))
    return PartState("ready", required=True)


def _give_up() -> None:
    """Another process does the work of this one: what it still writes would cross that."""
    os._exit(1)


def _no_other_embedder(name: str) -> Embedder:
    raise EmbedderUnavailable(f"no embedder named {name}", reason="its files could not be loaded")
