"""Routes that answer: search, ask (JSON or server-sent events) and ask-batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import TypeVar

import anyio
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from app.api.conversation_schemas import TurnIn
from app.api.deps import KeyDep, LanguageDep, ServicesDep, count_questions, reader
from app.api.documents import chunk_out
from app.api.events import EVENT_STREAM, HEADERS, sse
from app.api.problems import reason
from app.api.schemas import (
    AnswerOut,
    AskIn,
    BatchIn,
    BatchItem,
    BatchOut,
    CitationOut,
    HitOut,
    Reason,
    ScoresOut,
    SearchIn,
    SearchOut,
    SentenceOut,
    TimingsOut,
)
from app.catalogue.records import Key, KnowledgeBase
from app.errors import InvalidInput, ManualqaError
from app.generate.events import AnswerEvent, DoneEvent, SourcesEvent, TokenEvent
from app.questions import Question
from app.services import Services
from app.types import Answer, Channel, Citation, Hit, Language, SearchResult

router = APIRouter(prefix="/v1/knowledge-bases/{knowledge_base_id}", tags=["questions"], dependencies=[reader])

GONE = 499  # nobody reads it; it is what logs show for a client that left
T = TypeVar("T")


class TokenOut(BaseModel):
    """A piece of the answer as the model writes it; the checked answer comes with `done`."""

    text: str


@router.post("/search")
async def search(knowledge_base_id: str, body: SearchIn, services: ServicesDep) -> SearchOut:
    """Passages for a question, best first, with the scores that put them there.

    Where the manuals are in both languages, they are searched for the question in both.
    """
    question = Question(knowledge_base_id, body.question, limit=body.limit, threshold=body.threshold)
    return search_out(await services.questions.found(question))


_stream_docs = {
    200: {
        "model": AnswerOut,
        "description": "The checked answer; as events where `stream` is true or `Accept` asks for them: `sources` "
        "(a SearchOut), `token` ({text}) several times, `done` (an AnswerOut), or `error` ({code, message}) last.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    }
}


@router.post("/ask", response_model=AnswerOut, responses=_stream_docs)  # type: ignore[arg-type]
async def ask(
    knowledge_base_id: str, body: AskIn, request: Request, services: ServicesDep, key: KeyDep, language: LanguageDep
) -> AnswerOut | Response:
    """Answer a question from the manuals alone, every sentence with the page and the words that carry it.

    Where the manuals do not say, `refused` is true and `reason` says why. Where the model is away, the answer is made
    of the manuals' own sentences and `mode` is `extractive`.
    """
    question = put(knowledge_base_id, body, key, Channel.API)
    base = await to_thread.run_sync(services.questions.check_question, question)
    await count_questions(services, key)
    if body.stream or EVENT_STREAM in request.headers.get("accept", ""):
        return StreamingResponse(_events(services, question, base, language), media_type=EVENT_STREAM, headers=HEADERS)
    answer = await while_connected(request, services.questions.ask(question, base))
    return Response(status_code=GONE) if answer is None else answer_out(answer)


def put(knowledge_base_id: str, body: AskIn | TurnIn, key: Key, channel: Channel) -> Question:
    """The question of a body, asked by the holder of this key."""
    return Question(
        knowledge_base_id,
        body.question,
        limit=body.limit,
        threshold=body.threshold,
        language=body.language,
        adapter=body.adapter,
        asker=key.id,
        channel=channel,
    )


async def while_connected(request: Request, work: Awaitable[T]) -> T | None:
    """The result of `work`; None where the client left first, which ends the work and the model's request with it.

    Raises what `work` does, as it is.
    """
    result: T | None = None
    fault: ManualqaError | None = None
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        group.start_soon(watch)
        try:
            result = await work
        except ManualqaError as error:
            fault = error  # the group would wrap it up
        group.cancel_scope.cancel()
    if fault is not None:
        raise fault
    return result


async def _events(
    services: Services, question: Question, base: KnowledgeBase, language: Language
) -> AsyncIterator[bytes]:
    try:
        async with aclosing(services.questions.ask_stream(question, base)) as events:
            async for event in events:
                yield encoded(event)
    except ManualqaError as error:
        yield sse("error", Reason(code=error.code(), message=error.message(language)))


def encoded(event: AnswerEvent) -> bytes:
    """An event of an answer as clients get it."""
    match event:
        case SourcesEvent():
            return sse("sources", search_out(event.result))
        case TokenEvent():
            return sse("token", TokenOut(text=event.text))
        case DoneEvent():
            return sse("done", answer_out(event.answer))


@router.post("/ask-batch", response_model=BatchOut)
async def ask_batch(
    knowledge_base_id: str, body: BatchIn, request: Request, services: ServicesDep, key: KeyDep, language: LanguageDep
) -> BatchOut | Response:
    """Answer several questions; one that fails does not keep the others from their answers."""
    limit = services.settings.max_batch_questions
    if len(body.questions) > limit:
        count = len(body.questions)
        raise InvalidInput(reason=f"{count} questions are more than the {limit} allowed (MQA_MAX_BATCH_QUESTIONS)")
    await to_thread.run_sync(services.bases.get, knowledge_base_id)
    await to_thread.run_sync(services.authors.check, body.adapter)
    await count_questions(services, key, len(body.questions))
    questions = [
        Question(
            knowledge_base_id,
            text,
            language=body.language,
            adapter=body.adapter,
            asker=key.id,
            channel=Channel.BATCH,
        )
        for text in body.questions
    ]
    items = await while_connected(request, _batch(services, questions, language))
    return Response(status_code=GONE) if items is None else BatchOut(items=items)


async def _batch(services: Services, questions: Sequence[Question], language: Language) -> list[BatchItem]:
    items = []
    for question in questions:
        try:
            answer = await services.questions.ask(question)
            items.append(BatchItem(question=question.text, answer=answer_out(answer)))
        except ManualqaError as error:
            items.append(BatchItem(question=question.text, error=reason(error.code(), error.params, language)))
    return items


def search_out(result: SearchResult) -> SearchOut:
    """A search result as clients see it."""
    return SearchOut(
        hits=[_hit(hit) for hit in result.hits],
        rejected=[_hit(hit) for hit in result.rejected],
        threshold=result.threshold,
        seconds=result.seconds,
        also=list(result.also),
    )


def _hit(hit: Hit) -> HitOut:
    return HitOut(
        document_id=hit.chunk.document_id,
        document_name=hit.document_name,
        chunk=chunk_out(hit.chunk),
        scores=ScoresOut(**asdict(hit.scores)),
    )


def answer_out(answer: Answer) -> AnswerOut:
    """An answer as clients see it: grounded sentences only, the others under `withheld`."""
    return AnswerOut(
        question=answer.question,
        language=answer.language,
        text=answer.text,
        mode=answer.mode,
        refused=answer.refused,
        reason=answer.reason,
        degraded=answer.degraded,
        model=answer.model,
        adapter=answer.adapter,
        promotion=answer.promotion,
        call_id=answer.call_id,
        sentences=[
            SentenceOut(text=sentence.text, citations=[citation_out(citation) for citation in sentence.citations])
            for sentence in answer.sentences
            if sentence.grounded
        ],
        citations=[citation_out(citation) for citation in answer.citations],
        withheld=list(answer.withheld),
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        timings=TimingsOut(**asdict(answer.timings)),
    )


def citation_out(citation: Citation) -> CitationOut:
    return CitationOut(
        document_id=citation.document_id,
        document_name=citation.document_name,
        chunk_id=citation.chunk_id,
        page=citation.page,
        quote=citation.quote,
    )
