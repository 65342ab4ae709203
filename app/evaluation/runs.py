"""The evaluations of a server as its clients use them: start, watch, stop, read, report, compare."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from app.authors import BASE
from app.catalogue.evaluations import Evaluation, EvaluationRoom, NewEvaluation
from app.errors import EvaluationNotFound, EvaluationUnanswered, KnowledgeBaseEmpty, TooManyQuestions
from app.evaluation.courtesy import Courtesy
from app.evaluation.runner import Runner
from app.evaluation.summaries import Summaries
from app.services import Services
from eval.figures import Comparison, Summary
from eval.question_sets import Format, canonical, draw, parse
from eval.records import Record, Run, RunSettings


@dataclass(frozen=True, slots=True)
class Order:
    """A question set as it was sent, and how it is to be put."""

    knowledge_base_id: str
    name: str | None
    question_set_name: str
    questions: str
    format: Format
    settings: RunSettings


class Runs:
    """Safe to call from any thread; `work` runs in the server's event loop as long as the server does."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._store = services.evaluations
        self.courtesy = Courtesy(services.settings.evaluation_yield_seconds)
        self._runner = Runner(services, self.courtesy)
        self._summaries = Summaries(self.run)
        self._comparing = threading.Lock()

    async def work(self) -> None:
        """Works through the queue until it is cancelled."""
        await self._runner.work()

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self, order: Order) -> Evaluation:
        """Puts an evaluation into the queue, with a drawn sample of its questions where one is asked for.

        Raises `KnowledgeBaseNotFound`, `KnowledgeBaseEmpty`, `QuestionSetInvalid`, `TooManyQuestions`,
        `EvaluationsFull`, `EvaluationQueueFull`, and for an adapter `AdapterNotFound`, `AdapterRetired`,
        `AdapterNotHosted`.
        """
        settings, limits = order.settings, self._services.settings
        base = self._services.bases.get(order.knowledge_base_id)
        if base.ready == 0:
            raise KnowledgeBaseEmpty(name=base.name)
        sent = parse(order.questions, order.format, order.question_set_name)
        questions = list(sent.questions)
        if settings.answerable is not None or settings.unanswerable is not None:
            questions = draw(questions, settings.answerable, settings.unanswerable, settings.seed)
        if settings.mode == "answers":
            self._services.authors.check(settings.adapter)
            adapter = settings.adapter or self._services.authors.present(base.id) or BASE
            settings = settings.model_copy(update={"adapter": adapter})
        if not 0 < len(questions) <= limits.evaluation_questions:
            raise TooManyQuestions(count=len(questions), limit=limits.evaluation_questions)
        new = NewEvaluation(
            name=order.name or order.question_set_name,
            question_set=order.question_set_name,
            set_hash=sent.sha256,
            questions=canonical(questions),
            total=len(questions),
            settings=settings.model_dump(mode="json"),
        )
        room = EvaluationRoom(limits.max_evaluations, limits.evaluation_queue)
        added = self._store.add(base.id, new, room)
        self._runner.wake()
        return added

    def cancel(self, evaluation_id: str) -> Evaluation:
        """Ends it with the records that it has; raises `EvaluationNotFound`, `EvaluationEnded`."""
        cancelled = self._store.cancel(evaluation_id)
        self._runner.interrupt(evaluation_id)
        return cancelled

    def resume(self, evaluation_id: str) -> Evaluation:
        """Asks what has no record or an error.

        Raises `EvaluationNotFound`, `NothingToResume`, `EvaluationQueueFull`.
        """
        resumed = self._store.resume(evaluation_id, self._services.settings.evaluation_queue)
        self._runner.wake()
        return resumed

    def remove(self, evaluation_id: str) -> None:
        """Deletes it, also while it is under way; raises `EvaluationNotFound`."""
        self._store.remove(evaluation_id)
        self._runner.interrupt(evaluation_id)

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, evaluation_id: str) -> Evaluation:
        """Raises `EvaluationNotFound`."""
        return self._store.get(evaluation_id)

    def find(self, evaluation_id: str) -> Evaluation | None:
        """The evaluation, or None where it is gone."""
        return self._store.find(evaluation_id)

    def all(self, knowledge_base_id: str | None, limit: int, offset: int) -> list[Evaluation]:
        """Evaluations, newest first; raises `KnowledgeBaseNotFound`."""
        if knowledge_base_id is not None:
            self._services.bases.get(knowledge_base_id)
        return self._store.all(knowledge_base_id, limit, offset)

    def run(self, evaluation_id: str) -> Run:
        """All that it has asked so far, in the order of the questions; raises `EvaluationNotFound`."""
        found = self._store.get(evaluation_id)
        records = [Record.model_validate_json(text) for text in self._store.records(evaluation_id)]
        return _run(found).model_copy(update={"records": tuple(records)})

    def run_json(self, evaluation_id: str) -> str:
        """The same as JSON; raises `EvaluationNotFound`."""
        head = _run(self._store.get(evaluation_id)).model_dump_json(exclude={"records"})
        return f'{head[:-1]},"records":[{",".join(self._store.records(evaluation_id))}]}}'

    def summary(self, evaluation_id: str) -> Summary:
        """All that is said of it so far; raises `EvaluationNotFound`, `EvaluationUnanswered`."""
        return self._summaries.of(self._answered(evaluation_id))

    def recent_summary(self, evaluation: Evaluation) -> Summary | None:
        """The same as it is or was some seconds ago; None where nothing has been answered, or it is gone."""
        try:
            return self._summaries.recent(self._answered(evaluation.id))
        except (EvaluationNotFound, EvaluationUnanswered):
            return None

    def comparison(self, before: str, after: str) -> Comparison:
        """The two side by side; raises `EvaluationNotFound`, `EvaluationUnanswered`."""
        from eval.compare import compare  # noqa: PLC0415 - its libraries take long to import

        one, other = (self.run(self._answered(evaluation_id).id) for evaluation_id in (before, after))
        with self._comparing:  # one at a time: each takes a core
            return compare(one, other)

    def _answered(self, evaluation_id: str) -> Evaluation:
        found = self._store.get(evaluation_id)
        if found.done == 0:
            raise EvaluationUnanswered(ref=evaluation_id)
        return found


def _run(found: Evaluation) -> Run:
    """The evaluation without its records."""
    return Run(
        id=found.id,
        name=found.name,
        knowledge_base=found.knowledge_base,
        question_set=found.question_set,
        set_hash=found.set_hash,
        settings=RunSettings.model_validate(found.settings),
        started_at=(found.started_at or found.created_at).isoformat(),
        finished_at=None if found.finished_at is None else found.finished_at.isoformat(),
        fingerprint={} if found.asked is None else found.asked.fingerprint.as_dict(),
        model=None if found.asked is None else found.asked.model,
        versions=found.versions,
        questions=found.total,
    )
