"""The worker of evaluations: takes them from the queue one after the other and puts their questions."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio
import structlog
from anyio import to_thread

from app import __version__
from app.catalogue.evaluations import Asked, Evaluation
from app.catalogue.records import KnowledgeBase
from app.errors import (
    AdapterNotHosted,
    EmbedderUnavailable,
    EvaluationStopped,
    IndexUnavailable,
    ManualqaError,
    ModelBusy,
    ModelUnavailable,
    NotReady,
)
from app.evaluation.asking import Asker
from app.evaluation.courtesy import Courtesy
from app.generate.model_queue import Patience, patience
from app.questions import Question
from app.services import Services
from app.types import JobState
from eval.question_sets import LabelledQuestion
from eval.records import Record, RunSettings

log = structlog.get_logger(__name__)

READY_POLL_SECONDS = 0.2
QUEUE_POLL_SECONDS = 2.0
"""Between two looks at the queue, where other processes put evaluations into it."""
_MODEL_AWAY = {ModelUnavailable.code(), ModelBusy.code(), AdapterNotHosted.code()}
_AWAY = _MODEL_AWAY | {EmbedderUnavailable.code(), IndexUnavailable.code(), NotReady.code()}
_MOST_SILENCES = 3
"""Questions one after the other to which a model that is there gives no answer, before the evaluation stops."""


@dataclass(slots=True)
class _Run:
    """One evaluation under way on this event loop."""

    evaluation: Evaluation
    scope: anyio.CancelScope
    asker: Asker
    questions: list[LabelledQuestion] = field(default_factory=list)
    waiting: Iterator[int] = field(default_factory=lambda: iter(()))
    silences: int = 0
    fault: ManualqaError | None = None


class Runner:
    """One evaluation at a time, oldest first; one that was cut off goes on with the questions that have no record.

    `wake` and `interrupt` may be called from any thread.
    """

    def __init__(self, services: Services, courtesy: Courtesy) -> None:
        self._services = services
        self._store = services.evaluations
        self._courtesy = courtesy
        self._loop: asyncio.AbstractEventLoop | None = None
        self._called = asyncio.Event()
        self._current: _Run | None = None

    def wake(self) -> None:
        """There is something in the queue."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._called.set)

    def interrupt(self, evaluation_id: str) -> None:
        """Ends the question in flight of an evaluation that has been ended."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cancel, evaluation_id)

    def _cancel(self, evaluation_id: str) -> None:
        if self._current is not None and self._current.evaluation.id == evaluation_id:
            self._current.scope.cancel()

    async def work(self) -> None:
        """Until it is cancelled or the server drains; what is under way then goes on at the next start."""
        self._loop = asyncio.get_running_loop()
        with patience(Patience.BACKGROUND):
            await self._work()

    async def _work(self) -> None:
        while not self._services.is_draining():
            self._called.clear()
            try:
                evaluation = await to_thread.run_sync(self._store.next, self._services.process_id)
                if evaluation is None:
                    with anyio.move_on_after(None if self._services.process_id is None else QUEUE_POLL_SECONDS):
                        await self._called.wait()
                else:
                    await self._run(evaluation)
            except Exception:  # the worker loop: the evaluation stays open and is taken up again
                log.exception("evaluations_crashed")
                await anyio.sleep(self._services.settings.evaluation_retry_seconds)

    async def _run(self, evaluation: Evaluation) -> None:
        settings = RunSettings.model_validate(evaluation.settings)
        asker = Asker(self._services, evaluation.knowledge_base_id, settings)
        log.info("evaluation_begun", evaluation_id=evaluation.id, done=evaluation.done, questions=evaluation.total)
        try:
            with anyio.CancelScope() as scope:
                self._current = run = _Run(evaluation, scope, asker)
                await self._ask_all(run, settings)
                if run.fault is not None:
                    raise run.fault
        except ManualqaError as error:
            log.warning("evaluation_failed", evaluation_id=evaluation.id, code=error.code(), detail=error.detail)
            await self._end(evaluation, error)
        except Exception:  # the worker's boundary: the evaluation fails, the queue goes on
            log.exception("evaluation_crashed", evaluation_id=evaluation.id)
            await self._end(evaluation, ManualqaError())
        finally:
            self._current = None

    async def _end(self, evaluation: Evaluation, error: ManualqaError) -> None:
        def end() -> None:
            self._store.end(evaluation.id, JobState.FAILED, error.code(), **error.stored_params())

        await to_thread.run_sync(end)

    async def _ask_all(self, run: _Run, settings: RunSettings) -> None:
        evaluation = run.evaluation
        base = await self._ready_base(evaluation.knowledge_base_id)
        model = self._services.model.name if settings.mode == "answers" else None
        asked = Asked(base.fingerprint, model)
        versions = {"manualqa": __version__, "python": platform.python_version()}
        begun = await to_thread.run_sync(self._store.begin, evaluation.id, asked, versions)
        if begun is None:
            return
        run.evaluation = begun
        if begun.asked is not None and begun.asked.model != model:
            raise EvaluationStopped(reason="the language model is another than at its beginning")
        lines = await to_thread.run_sync(self._store.questions, evaluation.id)
        run.questions = [LabelledQuestion.model_validate_json(line) for line in lines.split("\n") if line]
        recorded = await to_thread.run_sync(self._store.recorded, evaluation.id)
        run.waiting = iter([number for number in range(len(run.questions)) if number not in recorded])
        async with anyio.create_task_group() as group:
            for _ in range(settings.parallel):
                group.start_soon(self._ask_in_turn, run, group.cancel_scope)
        if run.fault is None and not self._services.is_draining():
            await to_thread.run_sync(self._store.end, evaluation.id, JobState.DONE)

    async def _ready_base(self, knowledge_base_id: str) -> KnowledgeBase:
        """The knowledge base, once the server can search it; raises what `check_question` does, but `NotReady`."""
        while True:
            try:
                return await to_thread.run_sync(
                    self._services.questions.check_question, Question(knowledge_base_id, "?")
                )
            except NotReady:
                await anyio.sleep(READY_POLL_SECONDS)

    async def _ask_in_turn(self, run: _Run, others: anyio.CancelScope) -> None:
        """Takes the next question until there is none, the server drains or the evaluation has to stop."""
        for number in run.waiting:
            if self._services.is_draining():
                return
            try:
                record = await self._record(run, number)
            except ManualqaError as error:
                run.fault = error
                others.cancel()
                return
            if not await to_thread.run_sync(self._keep, run.evaluation.id, record):
                others.cancel()
                return

    def _keep(self, evaluation_id: str, record: Record) -> bool:
        text, failed = record.model_dump_json(exclude_none=True), record.error is not None
        return self._store.record(evaluation_id, record.index, text, failed=failed)

    async def _record(self, run: _Run, number: int) -> Record:
        """What came of a question, tried again while a part is away; raises what ends the evaluation."""
        wait = self._services.settings.evaluation_retry_seconds
        tries = self._services.settings.evaluation_tries
        for attempt in range(1, tries + 1):
            await self._courtesy.quiet()
            await to_thread.run_sync(self._require_same_base, run.evaluation)
            record = await run.asker.ask(number, run.questions[number])
            if record.error not in _AWAY:
                run.silences = 0
                return record
            log.warning("evaluation_waits", evaluation_id=run.evaluation.id, code=record.error, attempt=attempt)
            if attempt < tries:
                await anyio.sleep(wait)
                wait *= 2
        return await self._given_up(run, record)

    async def _given_up(self, run: _Run, record: Record) -> Record:
        """The record of a question that a model which is there does not answer; raises where more than that is away."""
        if record.error not in _MODEL_AWAY:
            raise EvaluationStopped(record.error_message, reason="the search does not answer")
        if record.error == AdapterNotHosted.code():
            raise EvaluationStopped(record.error_message, reason="the adapter is not hosted any more")
        run.silences += 1
        status = await self._services.model.status()
        if status.state != "ready" or run.silences >= _MOST_SILENCES:
            raise EvaluationStopped(record.error_message, reason="the language model does not answer")
        return record

    def _require_same_base(self, evaluation: Evaluation) -> None:
        """Raises where the knowledge base is gone, has nothing to search, or is indexed otherwise than at first."""
        base = self._services.bases.get(evaluation.knowledge_base_id)
        if base.ready == 0:
            raise EvaluationStopped(reason="the knowledge base has no ready document any more")
        if evaluation.asked is not None and evaluation.asked.fingerprint != base.fingerprint:
            raise EvaluationStopped(reason="the index is another than at its beginning")
