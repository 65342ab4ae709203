"""Speeds and the rest of the time, from counts and clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.catalogue.records import Job
from app.ingest.rates import Rates, rates_of
from app.types import JobKind, JobState, Stage

BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
JOB = Job(
    id="job-1",
    kind=JobKind.INGEST,
    knowledge_base_id="kb-1",
    document_id="doc-1",
    document_name="a.pdf",
    index_id=None,
    fingerprint=None,
    state=JobState.RUNNING,
    stage=Stage.EMBEDDING,
    stage_started_at=BEGAN,
    stage_from=0,
    pages_done=0,
    pages_total=None,
    chunks_done=0,
    chunks_total=None,
    documents_done=0,
    documents_total=None,
    attempts=1,
    error_code=None,
    error_params={},
    created_at=BEGAN,
    started_at=BEGAN,
    ended_at=None,
)


def after(seconds: float, job: Job) -> Rates:
    return rates_of(job, BEGAN + timedelta(seconds=seconds))


def test_pages_per_second_count_from_where_the_stage_began() -> None:
    job = replace(JOB, stage=Stage.PARSING, stage_from=200, pages_done=300, pages_total=500)
    assert after(10, job) == Rates(pages_per_second=10.0)
    assert after(10, replace(job, stage=Stage.RECOGNISING)) == Rates(pages_per_second=10.0)


def test_the_rest_is_what_is_left_at_this_speed() -> None:
    job = replace(JOB, stage_from=640, chunks_done=740, chunks_total=940)
    assert after(10, job) == Rates(chunks_per_second=10.0, seconds_left=20.0)


def test_a_rebuild_has_no_rest_because_its_counts_are_of_one_document() -> None:
    job = replace(JOB, document_id=None, kind=JobKind.REBUILD, chunks_done=10, chunks_total=20)
    assert after(10, job) == Rates(chunks_per_second=1.0)


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, state=JobState.QUEUED, chunks_done=5, chunks_total=9),
        replace(JOB, state=JobState.DONE, chunks_done=9, chunks_total=9),
        replace(JOB, stage_started_at=None, chunks_done=5, chunks_total=9),
        replace(JOB, stage=Stage.CHUNKING, chunks_done=5, chunks_total=9),
        replace(JOB, chunks_done=0, chunks_total=9),
        replace(JOB, stage_from=5, chunks_done=5, chunks_total=9),
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_go_by(job: Job) -> None:
    assert after(10, job) == Rates()


def test_the_first_moment_means_nothing() -> None:
    job = replace(JOB, chunks_done=64, chunks_total=100)
    assert after(0.5, job) == Rates()
    assert after(-5, job) == Rates()  # a clock set back
