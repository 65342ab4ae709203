"""One question of an evaluation: asked as a user would ask it, and everything kept that came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from anyio import to_thread

from app.errors import FingerprintMismatch, KnowledgeBaseNotFound, ManualqaError, ModelUnavailable
from app.generate.events import DoneEvent, SourcesEvent, TokenEvent
from app.questions import Question
from app.retrieve.threshold import passes
from app.services import Services
from app.types import Answer, Citation, Hit, Language, SearchResult
from eval.question_sets import LabelledQuestion
from eval.records import FoundPassage, GivenCitation, GivenSentence, Record, RunSettings

MOST_FOUND = 50
"""Passages kept of a question, as many as search gives at most."""
_ALL = -1.0
"""The threshold that every cosine passes."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """What came of the question while it was answered, with the seconds at which it came."""

    result: SearchResult
    answer: Answer
    sources_at: float
    first_token_at: float | None
    ended_at: float


class Asker:
    """Puts the questions of one evaluation to its knowledge base."""

    def __init__(self, services: Services, knowledge_base_id: str, settings: RunSettings) -> None:
        self._services = services
        self._base_id = knowledge_base_id
        self._settings = settings
        self._threshold: float | None = None

    async def ask(self, index: int, question: LabelledQuestion) -> Record:
        """What came of it; an error of the question or of a part that is away is the record's `error`.

        Raises `KnowledgeBaseNotFound` and `FingerprintMismatch`, after which no question could be answered.
        """
        try:
            if self._settings.mode == "retrieval":
                worded = await self._services.questions.worded(self._question(question.question))
                return await to_thread.run_sync(self._searched, index, question, worded.also)
            return await self._answered(index, question)
        except (KnowledgeBaseNotFound, FingerprintMismatch):
            raise
        except ManualqaError as error:
            message = error.message(_language(question))
            return Record(index=index, question=question, error=error.code(), error_message=message)

    async def _answered(self, index: int, question: LabelledQuestion) -> Record:
        heard = await self._heard(question)
        answer = heard.answer
        if answer.degraded is not None or answer.mode == "extractive":
            code = ModelUnavailable.code()
            return Record(index=index, question=question, error=code, error_message=answer.degraded)
        found = await to_thread.run_sync(self._found, question, heard.result.threshold, heard.result.also)
        citations = await to_thread.run_sync(self._checked, answer.citations)
        record = Record(
            index=index,
            question=question,
            found=found,
            shown=len(heard.result.hits),
            answer=answer.text,
            refused=answer.refused,
            reason=answer.reason,
            mode=answer.mode,
            sentences=tuple(
                GivenSentence(text=sentence.text, grounded=sentence.grounded, reason=sentence.reason)
                for sentence in answer.sentences
            ),
            citations=citations,
            withheld=answer.withheld,
            model=answer.model,
            adapter=answer.adapter,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            seconds_to_sources=heard.sources_at,
            seconds_to_first_token=heard.first_token_at,
            seconds=heard.ended_at,
            doubt=answer.doubt,
            strange=answer.strange,
            quoted=answer.quoted,
            threshold=heard.result.threshold,
        )
        return await self._judged(record, answer.language)

    async def _heard(self, question: LabelledQuestion) -> _Heard:
        started = time.monotonic()
        result: SearchResult | None = None
        answer: Answer | None = None
        sources_at, first_token_at = 0.0, None
        async with aclosing(self._services.questions.ask_stream(self._question(question.question))) as events:
            async for event in events:
                elapsed = time.monotonic() - started
                match event:
                    case SourcesEvent():
                        result, sources_at = event.result, elapsed
                    case TokenEvent():
                        first_token_at = first_token_at or elapsed
                    case DoneEvent():
                        answer = event.answer
        if result is None or answer is None:
            raise ManualqaError("the answer ended without its last event")
        return _Heard(result, answer, sources_at, first_token_at, time.monotonic() - started)

    def _searched(self, index: int, question: LabelledQuestion, also: tuple[str, ...]) -> Record:
        threshold = self._threshold_that_applies(question.question)
        started = time.monotonic()
        found = self._found(question, threshold, also)
        seconds = time.monotonic() - started
        return Record(
            index=index,
            question=question,
            found=found,
            threshold=threshold,
            seconds_to_sources=seconds,
            seconds=seconds,
        )

    def _threshold_that_applies(self, text: str) -> float:
        if self._threshold is None:
            self._threshold = self._services.questions.search(self._question(text)).threshold
        return self._threshold

    def _found(self, question: LabelledQuestion, threshold: float, also: tuple[str, ...]) -> tuple[FoundPassage, ...]:
        everything = Question(self._base_id, question.question, limit=MOST_FOUND, threshold=_ALL, also=also)
        return tuple(_passage(hit, threshold) for hit in self._services.questions.search(everything).hits)

    def _question(self, text: str) -> Question:
        settings = self._settings
        return Question(
            self._base_id,
            text,
            limit=settings.limit,
            threshold=settings.threshold,
            language=settings.language,
            keep_doubtful=settings.keep_doubtful,
            adapter=settings.adapter,
        )

    def _checked(self, citations: Sequence[Citation]) -> tuple[GivenCitation, ...]:
        return tuple(
            GivenCitation(
                document=citation.document_name,
                page=citation.page,
                quote=citation.quote,
                true=_holds(self._services.contents.page_text(citation.document_id, citation.page), citation.quote),
            )
            for citation in citations
        )

    async def _judged(self, record: Record, language: Language) -> Record:
        if not self._settings.judge or record.refused:
            return record
        from eval.judge import judge_record  # noqa: PLC0415 - only where a judge is asked for

        judgement = await judge_record(self._services.judge, record, language)
        return record.model_copy(update={"judgement": judgement})


def _passage(hit: Hit, threshold: float) -> FoundPassage:
    return FoundPassage(
        document=hit.document_name,
        page_start=hit.chunk.page_start,
        page_end=hit.chunk.page_end,
        chunk_id=hit.chunk.id,
        cosine=hit.scores.cosine,
        bm25=hit.scores.bm25,
        fused=hit.scores.fused,
        passed=passes(hit.scores.cosine, threshold),
    )


def _holds(page: str | None, quote: str) -> bool:
    """Whether the page has the quote, white space aside."""
    return page is not None and "".join(quote.split()) in "".join(page.split())


def _language(question: LabelledQuestion) -> Language:
    return "zh" if question.lang.startswith("zh") else "en"
