"""Questions to a knowledge base: checked, searched for and answered."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import structlog
from anyio import CapacityLimiter, to_thread

from app.authors import Authors, author_name
from app.catalogue.calibrations import Calibrations
from app.catalogue.records import KnowledgeBase
from app.embedding import Embedding
from app.errors import IndexUnavailable, ManualqaError, QuestionEmpty, QuestionTooLong
from app.generate.answer import Answerer, Author
from app.generate.events import AnswerEvent, DoneEvent
from app.generate.model_queue import Patience, patience
from app.generate.translate import Translator
from app.ingest.indexing import Stores
from app.parts import Guards
from app.recording import Asked, Recorder
from app.retrieve.search import Searcher
from app.retrieve.threshold import default_tuning
from app.settings import Settings
from app.text.language import detect_language
from app.types import Answer, Channel, Language, SearchResult, Tuning
from app.wordings import Wordings

log = structlog.get_logger(__name__)

_MOST_SWAPS = 3
"""Searches of one question at most, where documents or a new generation go live during each."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question to one knowledge base; None takes the knowledge base's or the server's choice.

    `keep_doubtful` gives answers also where the model's doubt would make them refusals; calibration weighs them.
    `also` are other wordings to search with; `Questions.worded` finds them. `adapter` is the id of the adapter that is
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


class Questions:
    """Answers questions over the stores. Safe to share between requests."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        answerer: Answerer,
        embedding: Embedding,
        guards: Guards,
        authors: Authors,
        calibrations: Calibrations,
        recorder: Recorder,
    ) -> None:
        self._settings = settings
        self._bases = stores.bases
        self._answerer = answerer
        self._model = answerer.model
        self._embedding = embedding
        self._guards = guards
        self._authors = authors
        self._calibrations = calibrations
        self._recorder = recorder
        self._searcher = Searcher(stores.vectors, stores.keywords, stores.contents, settings.candidates)
        self._searching = CapacityLimiter(settings.search_threads)
        translator = Translator(self._model, settings.translate_seconds)
        self._wordings = Wordings(translator, stores.contents) if settings.translate_questions else None
        self._warned: set[str] = set()

    def check_question(self, question: Question) -> KnowledgeBase:
        """Raises `QuestionEmpty`, `QuestionTooLong`, `KnowledgeBaseNotFound`, `FingerprintMismatch`, `NotReady`, and
        `AdapterNotFound`, `AdapterRetired`, `AdapterNotHosted` where it names an adapter."""
        limit = self._settings.max_question_characters
        if not question.text.strip():
            raise QuestionEmpty
        if len(question.text) > limit:
            raise QuestionTooLong(length=len(question.text), limit=limit)
        base = self._bases.get(question.knowledge_base_id)
        self._embedding.for_index(base.fingerprint)
        self._authors.check(question.adapter)
        return base

    async def found(self, question: Question) -> SearchResult:
        """What `search` finds, in the other language too where the model is free to translate: nobody waits for it."""
        base = await to_thread.run_sync(self.check_question, question)
        with patience(Patience.NONE):
            worded = await self._worded(base, question)
        return await to_thread.run_sync(self._search, base, worded, limiter=self._searching)

    async def worded(self, question: Question) -> Question:
        """The question with its wording in the other language, where the manuals are also in that one.

        Costs a short call of the model then; without the model the question stays as it is. Raises what
        `check_question` does.
        """
        return await self._worded(await to_thread.run_sync(self.check_question, question), question)

    async def _worded(self, base: KnowledgeBase, question: Question) -> Question:
        if self._wordings is None or question.also:
            return question
        other = await self._wordings.other(base, question.text)
        return question if other is None else replace(question, also=(other,))

    def search(self, question: Question) -> SearchResult:
        """Passages for a question; raises what `check_question` does, `IndexUnavailable` and `EmbedderUnavailable`.

        All of a result comes from one state: where a document or a generation comes or goes meanwhile, the search is
        done again, so that it never shows some passages of a document and misses others.
        """
        return self._search(self.check_question(question), question)

    def _search(self, base: KnowledgeBase, question: Question) -> SearchResult:
        for _ in range(_MOST_SWAPS):
            fault: IndexUnavailable | None = None
            try:
                result = self._search_generation(base, question)
            except IndexUnavailable as error:  # perhaps because this generation was removed meanwhile
                fault = error
            live = self._bases.get(base.id)
            if live.answers_like(base):
                break
            base = live
        if fault is not None:
            raise fault
        return result

    def _search_generation(self, base: KnowledgeBase, question: Question) -> SearchResult:
        embedder = self._embedding.embedders.for_index(base.fingerprint)
        own = Tuning(threshold=base.settings.threshold if question.threshold is None else question.threshold)
        tuning = own.over(self._calibrated(base)).over(self.uncalibrated(base))
        limit = question.limit or self._settings.top_k
        with self._guards.searching():
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
        calibration = self._calibrations.find(base.id)
        if calibration is None:
            return Tuning()
        author = author_name(self._model.name, adapter_id)
        faults = calibration.faults(base.fingerprint, author)
        if faults and calibration.id not in self._warned:
            self._warned.add(calibration.id)
            log.warning("calibration_stale", knowledge_base_id=base.id, faults=[fault.value for fault in faults])
        return calibration.holding(base.fingerprint, author)

    def calibration_state(self, base: KnowledgeBase) -> Literal["none", "active", "stale"]:
        """Whether the knowledge base is calibrated, and for its present index and what answers its questions."""
        calibration = self._calibrations.find(base.id)
        if calibration is None:
            return "none"
        return "stale" if calibration.faults(base.fingerprint, self.author_of(base.id)) else "active"

    def author_of(self, knowledge_base_id: str) -> str:
        """The name of what answers a knowledge base's questions: the model, or an adapter of it."""
        return author_name(self._model.name, self._authors.present(knowledge_base_id))

    def uncalibrated(self, base: KnowledgeBase) -> Tuning:
        """What holds for a knowledge base that is not calibrated and has no threshold of its own."""
        server = Tuning(threshold=self._settings.threshold)
        return server.over(default_tuning(base.fingerprint.embedder)).over(self._answerer.limits.tuning())

    async def ask_stream(self, question: Question, base: KnowledgeBase | None = None) -> AsyncGenerator[AnswerEvent]:
        """Sources, then tokens, then the checked answer; raises as `search` does, before the first event.

        `base` is what `check_question` gave a moment ago, where the asker has it. A user's question is recorded as it
        ends.
        """
        events = self._ask_stream(question, base)
        if question.channel is not None:
            asked = Asked(question.knowledge_base_id, question.asker, question.channel, question.text)
            events = self._recorder.recorded(asked, events)
        async with aclosing(events):
            async for event in events:
                yield event

    async def _ask_stream(self, question: Question, known: KnowledgeBase | None) -> AsyncGenerator[AnswerEvent]:
        base = await to_thread.run_sync(self.check_question, question) if known is None else known
        started = time.monotonic()
        question = await self._worded(base, question)
        worded_seconds = time.monotonic() - started
        prepared = partial(self._prepared, base, question)
        result, author, tuning = await to_thread.run_sync(prepared, limiter=self._searching)
        result = replace(result, seconds=result.seconds + worded_seconds)
        chosen = question.language or base.settings.language
        language: Language = "zh" if (chosen or detect_language(question.text)) == "zh" else "en"
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

    def _prepared(self, base: KnowledgeBase, question: Question) -> tuple[SearchResult, Author, Tuning]:
        """What an answer is made of, in one go on a thread: each change of threads costs where many ask at once."""
        return self._search(base, question), *self._author(base, question)

    def _author(self, base: KnowledgeBase, question: Question) -> tuple[Author, Tuning]:
        """Who answers, and the limits that hold for them."""
        author = self._authors.of(base.id, question.adapter, question.text, question.asker)
        stand_in = self._calibrated(base) if author.adapter is not None else None
        return replace(author, stand_in=stand_in), self._calibrated(base, author.adapter)

    async def ask(self, question: Question, base: KnowledgeBase | None = None) -> Answer:
        """The checked answer; see `ask_stream`."""
        return await checked_answer(self.ask_stream(question, base))


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
