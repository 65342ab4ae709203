"""How fast a job goes and how long it will take, from its counts and clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.catalogue.records import Job
from app.types import JobState, Stage

_LEAST_SECONDS = 1.0
"""Of a stage, before its speed means anything."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Speeds of the present stage and the estimated rest in seconds; None while there is nothing to go by.

    While pages are read nothing is known of the chunks to come, so that there is a rest only once embedding has begun.
    """

    pages_per_second: float | None = None
    chunks_per_second: float | None = None
    seconds_left: float | None = None


def rates_of(job: Job, at: datetime) -> Rates:
    """The rates of a job at this moment; none of one that is not running."""
    if job.state is not JobState.RUNNING or job.stage_started_at is None:
        return Rates()
    seconds = (at - job.stage_started_at).total_seconds()
    if seconds < _LEAST_SECONDS:
        return Rates()
    if job.stage in (Stage.PARSING, Stage.RECOGNISING):
        return Rates(pages_per_second=_speed(job.pages_done, job.stage_from, seconds))
    if job.stage is not Stage.EMBEDDING:
        return Rates()
    speed = _speed(job.chunks_done, job.stage_from, seconds)
    if not speed or job.chunks_total is None:
        return Rates(chunks_per_second=speed)
    rest = (job.chunks_total - job.chunks_done) / speed if job.document_id is not None else None
    return Rates(chunks_per_second=speed, seconds_left=rest)


def _speed(done: int, before: int, seconds: float) -> float | None:
    return (done - before) / seconds if done > before else None
