"""Summaries are made again when records have come, and no more often than they are asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.catalogue.evaluations import Evaluation
from app.evaluation.summaries import Summaries
from app.types import JobState
from eval.question_sets import LabelledQuestion
from eval.records import Record, Run, RunSettings

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def an_evaluation(identity: str = "eval-1", revision: int = 1, state: JobState = JobState.RUNNING) -> Evaluation:
    return Evaluation(
        id=identity,
        knowledge_base_id="kb-1",
        knowledge_base="manuals",
        name="codes",
        question_set="codes",
        set_hash="0" * 64,
        settings={},
        state=state,
        total=9,
        done=revision,
        failed=0,
        revision=revision,
        asked=None,
        versions={},
        error_code=None,
        error_params={},
        created_at=MOMENT,
        started_at=MOMENT,
        finished_at=None,
    )


class Counted:
    """Gives a run of one more record each time it is read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, identity: str) -> Run:
        self.read.append(identity)
        question = LabelledQuestion(id="q", question="What does E-04 mean?", answers=("empty",))
        records = tuple(Record(index=n, question=question, answer="It is empty.") for n in range(len(self.read)))
        return Run(
            id=identity,
            name="codes",
            knowledge_base="manuals",
            question_set="codes",
            set_hash="0" * 64,
            settings=RunSettings(),
            started_at=MOMENT.isoformat(),
            questions=9,
            records=records,
        )


@pytest.fixture
def runs() -> Counted:
    return Counted()


def test_the_same_records_are_summed_up_once(runs: Counted) -> None:
    summaries = Summaries(runs)
    assert summaries.of(an_evaluation()) is summaries.of(an_evaluation())
    assert runs.read == ["eval-1"]


def test_new_records_are_summed_up_at_once_where_that_is_asked(runs: Counted) -> None:
    summaries = Summaries(runs)
    assert len(summaries.of(an_evaluation(revision=1)).scored) == 1
    assert len(summaries.of(an_evaluation(revision=2)).scored) == 2


def test_who_watches_gets_figures_of_a_moment_ago_and_the_last_ones_at_the_end(runs: Counted) -> None:
    summaries = Summaries(runs)
    first = summaries.recent(an_evaluation(revision=1))
    assert summaries.recent(an_evaluation(revision=2)) is first
    assert summaries.recent(an_evaluation(revision=3, state=JobState.DONE)) is not first


def test_only_some_are_kept(runs: Counted) -> None:
    summaries = Summaries(runs)
    names = [f"eval-{n}" for n in range(6)]
    for name in names:
        summaries.of(an_evaluation(name))
    summaries.of(an_evaluation("eval-5"))
    summaries.of(an_evaluation("eval-0"))
    assert runs.read == [*names, "eval-0"]
