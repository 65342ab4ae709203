"""Puts the parts together: which back end a setting means, and the services that the API and the worker share."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import get_args

import anyio
import structlog
from anyio import to_thread
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker

from app.catalogue.contents import Contents
from app.catalogue.database import open_database
from app.catalogue.documents import Documents
from app.catalogue.keys import Keys
from app.catalogue.knowledge_bases import KnowledgeBases
from app.catalogue.records import KnowledgeBase
from app.errors import (
    EmbedderUnavailable,
    ExtraMissing,
    FingerprintMismatch,
    ManualqaError,
    NotReady,
    QuestionEmpty,
    QuestionTooLong,
    Unavailable,
)
from app.generate.answer import Answerer, AnswerLimits
from app.generate.engine import EngineConfig, LocalEngine
from app.generate.events import AnswerEvent, DoneEvent
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.ingest.files import FileStore
from app.ingest.jobs import JobEngine
from app.ingest.library import Library
from app.ingest.media import parser_for
from app.ingest.pipeline import Pipeline, Stores
from app.models.store import ModelStore
from app.ports import Embedder, LanguageModel, ParseLimits, VectorStore
from app.retrieve.embed import SentenceTransformerEmbedder
from app.retrieve.embed_remote import RemoteEmbedder
from app.retrieve.keyword import TantivyKeywordIndex
from app.retrieve.prefixes import prefixes_for
from app.retrieve.search import Searcher
from app.retrieve.stores.chroma import ChromaVectorStore
from app.retrieve.threshold import default_threshold
from app.settings import Settings
from app.text.language import detect_language
from app.text.tokens import TOKENS_VERSION
from app.types import Answer, Fingerprint, Language, SearchResult

log = structlog.get_logger(__name__)

EMBEDDER_RETRY_SECONDS = 5.0
WARM_UP_POLL_SECONDS = 0.2

VECTOR_STORES: Mapping[str, Callable[[Settings], VectorStore]] = {
    "chroma": lambda settings: ChromaVectorStore(settings.index_dir / "chroma", settings.index_batch),
}


@dataclass(frozen=True, slots=True)
class Question:
    """One question to one knowledge base; None takes the knowledge base's or the server's choice."""

    knowledge_base_id: str
    text: str
    limit: int | None = None
    threshold: float | None = None
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class PartState:
    """State of one part, as `/readyz` shows it."""

    state: str
    required: bool
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that a setting chooses; tests hand in their own."""

    embedder: Embedder
    model: LanguageModel
    engine: LocalEngine | None = None


class Services:
    """All parts of a running server. `start` returns at once; embedder and model get ready in the background."""

    def __init__(self, settings: Settings, stores: Stores, database: Engine, parts: Parts, run_token: str) -> None:
        self.settings = settings
        self.run_token = run_token
        self.bases, self.documents, self.contents = stores.bases, stores.documents, stores.contents
        self.files = stores.files
        self.keys = Keys(sessionmaker(database))
        self._stores = stores
        self._database = database
        self._embedder = parts.embedder
        self._model = parts.model
        self._engine = parts.engine
        self._embedder_state = PartState("starting", required=True)
        self._stopping = threading.Event()
        self._searcher = Searcher(parts.embedder, stores.vectors, stores.keywords, stores.contents, settings.candidates)
        self._answerer = Answerer(
            parts.model, parts.embedder, AnswerLimits(settings.context_tokens, settings.max_answer_tokens)
        )
        pipeline = Pipeline(
            stores=stores,
            parser_for=parser_for,
            embedder=parts.embedder,
            limits=parse_limits(settings),
            fingerprint=self.fingerprint,
        )
        self._jobs = JobEngine(settings.data_dir, pipeline)
        self.library = Library(stores, self._jobs, self.fingerprint)

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the model server and the worker, and loads the embedder beside them."""
        self.files.sweep(self.documents.uses)
        if self._engine is not None:
            self._engine.start()
        threading.Thread(target=self._load_embedder, name="embedder", daemon=True).start()

    async def stop(self) -> None:
        """Ends the worker after its step, then the model server; the next start takes up what was not finished."""
        self._stopping.set()
        await to_thread.run_sync(self._jobs.stop, self.settings.shutdown_seconds)
        await self._model.close()
        if self._engine is not None:
            await to_thread.run_sync(self._engine.stop)
        self._stores.keywords.close()
        self._stores.vectors.close()
        self._database.dispose()

    def _load_embedder(self) -> None:
        """Tries until it works, since an endpoint may come up later than this server; then the worker can start."""
        while not self._stopping.is_set():
            try:
                self._embedder.embed_queries(["warm up"])
            except EmbedderUnavailable as error:
                log.warning("embedder_failed", detail=error.detail)
                self._embedder_state = PartState("down", required=True, detail=str(error.params.get("reason", "")))
                self._stopping.wait(EMBEDDER_RETRY_SECONDS)
            else:
                self._embedder_state = PartState("ready", required=True)
                self._jobs.start()
                return

    async def warm_up_model(self) -> None:
        """Has the local model read the constant part of both prompts, so that no question has to wait for that."""
        if self._engine is None:
            return
        while (await self._model.status()).state != "ready":  # noqa: ASYNC110 - another process gets ready
            await anyio.sleep(WARM_UP_POLL_SECONDS)
        for language in get_args(Language):
            try:
                await self._answerer.warm(language)
            except Unavailable as error:
                log.warning("warm_up_failed", detail=error.detail)

    async def parts(self) -> dict[str, PartState]:
        """State of each part."""
        model = await self._model.status()
        return {
            "catalogue": await to_thread.run_sync(self._catalogue_state),
            "embedder": self._embedder_state,
            "model": PartState(model.state, required=False, detail=model.detail),
        }

    def _catalogue_state(self) -> PartState:
        try:
            with self._database.connect() as connection:
                connection.execute(select(1))
        except SQLAlchemyError as error:
            log.error("catalogue_failed", detail=str(error))
            return PartState("down", required=True)
        return PartState("ready", required=True)

    # --- questions ----------------------------------------------------------------------------------------------------

    def fingerprint(self) -> Fingerprint:
        """What this server builds indexes with; raises `NotReady` while the embedder loads."""
        self._require_embedder()
        return Fingerprint(
            embedder=self._embedder.fingerprint,
            dimensions=self._embedder.dimensions,
            chunk_size=self.settings.chunk_size,
            chunk_overlap=self.settings.chunk_overlap,
            tokens=TOKENS_VERSION,
        )

    def check_question(self, question: Question) -> KnowledgeBase:
        """Raises `QuestionEmpty`, `QuestionTooLong`, `KnowledgeBaseNotFound`, `FingerprintMismatch`, `NotReady`."""
        limit = self.settings.max_question_characters
        if not question.text.strip():
            raise QuestionEmpty
        if len(question.text) > limit:
            raise QuestionTooLong(length=len(question.text), limit=limit)
        base = self.bases.get(question.knowledge_base_id)
        running = self.fingerprint()
        if not base.fingerprint.fits(running):
            raise FingerprintMismatch(built_with=base.fingerprint.embedder, running=running.embedder)
        return base

    def search(self, question: Question) -> SearchResult:
        """Passages for a question; raises what `check_question` does, `IndexUnavailable` and `EmbedderUnavailable`."""
        base = self.check_question(question)
        choices = (question.threshold, base.settings.threshold, self.settings.threshold)
        fallback = default_threshold(self._embedder.fingerprint)
        threshold = next((choice for choice in choices if choice is not None), fallback)
        limit = question.limit or self.settings.top_k
        return self._searcher.search(base.id, base.index_id, question.text, limit, threshold)

    async def ask_stream(self, question: Question) -> AsyncGenerator[AnswerEvent]:
        """Sources, then tokens, then the checked answer; raises as `search` does, before the first event."""
        base = await to_thread.run_sync(self.check_question, question)
        result = await to_thread.run_sync(self.search, question)
        chosen = question.language or base.settings.language
        language: Language = "zh" if (chosen or detect_language(question.text)) == "zh" else "en"
        stream = self._answerer.stream(question.text, language, result, has_documents=base.ready > 0)
        async with aclosing(stream) as events:
            async for event in events:
                yield event

    async def ask(self, question: Question) -> Answer:
        """The checked answer; raises as `search` does."""
        answer: Answer | None = None
        async with aclosing(self.ask_stream(question)) as events:
            async for event in events:
                if isinstance(event, DoneEvent):
                    answer = event.answer
        if answer is None:
            raise ManualqaError("the answer ended without its last event")
        return answer

    def _require_embedder(self) -> None:
        if self._embedder_state.state == "starting":
            raise NotReady
        if self._embedder_state.state != "ready":
            raise EmbedderUnavailable(reason=self._embedder_state.detail or "?")


def build_services(settings: Settings, run_token: str, parts: Parts | None = None) -> Services:
    """The services of a server that owns `settings.data_dir`; raises `SetupError`s."""
    database = open_database(settings.data_dir)
    sessions = sessionmaker(database)
    stores = Stores(
        bases=KnowledgeBases(sessions),
        documents=Documents(sessions),
        contents=Contents(sessions),
        files=FileStore(settings.files_dir, settings.max_upload_mb, settings.min_free_disk_mb),
        vectors=VECTOR_STORES["chroma"](settings),
        keywords=TantivyKeywordIndex(settings.index_dir / "keywords"),
    )
    return Services(settings, stores, database, parts or chosen_parts(settings), run_token)


def chosen_parts(settings: Settings) -> Parts:
    """The embedder and the model that the settings name; raises `WeightsMissing`, `UnknownModel`."""
    times = {"first_token_seconds": settings.llm_first_token_seconds, "total_seconds": settings.llm_total_seconds}
    if settings.llm_base_url:
        key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else "none"
        endpoint = FixedEndpoint(settings.llm_base_url, key)
        return Parts(_embedder(settings), OpenAICompatibleModel(settings.llm_model, endpoint, **times))
    if importlib.util.find_spec("xllamacpp") is None:
        raise ExtraMissing(feature="The local model server", extra="local")
    weights = ModelStore.from_settings(settings).resolve(settings.llm_model)
    engine = LocalEngine(
        EngineConfig(
            name=weights.name,
            weights=weights.path,
            logs_dir=settings.logs_dir,
            context_tokens=settings.llm_context_tokens,
            slots=settings.llm_slots,
            threads=settings.llm_threads,
            start_seconds=settings.llm_start_seconds,
        )
    )
    return Parts(_embedder(settings), OpenAICompatibleModel(weights.name, engine, **times), engine)


def _embedder(settings: Settings) -> Embedder:
    prefixes = prefixes_for(settings.embedder)
    if settings.embedder_base_url:
        key = settings.embedder_api_key.get_secret_value() if settings.embedder_api_key else None
        return RemoteEmbedder(settings.embedder_base_url, settings.embedder, key, prefixes)
    weights = ModelStore.from_settings(settings).resolve(settings.embedder)
    return SentenceTransformerEmbedder(weights.name, weights.revision, weights.path, prefixes, settings.embed_batch)


def check_weights(settings: Settings) -> None:
    """Raises `WeightsMissing` or `UnknownModel` where a model of the settings is not on this machine."""
    store = ModelStore.from_settings(settings)
    if not settings.embedder_base_url:
        store.resolve(settings.embedder)
    if not settings.llm_base_url:
        store.resolve(settings.llm_model)


def parse_limits(settings: Settings) -> ParseLimits:
    """What one parse may cost."""
    return ParseLimits(
        seconds=settings.parse_seconds,
        memory_mb=settings.parse_memory_mb,
        pages=settings.max_pages,
        characters=settings.max_document_characters,
        page_seconds=settings.parse_page_seconds,
    )
