"""States of documents and jobs: every operation in every state does what is allowed and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from app.catalogue.jobs import OPEN, JobFilter
from app.catalogue.records import KnowledgeBase
from app.catalogue.tables import DocumentRow, JobRow
from app.errors import DocumentNotFound, JobCancelled, JobEnded, JobNotFound, ManualqaError, NothingToRetry
from app.types import DocumentState, JobKind, JobState, Stage
from tests.fixtures.catalogues import ROOM, Catalogue, Ingested, a_file


def in_state(catalogue: Catalogue, base: KnowledgeBase, state: str) -> Ingested:
    match state:
        case "queued":
            one = catalogue.queued(base)
            catalogue.fill(one, base.index_id)
            return one
        case "processing":
            return catalogue.processing(base)
        case "ready":
            return catalogue.ready(base)
        case "failed":
            one = catalogue.processing(base)
            catalogue.documents.fail(one.document, one.job, "unreadable", {"name": "x"})
        case "cancelled":
            one = catalogue.processing(base)
            catalogue.documents.cancel(one.document, one.job)
        case _:
            one = catalogue.processing(base)
            catalogue.documents.hide(base.id, one.document)
    return one


OPERATIONS: dict[str, Callable[[Catalogue, KnowledgeBase, Ingested], object]] = {
    "start": lambda c, _, one: c.documents.start(one.document, one.job),
    "for_work": lambda c, _, one: c.documents.for_work(one.document, one.job),
    "publish": lambda c, base, one: c.publish(base, one),
    "fail": lambda c, _, one: c.documents.fail(one.document, one.job, "no_text", {}),
    "cancel": lambda c, _, one: c.documents.cancel(one.document, one.job),
    "retry": lambda c, _, one: c.documents.retry(one.document),
    "add": lambda c, base, _: c.documents.add(base.id, a_file(), ROOM),
    "hide": lambda c, base, one: c.documents.hide(base.id, one.document),
    "forget": lambda c, _, one: c.documents.forget(one.document),
    "reopen": lambda c, _, one: c.documents.reopen(one.document),
    "read_again": lambda c, _, one: c.documents.read_again(one.document),
    "begin": lambda c, _, one: c.jobs.begin(one.job),
    "progress": lambda c, _, one: c.jobs.progress(one.job, pages_done=1),
    "end": lambda c, _, one: c.jobs.end(one.job, JobState.FAILED, "no_text"),
}

SAME = "same"
WORKING = {"queued", "processing"}
OUTCOMES: dict[str, dict[str, str | type[ManualqaError]]] = {
    "start": {**dict.fromkeys(WORKING, "processing")},
    "for_work": {**dict.fromkeys(WORKING, SAME)},
    "publish": {**dict.fromkeys(WORKING, "ready")},
    "fail": {**dict.fromkeys(WORKING, "failed"), **dict.fromkeys(("ready", "failed", "cancelled", "deleting"), SAME)},
    "cancel": {
        **dict.fromkeys(WORKING, "cancelled"),
        **dict.fromkeys(("ready", "failed", "cancelled", "deleting"), JobEnded),
    },
    "retry": {
        **dict.fromkeys(WORKING, SAME),
        **dict.fromkeys(("failed", "cancelled"), "queued"),
        "ready": NothingToRetry,
        "deleting": DocumentNotFound,
    },
    "add": {
        **dict.fromkeys((*WORKING, "ready", "deleting"), SAME),
        **dict.fromkeys(("failed", "cancelled"), "queued"),
    },
    "hide": {
        **dict.fromkeys((*WORKING, "ready", "failed", "cancelled"), "deleting"),
        "deleting": DocumentNotFound,
    },
    "forget": {**dict.fromkeys((*WORKING, "ready", "failed", "cancelled"), SAME), "deleting": "gone"},
    "reopen": {**dict.fromkeys((*WORKING, "ready", "failed", "cancelled", "deleting"), SAME)},
    "read_again": {**dict.fromkeys((*WORKING, "failed", "cancelled", "deleting"), SAME), "ready": "queued"},
    "begin": {**dict.fromkeys(WORKING, SAME)},
    "progress": {**dict.fromkeys(WORKING, SAME)},
    "end": {**dict.fromkeys((*WORKING, "ready", "failed", "cancelled", "deleting"), SAME)},
}
"""Operation -> state before -> state after, or the error; what is left out is `JobCancelled`."""


def state_of(catalogue: Catalogue, one: Ingested) -> str:
    with catalogue.sessions() as session:
        state = session.scalar(select(DocumentRow.state).where(DocumentRow.id == one.document))
    return "gone" if state is None else str(state)


def open_jobs(catalogue: Catalogue, one: Ingested) -> int:
    query = select(func.count()).where(JobRow.document_id == one.document, JobRow.state.in_(OPEN))
    with catalogue.sessions() as session:
        return session.scalar(query) or 0


@pytest.mark.parametrize("state", [*DocumentState])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_in_every_state(catalogue: Catalogue, operation: str, state: str) -> None:
    base = catalogue.base()
    one = in_state(catalogue, base, state)
    was_searchable = catalogue.searchable(base)
    expected = OUTCOMES[operation].get(state, JobCancelled)
    if isinstance(expected, str):
        OPERATIONS[operation](catalogue, base, one)
    else:
        with pytest.raises(expected):
            OPERATIONS[operation](catalogue, base, one)
    after = state_of(catalogue, one)
    assert after == (expected if isinstance(expected, str) and expected != SAME else state)
    assert (one.document in catalogue.searchable(base)) is (after == "ready")
    assert after == "ready" or not was_searchable or operation in ("hide", "read_again")
    most = 1 if after in WORKING else 0
    assert open_jobs(catalogue, one) == most or (operation == "end" and state in WORKING)


def test_a_document_whose_job_was_lost_gets_a_new_one(catalogue: Catalogue) -> None:
    one = catalogue.processing(catalogue.base())
    assert catalogue.documents.without_job() == []
    catalogue.jobs.end(one.job, JobState.FAILED, "ingest_failed")
    assert catalogue.documents.without_job() == [one.document]
    job_id = catalogue.documents.reopen(one.document)
    assert job_id not in (None, one.job)
    assert catalogue.documents.reopen(one.document) is None
    assert catalogue.documents.without_job() == []


def test_the_ended_job_of_a_document_cannot_touch_its_next(catalogue: Catalogue) -> None:
    base = catalogue.base()
    one = in_state(catalogue, base, "cancelled")
    second, is_new = catalogue.documents.retry(one.document)
    assert is_new
    for operation in ("start", "publish", "progress", "begin"):
        with pytest.raises(JobCancelled):
            OPERATIONS[operation](catalogue, base, one)
    catalogue.documents.fail(one.document, one.job, "no_text", {})
    with pytest.raises(JobEnded):
        catalogue.documents.cancel(one.document, one.job)
    assert state_of(catalogue, one) == "queued"
    assert catalogue.documents.retry(one.document) == (second, False)


# --- jobs -------------------------------------------------------------------------------------------------------------


def test_starts_without_a_finished_step_are_counted(catalogue: Catalogue) -> None:
    job = catalogue.queued(catalogue.base()).job
    assert [catalogue.jobs.begin(job) for _ in range(3)] == [1, 2, 3]
    catalogue.jobs.stepped(job, pages_done=1)
    assert [catalogue.jobs.begin(job) for _ in range(2)] == [2, 3]
    catalogue.jobs.pause(job)
    assert catalogue.jobs.begin(job) == 1
    shown = catalogue.jobs.get(job)
    assert (shown.attempts, shown.state, shown.pages_done) == (1, JobState.RUNNING, 1)


def test_the_first_start_stays_the_start(catalogue: Catalogue) -> None:
    job = catalogue.queued(catalogue.base()).job
    catalogue.jobs.begin(job)
    first = catalogue.jobs.get(job).started_at
    catalogue.jobs.begin(job)
    assert catalogue.jobs.get(job).started_at == first


def test_a_stage_counts_from_where_it_was_entered(catalogue: Catalogue) -> None:
    job = catalogue.queued(catalogue.base()).job
    catalogue.jobs.begin(job)
    catalogue.jobs.stage(job, Stage.EMBEDDING, 64)
    first = catalogue.jobs.get(job)
    catalogue.jobs.stage(job, Stage.EMBEDDING, 128)
    assert catalogue.jobs.get(job) == first
    catalogue.jobs.stage(job, Stage.EMBEDDING, 0)  # begun again for another generation
    assert catalogue.jobs.get(job).stage_from == 0
    catalogue.jobs.begin(job)
    assert catalogue.jobs.get(job).stage_started_at is None


def test_a_job_ends_once(catalogue: Catalogue) -> None:
    job = catalogue.queued(catalogue.base()).job
    catalogue.jobs.end(job, JobState.FAILED, "no_text", name="a.pdf")
    ended = catalogue.jobs.get(job)
    catalogue.jobs.end(job, JobState.DONE)
    assert catalogue.jobs.get(job) == ended
    assert (ended.error_code, ended.error_params) == ("no_text", {"name": "a.pdf"})
    for write in (catalogue.jobs.stepped, catalogue.jobs.progress):
        with pytest.raises(JobCancelled):
            write(job, pages_done=1)
    with pytest.raises(JobNotFound):
        catalogue.jobs.get("job-none")


def test_jobs_are_listed_newest_first_and_by_what_is_asked(catalogue: Catalogue) -> None:
    base, other = catalogue.base("one"), catalogue.base("other")
    first, second = catalogue.ready(base, a_file("a", "a.pdf")), catalogue.queued(base, a_file("b", "b.pdf"))
    third = catalogue.queued(other, a_file("c"))
    _, rebuild = catalogue.generations.start(base.id, base.fingerprint)

    def found(wanted: JobFilter, limit: int = 10, offset: int = 0) -> list[str]:
        return [job.id for job in catalogue.jobs.all(wanted, limit, offset)]

    assert found(JobFilter()) == [rebuild, third.job, second.job, first.job]
    assert found(JobFilter(), 2, 1) == [third.job, second.job]
    assert found(JobFilter(knowledge_base_id=other.id)) == [third.job]
    assert found(JobFilter(document_id=first.document)) == [first.job]
    assert found(JobFilter(kind=JobKind.REBUILD)) == [rebuild]
    assert found(JobFilter(knowledge_base_id=base.id, states=(JobState.QUEUED,))) == [rebuild, second.job]
    catalogue.bases.hide(base.id)
    assert found(JobFilter()) == [third.job]


def test_a_job_that_waits_for_its_place_is_not_to_blame_for_a_death_meanwhile(catalogue: Catalogue) -> None:
    job = catalogue.processing(catalogue.base()).job
    jobs = catalogue.jobs
    before = jobs.begin(job)
    jobs.wait(job)
    assert jobs.begin(job) == before  # its process died while it waited
    jobs.wait(job)
    jobs.go_on(job, 5.0)
    assert jobs.begin(job) == before + 1  # and here while it worked


def test_waiting_for_a_place_is_no_part_of_the_time_of_a_stage(catalogue: Catalogue) -> None:
    job = catalogue.processing(catalogue.base()).job
    jobs = catalogue.jobs
    jobs.stage(job, Stage.PARSING)
    began = jobs.get(job).stage_started_at
    jobs.wait(job)
    jobs.go_on(job, 90.0)
    moved = jobs.get(job).stage_started_at
    assert began is not None
    assert moved is not None
    assert (moved - began).total_seconds() == pytest.approx(90.0)
