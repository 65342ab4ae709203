"""Every question as it ends: kept in the catalogue and told to who counts, whoever asked and however it went."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime

import anyio
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue.calls import Call, Calls, new_call_id
from app.catalogue.tables import now
from app.errors import ManualqaError
from app.generate.events import AnswerEvent, DoneEvent, SourcesEvent
from app.types import Answer, CallOutcome, Channel

log = structlog.get_logger(__name__)

_SERVER_ERROR = 500
"""The least status of an error that is the server's: a question that may not be asked is no call."""

_WAIT_SECONDS = 3.0
_MOST_BACKLOG = 1000
"""Calls that wait for a catalogue that another holds; each is some kilobytes."""

Listener = Callable[[Call], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks what, and the way it came in."""

    knowledge_base_id: str
    key_id: str
    channel: Channel
    question: str


class Recorder:
    """Records calls, one after the other in a thread of its own.

    A catalogue that cannot be written to costs the record, never the answer, which waits for it a moment at most.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="calls")
        self._backlog = 0
        self._is_closed = False
        self._listeners: list[Listener] = []

    def tell(self, listener: Listener) -> None:
        """`listener` gets every call from now on, in the thread of the event loop."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Writes what waits; nothing is recorded after that."""
        self._is_closed = True
        self._writer.shutdown()

    async def recorded(self, asked: Asked, events: AsyncGenerator[AnswerEvent]) -> AsyncGenerator[AnswerEvent]:
        """The same events, the answer with the id of its record, which is kept before the answer is sent."""
        record = _Record(asked, new_call_id(), now(), time.monotonic())
        try:
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, DoneEvent):
                        yield DoneEvent(await self._answered(record, event.answer))
                        continue
                    if isinstance(event, SourcesEvent):
                        record.sources_seconds = record.elapsed()
                    yield event
        except ManualqaError as error:
            if error.status >= _SERVER_ERROR and not record.is_kept:
                await self._keep(record, record.call(CallOutcome.FAILED, error.code()))
            raise
        except (GeneratorExit, anyio.get_cancelled_exc_class()):
            if not record.is_kept:
                await self._keep(record, record.call(CallOutcome.LEFT))
            raise

    async def _answered(self, record: _Record, answer: Answer) -> Answer:
        named = replace(answer, call_id=record.id)
        kept = await self._keep(record, record.call(_outcome(answer), answer.reason, named))
        return named if kept else answer

    async def _keep(self, record: _Record, call: Call) -> bool:
        record.is_kept = True
        for listener in self._listeners:
            listener(call)
        if self._is_closed or self._backlog >= _MOST_BACKLOG:
            log.warning("call_not_kept", call_id=call.id, backlog=self._backlog)
            return False
        self._backlog += 1
        writing = asyncio.wrap_future(self._writer.submit(self._write, call))
        writing.add_done_callback(self._written)
        with anyio.move_on_after(_WAIT_SECONDS, shield=True):
            return await asyncio.shield(writing)
        return True  # it is still being written, and the answer need not wait for that

    def _write(self, call: Call) -> bool:
        try:
            return self._calls.add(call)
        except SQLAlchemyError as error:
            log.warning("call_not_kept", call_id=call.id, detail=type(error).__name__)
            return False

    def _written(self, _: asyncio.Future[bool]) -> None:
        """In the event loop again, where alone the backlog is counted."""
        self._backlog -= 1


@dataclass(slots=True)
class _Record:
    """A call under way."""

    asked: Asked
    id: str
    asked_at: datetime
    started: float
    sources_seconds: float | None = None
    is_kept: bool = False

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def call(self, outcome: CallOutcome, reason: str | None = None, answer: Answer | None = None) -> Call:
        asked, sources_seconds = self.asked, self.sources_seconds
        if answer is not None and sources_seconds is not None:
            sources_seconds = answer.timings.sources  # as the time of its first token is counted
        return Call(
            id=self.id,
            knowledge_base_id=asked.knowledge_base_id,
            key_id=asked.key_id,
            channel=asked.channel,
            question=asked.question,
            outcome=outcome,
            total_seconds=self.elapsed(),
            reason=reason,
            answer=answer,
            sources_seconds=sources_seconds,
            asked_at=self.asked_at,
        )


def _outcome(answer: Answer) -> CallOutcome:
    if answer.refused:
        return CallOutcome.REFUSED
    return CallOutcome.EXTRACTED if answer.mode == "extractive" else CallOutcome.ANSWERED
