"""One question of a conversation: made to stand alone, answered, and kept with all that came of it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import anyio
from anyio import to_thread

from app.catalogue.conversations import Outcome, Turn
from app.catalogue.haste import patient
from app.errors import ConversationFull, ManualqaError
from app.generate.events import AnswerEvent, DoneEvent, SourcesEvent, TokenEvent
from app.generate.rewrite import TURNS, EarlierTurn, Rewriter
from app.questions import Question, checked_answer
from app.services import Services
from app.types import Answer, SearchResult, Timings, TurnState


@dataclass(frozen=True, slots=True)
class BeganEvent:
    """The turn is kept from here on; sent once, before everything else."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class RewrittenEvent:
    """The question that is searched for and answered in place of the one that was asked."""

    question: str


TurnEvent = BeganEvent | RewrittenEvent | AnswerEvent


class Conversing:
    """Answers questions of conversations over the services of a server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._conversations = services.conversations
        self._rewriter = Rewriter(services.model, services.settings.rewrite_seconds)

    def check(self, conversation_id: str, key_id: str, question: Question) -> None:
        """Raises what `Questions.check_question` does, `ConversationNotFound` and `ConversationFull`."""
        conversation = self._conversations.get(conversation_id, key_id)
        limit = self._services.settings.max_turns
        if conversation.turns >= limit:
            raise ConversationFull(limit=limit)
        self._services.questions.check_question(question)

    async def ask(self, conversation_id: str, key_id: str, question: Question) -> AsyncGenerator[TurnEvent]:
        """The events of one turn, which is kept as it ended before the last of them is sent.

        Raises as `check` and `Questions.ask_stream`; what it raises after the first event is kept with the turn.
        Closing the iterator ends the model's request, and the turn is kept as `stopped` with what there is.
        """
        earlier = await to_thread.run_sync(self._conversations.turns, conversation_id, key_id, TURNS)
        turn = await to_thread.run_sync(self._conversations.begin, conversation_id, key_id, question.text)
        made = _Made()
        try:
            yield BeganEvent(turn)
            async with aclosing(self.answered(question, [_earlier(before) for before in earlier])) as events:
                async for event in events:
                    made.note(event)
                    if isinstance(event, RewrittenEvent):
                        with patient():
                            await to_thread.run_sync(self._conversations.rewrite, turn.id, event.question)
                    if isinstance(event, DoneEvent):
                        await self._keep(turn, made)
                    yield event
        except ManualqaError as error:
            made.error = error
            raise
        except (GeneratorExit, anyio.get_cancelled_exc_class()):
            made.is_left = True
            raise
        finally:
            if made.answer is None:
                await self._keep(turn, made)

    async def answered(
        self, question: Question, earlier: Sequence[EarlierTurn]
    ) -> AsyncGenerator[RewrittenEvent | AnswerEvent]:
        """The events of a question after earlier ones, of which nothing is kept; raises as `Questions.ask_stream`."""
        started = time.monotonic()
        standalone = await self._rewriter.standalone(question.text, earlier)
        if standalone is not None and len(standalone) <= self._services.settings.max_question_characters:
            yield RewrittenEvent(standalone)
            question = replace(question, text=standalone)
        seconds = time.monotonic() - started
        async with aclosing(self._services.questions.ask_stream(question)) as events:
            async for event in events:
                yield DoneEvent(_later(event.answer, seconds)) if isinstance(event, DoneEvent) else event

    async def answer(self, question: Question, earlier: Sequence[EarlierTurn]) -> Answer:
        """The checked answer alone; see `answered`. Its `question` is the one that was searched for."""
        return await checked_answer(self.answered(question, earlier))

    async def _keep(self, turn: Turn, made: _Made) -> None:
        with anyio.CancelScope(shield=True), patient():  # a client that has left does not leave the turn open
            await to_thread.run_sync(self._conversations.end, turn.id, made.outcome())


@dataclass(slots=True)
class _Made:
    """What there is of a turn so far."""

    sources: SearchResult | None = None
    written: str = ""
    answer: Answer | None = None
    error: ManualqaError | None = None
    is_left: bool = False

    def note(self, event: TurnEvent) -> None:
        if isinstance(event, SourcesEvent):
            self.sources = event.result
        elif isinstance(event, TokenEvent):
            self.written += event.text
        elif isinstance(event, DoneEvent):
            self.answer = event.answer

    def outcome(self) -> Outcome:
        """How the turn ends, if it ends now."""
        if self.answer is not None:
            return Outcome(TurnState.ANSWERED, self.answer, self.sources)
        if self.is_left:
            return Outcome(TurnState.STOPPED, None, self.sources, self.written)
        error = self.error or ManualqaError()
        params = dict(error.stored_params())
        return Outcome(TurnState.FAILED, None, self.sources, self.written, error.code(), params)


def _earlier(turn: Turn) -> EarlierTurn:
    answer = turn.answer
    return EarlierTurn(turn.asked, "" if answer is None or answer.refused else answer.text)


def _later(answer: Answer, seconds: float) -> Answer:
    """The answer with its times counted from when the question came in, `seconds` before it stood alone."""
    times = answer.timings
    first = None if times.first_token is None else times.first_token + seconds
    return replace(answer, timings=Timings(times.sources + seconds, first, times.total + seconds))
