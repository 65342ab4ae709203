"""Chat completions: a question put to a knowledge base, its answer as a message with its proof."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import BaseModel

from app.api.compatible.asked import Asked, asked_of, check_supported
from app.api.compatible.completion import pieces, proof_out, usage_out
from app.api.compatible.faults import FAULT_RESPONSES, fault_out
from app.api.compatible.models import asked_model
from app.api.compatible.schemas import ChatIn, ChoiceOut, CompletionOut, MessageOut, UsageOut
from app.api.conversations import ConversingDep
from app.api.deps import KeyDep, LanguageDep, ServicesDep, count_questions, reader
from app.api.events import EVENT_STREAM, HEADERS, KEEP_ALIVE_SECONDS
from app.api.questions import GONE, while_connected
from app.conversing import Conversing
from app.errors import ManualqaError
from app.questions import Question
from app.types import Answer, Channel, Language

router = APIRouter(prefix="/v1/chat", tags=["openai"], dependencies=[reader], responses=FAULT_RESPONSES)

END = b"data: [DONE]\n\n"

_stream_docs = {
    200: {
        "model": CompletionOut,
        "description": "The checked answer. With `stream` as events without a name: chunks with `delta`s, in the last "
        "of which are `citations` and what else a message has; with `include_usage` one with `usage`; then `[DONE]`. "
        "What goes wrong after the beginning is a chunk with `error`, and the end.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    }
}


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all chunks of a completion have."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def chunk(self, choices: list[dict[str, Any]], usage: UsageOut | None = None) -> bytes:
        return _data(
            _Chunk(id=self.id, created=self.created, model=self.model, choices=choices, usage=usage),
        )

    def delta(self, finish_reason: str | None = None, **said: Any) -> bytes:  # noqa: ANN401 - fields of a message
        return self.chunk([{"index": 0, "delta": said, "logprobs": None, "finish_reason": finish_reason}])


class _Chunk(BaseModel):
    id: str
    object: str = "chat.completion.chunk"
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: UsageOut | None = None


@router.post("/completions", response_model=CompletionOut, responses=_stream_docs)  # type: ignore[arg-type]
async def complete_chat(
    body: ChatIn,
    request: Request,
    services: ServicesDep,
    conversing: ConversingDep,
    key: KeyDep,
    language: LanguageDep,
) -> CompletionOut | Response:
    """Answer the last user message from the manuals alone; the messages before it tell what it refers to.

    The text is the checked one, also where it is streamed: nothing is taken back that was sent.
    """
    check_supported(body)
    asked = asked_of(body.messages, services.settings.max_question_characters)
    model = await to_thread.run_sync(asked_model, services, body.model)
    question = Question(model.base.id, asked.question, adapter=model.adapter, asker=key.id, channel=Channel.OPENAI)
    await to_thread.run_sync(services.questions.check_question, question)
    await count_questions(services, key)
    frame = _Frame(body.model)
    if body.stream:
        tells_usage = body.stream_options is not None and body.stream_options.include_usage is True
        chunks = _chunks(conversing, question, asked, frame, language, tells_usage=tells_usage)
        return StreamingResponse(chunks, media_type=EVENT_STREAM, headers=HEADERS)
    answer = await while_connected(request, conversing.answer(question, asked.earlier))
    return Response(status_code=GONE) if answer is None else _completion(frame, answer)


def _completion(frame: _Frame, answer: Answer) -> CompletionOut:
    message = MessageOut(content="".join(pieces(answer)), **dict(proof_out(answer)))
    return CompletionOut(
        id=frame.id,
        created=frame.created,
        model=frame.model,
        choices=[ChoiceOut(message=message)],
        usage=usage_out(answer),
    )


async def _chunks(
    conversing: Conversing, question: Question, asked: Asked, frame: _Frame, language: Language, *, tells_usage: bool
) -> AsyncIterator[bytes]:
    """The role at once, comments while the answer is made, then all of it; closing this ends the model's request."""
    yield frame.delta(role="assistant", content="")
    work = asyncio.create_task(conversing.answer(question, asked.earlier))
    try:
        while not (await asyncio.wait({work}, timeout=KEEP_ALIVE_SECONDS))[0]:
            yield format_sse_event(comment="waiting")
        answer = work.result()
    except ManualqaError as error:
        yield _data(fault_out(error, language))
        return
    finally:
        work.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(work, return_exceptions=True)
    for piece in pieces(answer):
        yield frame.delta(content=piece)
    yield frame.delta("stop", **proof_out(answer).model_dump(mode="json"))
    if tells_usage:
        yield frame.chunk([], usage_out(answer))
    yield END


def _data(body: BaseModel) -> bytes:
    return format_sse_event(data_str=body.model_dump_json())
