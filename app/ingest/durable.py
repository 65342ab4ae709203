"""Durable work: the one place that knows DBOS. Workflows go on after their last finished step when a process dies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog
from dbos import DBOS, DBOSClient, EnqueueOptions, SetWorkflowID, WorkflowStatus
from dbos import error as dbos_errors
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from app import tracing
from app.breakers import PartAwayError
from app.errors import BlobsUnavailable, Unavailable
from app.one_thread import OneThread

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

STEPS_VERSION = "2"
"""Changes with the steps of a workflow: one that another version began is not gone on with, but begun again."""
_NAME = "manualqa"
_OPEN = frozenset({"PENDING", "ENQUEUED", "DELAYED"})
_LONGEST_PAUSE_SECONDS = 5.0
_LOOK_SECONDS = 1.0
"""Between two looks whether a part that is away has come back; its breaker says how often it is asked itself."""
_PLACE_SECONDS = 5.0
"""What is waited for a place in a queue: DBOS itself tries until another process lets go of the queues' database."""
_LISTED = 500
"""Workflows asked for in one query."""
_RECOVERIES = 1_000_000
"""Ours is the count that ends a job (`WorkerLimits.attempts`): it knows whether anything was done meanwhile."""


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """`tries` of one step that fails, after `retry_seconds` and then three times as long each time; `attempts` of
    processes that die at the same step of a job before it is given up."""

    tries: int
    retry_seconds: float
    attempts: int


@dataclass(frozen=True, slots=True)
class JobPlace:
    """Where jobs are kept: in the Postgres database of `url`, else in `folder`; and who takes them up.

    `process_id` stays the same when a process is started again, so that it takes up what it left. One that does not
    `work` only puts jobs into queues.
    """

    folder: Path
    url: SecretStr | None = None
    process_id: str = "local"
    works: bool = True

    def address(self) -> str:
        """What the engine is told; it holds the password."""
        return f"sqlite:///{self.folder / 'jobs.sqlite'}" if self.url is None else self.url.get_secret_value()

    def migrate(self) -> None:
        """Makes the tables; one process at a time."""
        DBOS.migrate(self.address())


@dataclass(frozen=True, slots=True)
class JobQueue:
    """A queue that a process works through, `at_once` jobs at a time.

    Each look at a queue takes a few milliseconds of a core, whether or not anything is in it.
    """

    name: str
    poll_seconds: float
    at_once: int = 1


class Stopping(BaseException):
    """The server stops: the workflow ends here, unfinished, and the next start goes on after its last step."""


class TriedInVain(Exception):
    """A step has failed as often as it may."""


class Durable:
    """Queues and workflows of one process; there can be one in a process.

    Steps are recorded and not done again once they have finished. What is done outside of steps is done again when a
    workflow is taken up.
    """

    def __init__(self, place: JobPlace, limits: WorkerLimits) -> None:
        self._limits = limits
        self._stopping = threading.Event()
        self._names: dict[object, str] = {}
        self._places = OneThread("places in queues")
        self._client: DBOSClient | None = None
        if not place.works:
            self._client = DBOSClient(
                system_database_url=place.address(),
                application_name=_NAME,
                retry_connection_errors=False,  # a request is told at once
                lazy=True,
            )
            return
        DBOS(
            config={
                "name": _NAME,
                "system_database_url": place.address(),
                "executor_id": place.process_id,
                "application_version": STEPS_VERSION,
                "log_level": "WARNING",
            }
        )

    # --- life ---------------------------------------------------------------------------------------------------------

    def launch(self, queues: Sequence[JobQueue]) -> None:
        """Works through these queues and takes up what the last process left."""
        DBOS.listen_queues([queue.name for queue in queues])
        DBOS.launch()
        for queue in queues:
            DBOS.register_queue(queue.name, worker_concurrency=queue.at_once, polling_interval_sec=queue.poll_seconds)

    def stop(self, seconds: float) -> None:
        """Lets the running steps finish, for at most `seconds`."""
        self._stopping.set()
        if self._client is not None:
            self._client.destroy()
            return
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=int(seconds))

    def left_by(self, living: Collection[str]) -> list[WorkflowStatus]:
        """What processes have begun and not ended that do not live any more."""
        begun = DBOS.list_workflows(status="PENDING", app_version=STEPS_VERSION, load_input=False, load_output=False)
        return [one for one in begun if one.executor_id is not None and one.executor_id not in living]

    def take_over(self, living: Callable[[], Collection[str]], queues: Mapping[str, str]) -> None:
        """Puts what others have left into the queues for it, by the queues that it came from, or into those again.

        One process at a time, and while none comes to life: whose a workflow is must not change in between.
        """
        left = self.left_by(living())
        for one in left:
            queue = one.queue_name and queues.get(one.queue_name, one.queue_name)
            DBOS.resume_workflow(one.workflow_id, queue_name=queue)
        if left:
            log.warning("jobs_taken_over", processes=sorted({str(one.executor_id) for one in left}), jobs=len(left))

    @property
    def is_stopping(self) -> bool:
        """Whether workflows are to end between two steps."""
        return self._stopping.is_set()

    # --- workflows ----------------------------------------------------------------------------------------------------

    def workflow(self, name: str, run: Callable[P, R]) -> Callable[P, R]:
        """A workflow to enqueue; before `launch`."""

        def workflow(*args: P.args, **kwargs: P.kwargs) -> R:
            return run(*args, **kwargs)

        durable = DBOS.workflow(name=name, max_recovery_attempts=_RECOVERIES)(workflow)
        self._names[durable] = name
        return durable

    def step(self, name: str, run: Callable[P, R]) -> Callable[P, R]:
        """A step, tried again where it was `Unavailable` or could not write; raises `TriedInVain` in the end.

        Originals that are out of reach, and parts on servers that are away, are waited for as long as it takes: no
        document is to blame for that.
        """

        def step(*args: P.args, **kwargs: P.kwargs) -> R:
            with tracing.within(f"step {name}"):
                return self._patiently(partial(run, *args, **kwargs))

        durable = DBOS.step(
            name=name,
            retries_allowed=True,
            max_attempts=self._limits.tries,
            interval_seconds=self._limits.retry_seconds,
            backoff_rate=3.0,
            should_retry=_may_help,
        )(step)

        def tried(*args: P.args, **kwargs: P.kwargs) -> R:
            with _in_vain():
                return durable(*args, **kwargs)

        return tried

    def enqueue(self, queue: str, identity: str, workflow: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> None:
        """Puts a workflow in a queue, also from within another one; the same identity twice is one.

        Where the queues are locked or away it comes to its place once they are there again; nobody waits for that.
        """
        if self._client is not None:
            options = EnqueueOptions(
                queue_name=queue,
                workflow_name=self._names[workflow],
                workflow_id=identity,
                app_version=STEPS_VERSION,
            )
            self._client.enqueue(options, *args, **kwargs)
            return

        def place() -> None:
            with SetWorkflowID(identity):
                DBOS.enqueue_workflow(queue, workflow, *args, **kwargs)

        try:
            self._places.run(place, _PLACE_SECONDS)
        except TimeoutError:
            log.warning("queue_locked", queue=queue, workflow_id=identity)

    def is_lost(self, identity: str) -> bool | None:
        """Whether a workflow will not go on, as it has ended or another version began it; None where it is unknown."""
        status = DBOS.get_workflow_status(identity)
        if status is None:
            return None
        return status.status not in _OPEN or status.app_version not in (None, STEPS_VERSION)

    def known(self, identities: Sequence[str]) -> set[str]:
        """Those of which there is a workflow, in whatever state."""
        found: set[str] = set()
        for start in range(0, len(identities), _LISTED):
            some = list(identities[start : start + _LISTED])
            listed = DBOS.list_workflows(workflow_ids=some, load_input=False, load_output=False)
            found.update(one.workflow_id for one in listed)
        return found

    def cancel(self, identity: str) -> None:
        """Ends a workflow that is not wanted any more."""
        DBOS.cancel_workflow(identity)

    # --- trying again -------------------------------------------------------------------------------------------------

    def insist(self, run: Callable[[], R]) -> R:
        """Does what must be done whatever is away, such as recording an end: again until it works or the server stops.

        It is no step: a job that is taken up again may end before the steps that are recorded of it.
        """
        pause = self._limits.retry_seconds
        while True:
            try:
                return run()
            except (Unavailable, OSError, SQLAlchemyError) as error:
                log.warning("job_waits", error=repr(error))
                if self._stopping.wait(pause):
                    raise Stopping from error
                pause = min(3 * pause, _LONGEST_PAUSE_SECONDS)

    def _patiently(self, run: Callable[[], R]) -> R:
        """Does it again for as long as the originals or another part are out of reach; raises `Stopping`."""
        pause = self._limits.retry_seconds
        waits = False
        while True:
            try:
                return run()
            except PartAwayError as error:
                if not waits:  # the breaker tells the rest
                    log.warning("job_waits", detail=str(error))
                waits = True
                if self._stopping.wait(_LOOK_SECONDS):
                    raise Stopping from error
            except BlobsUnavailable as error:
                log.warning("job_waits_for_originals", detail=error.detail)
                if self._stopping.wait(pause):
                    raise Stopping from error
                pause = min(3 * pause, _LONGEST_PAUSE_SECONDS)

    def insistent(self, run: Callable[P, R]) -> Callable[P, R]:
        """`run`, insisted on."""

        def again(*args: P.args, **kwargs: P.kwargs) -> R:
            return self.insist(partial(run, *args, **kwargs))

        return again


@contextmanager
def _in_vain() -> Iterator[None]:
    try:
        yield
    except dbos_errors.DBOSMaxStepRetriesExceeded as error:
        raise TriedInVain("; ".join(repr(cause) for cause in error.errors)) from error


def _may_help(error: BaseException) -> bool:
    return isinstance(error, Unavailable | OSError | SQLAlchemyError)
