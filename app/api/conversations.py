"""Routes of conversations: begin, ask, read again, rate, delete. To any other key a conversation is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from app.api.conversation_schemas import (
    BeganOut,
    ConversationIn,
    ConversationList,
    ConversationOut,
    ConversationWithTurns,
    FeedbackIn,
    FeedbackOut,
    RewrittenOut,
    TurnIn,
    TurnOut,
)
from app.api.deps import KeyDep, LanguageDep, ServicesDep, count_questions, reader
from app.api.events import EVENT_STREAM, HEADERS, sse
from app.api.jobs import Limit, Offset
from app.api.problems import reason
from app.api.questions import answer_out, encoded, put, search_out
from app.api.schemas import Reason
from app.catalogue.conversations import Turn
from app.conversing import BeganEvent, Conversing, RewrittenEvent
from app.errors import ManualqaError
from app.questions import Question
from app.types import Channel, Language

router = APIRouter(prefix="/v1", tags=["conversations"], dependencies=[reader])


def get_conversing(request: Request) -> Conversing:
    """What `create_app` has made to answer questions of conversations."""
    conversing: Conversing = request.app.state.conversing
    return conversing


ConversingDep = Annotated[Conversing, Depends(get_conversing)]

_stream_docs = {
    200: {
        "description": "Events: `turn` ({id}), `rewritten` ({question}) where the question was made to stand alone, "
        "then as in `ask`: `sources` (a SearchOut), `token` ({text}) several times, `done` (an AnswerOut), or `error` "
        "({code, message}) last.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    }
}


@router.post("/knowledge-bases/{knowledge_base_id}/conversations", status_code=201)
def begin_conversation(
    knowledge_base_id: str,
    services: ServicesDep,
    key: KeyDep,
    response: Response,
    body: ConversationIn | None = None,  # noqa: ARG001 - it begins empty, and other fields are refused
) -> ConversationOut:
    """Begin an empty conversation with a knowledge base."""
    made = services.conversations.create(knowledge_base_id, key.id)
    response.headers["Location"] = f"/v1/conversations/{made.id}"
    return ConversationOut.model_validate(made)


@router.get("/knowledge-bases/{knowledge_base_id}/conversations")
def list_conversations(
    knowledge_base_id: str, services: ServicesDep, key: KeyDep, limit: Limit = 100, offset: Offset = 0
) -> ConversationList:
    """The conversations of this key with a knowledge base, the last used first."""
    services.bases.get(knowledge_base_id)
    found = services.conversations.list(knowledge_base_id, key.id, limit, offset)
    return ConversationList(conversations=[ConversationOut.model_validate(one) for one in found])


@router.get("/conversations/{conversation_id}")
def show_conversation(
    conversation_id: str, services: ServicesDep, key: KeyDep, language: LanguageDep
) -> ConversationWithTurns:
    """A conversation with its turns: what was asked, found, answered and thought of it."""
    found = services.conversations.get(conversation_id, key.id)
    turns = services.conversations.turns(conversation_id, key.id)
    return ConversationWithTurns(
        id=found.id,
        knowledge_base_id=found.knowledge_base_id,
        title=found.title,
        created_at=found.created_at,
        updated_at=found.updated_at,
        turns=[turn_out(turn, language) for turn in turns],
    )


@router.delete("/conversations/{conversation_id}", status_code=204)
def delete_conversation(conversation_id: str, services: ServicesDep, key: KeyDep) -> None:
    """Delete a conversation with its turns."""
    services.conversations.remove(conversation_id, key.id)


@router.post("/conversations/{conversation_id}/ask", response_class=StreamingResponse, responses=_stream_docs)  # type: ignore[arg-type]
async def ask_in_conversation(
    conversation_id: str,
    body: TurnIn,
    services: ServicesDep,
    conversing: ConversingDep,
    key: KeyDep,
    language: LanguageDep,
) -> StreamingResponse:
    """Ask the next question, answered as server-sent events; a follow-up is first made to stand alone.

    A client that leaves ends the model's request; the turn is then kept as `stopped`.
    """
    conversation = await to_thread.run_sync(services.conversations.get, conversation_id, key.id)
    question = put(conversation.knowledge_base_id, body, key, Channel.CONVERSATION)
    await to_thread.run_sync(conversing.check, conversation_id, key.id, question)
    await count_questions(services, key)
    events = _events(conversing, conversation_id, key.id, question, language)
    return StreamingResponse(events, media_type=EVENT_STREAM, headers=HEADERS)


async def _events(
    conversing: Conversing, conversation_id: str, key_id: str, question: Question, language: Language
) -> AsyncIterator[bytes]:
    try:
        async with aclosing(conversing.ask(conversation_id, key_id, question)) as events:
            async for event in events:
                match event:
                    case BeganEvent():
                        yield sse("turn", BeganOut(id=event.turn.id))
                    case RewrittenEvent():
                        yield sse("rewritten", RewrittenOut(question=event.question))
                    case _:
                        yield encoded(event)
    except ManualqaError as error:
        yield sse("error", Reason(code=error.code(), message=error.message(language)))


@router.put("/turns/{turn_id}/feedback")
def rate_turn(turn_id: str, body: FeedbackIn, services: ServicesDep, key: KeyDep) -> FeedbackOut:
    """Say whether an answer was good, and why; it is kept with the question, the answer and its sources."""
    feedback = body.feedback()
    services.conversations.rate(turn_id, key.id, feedback)
    return FeedbackOut.model_validate(feedback)


@router.delete("/turns/{turn_id}/feedback", status_code=204)
def forget_feedback(turn_id: str, services: ServicesDep, key: KeyDep) -> None:
    """Take it back."""
    services.conversations.rate(turn_id, key.id, None)


def turn_out(turn: Turn, language: Language) -> TurnOut:
    """A turn as clients see it."""
    return TurnOut(
        id=turn.id,
        question=turn.question,
        standalone=turn.standalone,
        asked_at=turn.asked_at,
        state=turn.state,
        answer=None if turn.answer is None else answer_out(turn.answer),
        sources=None if turn.sources is None else search_out(turn.sources),
        written=turn.written or None,
        error=reason(turn.error_code, turn.error_params, language),
        feedback=None if turn.feedback is None else FeedbackOut.model_validate(turn.feedback),
    )
