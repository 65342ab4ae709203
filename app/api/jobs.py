"""Routes of jobs: list, watch, cancel, try again."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from app.api.deps import LanguageDep, ServicesDep, editor, reader
from app.api.events import EVENTS, Look, watched
from app.api.problems import reason
from app.api.schemas import JobList, JobOut
from app.catalogue.jobs import JobFilter
from app.catalogue.records import Job
from app.catalogue.tables import now
from app.ingest.rates import rates_of
from app.types import JobKind, JobState, Language

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MOST_WATCHED = 200
"""Queued jobs of one stream; the rest come as these begin. Every running one is told, and every one that ends."""
OVERLAP = timedelta(seconds=5)
"""An end is dated before it is committed; for so long it may turn up late."""

Limit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
Id = Annotated[str | None, Query(max_length=60)]
States = Annotated[list[JobState] | None, Query(max_length=10)]


@router.get("", dependencies=[reader])
def list_jobs(
    services: ServicesDep,
    language: LanguageDep,
    knowledge_base_id: Id = None,
    document_id: Id = None,
    kind: JobKind | None = None,
    state: States = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> JobList:
    """Jobs, newest first."""
    wanted = JobFilter(knowledge_base_id, document_id, kind, state or ())
    return JobList(jobs=[job_out(job, language) for job in services.jobs.all(wanted, limit, offset)])


@router.get("/events", dependencies=[reader], response_class=StreamingResponse, responses=EVENTS)
def watch_jobs(services: ServicesDep, language: LanguageDep, knowledge_base_id: Id = None) -> StreamingResponse:
    """Server-sent events: a `job` for every open job, and one whenever it changes, its end included."""
    running = JobFilter(knowledge_base_id, states=(JobState.RUNNING,))
    queued = JobFilter(knowledge_base_id, states=(JobState.QUEUED,))
    known: dict[str, Job] = {}
    since = [now()]

    def look() -> Look[BaseModel]:
        """What is new; jobs that began and ended since the last look are among those that have ended."""
        ended = JobFilter(knowledge_base_id, ended_since=since[0])
        since[0] = max(since[0], now() - OVERLAP)
        found: dict[str, Job] = {}
        for wanted in (running, queued, ended):
            found.update({job.id: job for job in services.jobs.all(wanted, MOST_WATCHED, 0)})
        changed = [job for job in found.values() if known.get(job.id) != job]
        known.clear()
        known.update(found)
        return Look([job_out(job, language) for job in changed], ended=False)

    return watched("job", look, services.is_draining)


@router.get("/{job_id}", dependencies=[reader])
def show_job(job_id: str, services: ServicesDep, language: LanguageDep) -> JobOut:
    """One job: its stage, pages and chunks done of total, speed, time left, and why it failed if it did."""
    return job_out(services.jobs.get(job_id), language)


@router.get("/{job_id}/events", dependencies=[reader], response_class=StreamingResponse, responses=EVENTS)
def watch_job(job_id: str, services: ServicesDep, language: LanguageDep) -> StreamingResponse:
    """Server-sent events: a `job` now and whenever it changes; the stream ends with the job."""
    services.jobs.get(job_id)
    last: list[Job] = []

    def look() -> Look[BaseModel]:
        job = services.jobs.find(job_id)
        if job is None:
            return Look([], ended=True)
        changed = [job] if last != [job] else []
        last[:] = [job]
        return Look([job_out(job, language) for job in changed], ended=job.ended_at is not None)

    return watched("job", look, services.is_draining)


@router.post("/{job_id}/cancel", dependencies=[editor])
def cancel_job(job_id: str, services: ServicesDep, language: LanguageDep) -> JobOut:
    """Stop a job. A document is then `cancelled`, with nothing of it searchable; of a rebuild nothing stays."""
    return job_out(services.library.cancel(job_id), language)


@router.post("/{job_id}/retry", status_code=202, dependencies=[editor])
def retry_job(job_id: str, services: ServicesDep, language: LanguageDep) -> JobOut:
    """Try again what failed or was cancelled, with a new job; the one that is on it already, where there is one."""
    return job_out(services.library.retry(job_id), language)


def job_out(job: Job, language: Language) -> JobOut:
    """A job as clients see it."""
    rates = rates_of(job, now())
    return JobOut(
        id=job.id,
        kind=job.kind,
        knowledge_base_id=job.knowledge_base_id,
        document_id=job.document_id,
        document_name=job.document_name,
        state=job.state,
        stage=job.stage,
        pages_done=job.pages_done,
        pages_total=job.pages_total,
        chunks_done=job.chunks_done,
        chunks_total=job.chunks_total,
        documents_done=job.documents_done,
        documents_total=job.documents_total,
        pages_per_second=rates.pages_per_second,
        chunks_per_second=rates.chunks_per_second,
        seconds_left=rates.seconds_left,
        attempts=job.attempts,
        error=reason(job.error_code, job.error_params, language),
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
    )
