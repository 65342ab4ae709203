"""Figures of calls: counts, rates, percentiles, periods, groups and the scope, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from app.catalogue.operations import BASE_MODEL, CallFilter, Operations, Period
from app.catalogue.scope import Scope, within
from app.catalogue.tables import CallRow
from app.types import CallOutcome, Channel, Label
from tests.fixtures.catalogues import Catalogue

AT = datetime(2026, 3, 5, 12, 34, 56, tzinfo=UTC)


def add(catalogue: Catalogue, base: str, minutes: float, outcome: CallOutcome, **more: object) -> None:
    """A call that was asked so many minutes before `AT`."""
    with catalogue.sessions.begin() as session:
        number = session.query(CallRow).count()
        values: dict[str, object] = {"total_seconds": 1.0, "key_id": "key-1", "channel": Channel.API, **more}
        asked = AT - timedelta(minutes=minutes)
        session.add(
            CallRow(id=f"call-{number}", knowledge_base_id=base, asked_at=asked, outcome=outcome, **values)  # type: ignore[arg-type]
        )


def test_counts_and_rates(catalogue: Catalogue) -> None:
    base = catalogue.base().id
    good = {"model": "m", "sentences": 4, "prompt_tokens": 100, "completion_tokens": 10}
    add(catalogue, base, 1, CallOutcome.ANSWERED, **good, verdict="up", label=Label.RIGHT)
    add(catalogue, base, 2, CallOutcome.ANSWERED, **good, withheld=2, verdict="down", label=Label.UNSUPPORTED)
    add(catalogue, base, 3, CallOutcome.EXTRACTED)
    add(catalogue, base, 3, CallOutcome.REFUSED, reason="below_threshold")
    add(catalogue, base, 4, CallOutcome.FAILED, reason="model_unavailable")
    add(catalogue, base, 4, CallOutcome.LEFT)
    total = Operations(catalogue.sessions).report(Period.HOUR, CallFilter(), AT).total
    assert (total.calls, total.outcomes[CallOutcome.ANSWERED], total.outcomes[CallOutcome.LEFT]) == (6, 2, 1)
    assert (total.error_rate, total.extract_rate, total.refusal_rate) == (0.2, 0.2, 0.2)
    assert (total.refusals, total.errors) == ({"below_threshold": 1}, {"model_unavailable": 1})
    assert (total.sentences, total.withheld, total.ungrounded_rate) == (8, 2, 0.25)
    assert (total.labelled, total.wrong, total.wrong_rate) == (2, 1, 0.5)
    assert (total.rated, total.down, total.down_rate) == (2, 1, 0.5)
    assert (total.prompt_tokens, total.completion_tokens) == (200, 20)


def test_nothing_has_no_rates(catalogue: Catalogue) -> None:
    report = Operations(catalogue.sessions).report(Period.MONTH, CallFilter(), AT)
    assert (report.total.calls, report.total.error_rate, report.total.times["total"]) == (0, None, None)
    assert len(report.buckets) == 30
    assert report.knowledge_bases == []


def test_percentiles_are_those_of_all_times(catalogue: Catalogue) -> None:
    base = catalogue.base().id
    seconds = [float(value) for value in np.random.default_rng(1).lognormal(0, 1, 60).round(3)]
    for number, one in enumerate(seconds):
        model = f"m{number % 3}"
        add(catalogue, base, number % 20, CallOutcome.ANSWERED, total_seconds=one, sources_seconds=one / 2, model=model)
    total = Operations(catalogue.sessions).report(Period.HOUR, CallFilter(), AT).total
    found = total.times["total"]
    assert found is not None
    assert (found.p50, found.p95, found.p99) == pytest.approx(np.percentile(seconds, (50, 95, 99)), abs=0.002)
    halves = total.times["sources"]
    assert halves is not None
    assert halves.p50 == pytest.approx(found.p50 / 2, abs=0.002)
    assert total.times["first_token"] is None


@pytest.mark.parametrize("period", Period)
def test_buckets_hold_what_was_asked_in_them_and_before_is_the_period_before(
    catalogue: Catalogue, period: Period
) -> None:
    base, operations = catalogue.base().id, Operations(catalogue.sessions)
    empty = operations.report(period, CallFilter(), AT)
    since = (AT - empty.since).total_seconds() / 60
    add(catalogue, base, 0, CallOutcome.ANSWERED)
    add(catalogue, base, since, CallOutcome.ANSWERED)  # the first moment of the period
    add(catalogue, base, since + 0.02, CallOutcome.FAILED)  # just before it
    add(catalogue, base, 3 * since + 100_000, CallOutcome.FAILED)  # long before
    found = operations.report(period, CallFilter(), AT)
    counts = [bucket.figures.calls for bucket in found.buckets]
    assert (counts[0], counts[-1], sum(counts), found.total.calls) == (1, 1, 2, 2)
    assert found.before.calls == 1
    assert found.until - found.since == timedelta(seconds=found.bucket_seconds) * len(counts)
    assert found.buckets[-1].start <= AT < found.until


def test_the_figures_of_the_last_seconds_are_those_of_all_that_was_asked_in_them(catalogue: Catalogue) -> None:
    first, second = catalogue.base("a").id, catalogue.base("b").id
    operations = Operations(catalogue.sessions)
    assert operations.since(AT, 300).calls == 0
    assert operations.since(AT, 300).error_rate is None
    add(catalogue, first, 0, CallOutcome.ANSWERED, model="m", total_seconds=2.0, sentences=4, withheld=1)
    add(catalogue, second, 5, CallOutcome.FAILED, reason="model_unavailable", total_seconds=4.0)
    add(catalogue, second, 5.02, CallOutcome.FAILED)  # just before
    add(catalogue, second, -1, CallOutcome.FAILED)  # by a clock that is ahead
    found = operations.since(AT, 300)
    assert (found.calls, found.error_rate, found.ungrounded_rate) == (2, 0.5, 0.25)
    times = found.times["total"]
    assert times is not None
    assert times.p50 == 3.0
    assert operations.since(AT, 60).calls == 1


def test_groups_and_filters(catalogue: Catalogue) -> None:
    first, second = catalogue.base("a").id, catalogue.base("b").id
    operations = Operations(catalogue.sessions)
    for _ in range(2):
        add(catalogue, first, 1, CallOutcome.ANSWERED, model="m", adapter_id="adapter-1")
    add(catalogue, second, 1, CallOutcome.REFUSED, model="n")
    report = operations.report(Period.DAY, CallFilter(), AT)
    assert [(group.id, group.figures.calls) for group in report.knowledge_bases] == [(first, 2), (second, 1)]
    assert [(group.id, group.figures.calls) for group in report.models] == [("m", 2), ("n", 1)]
    assert [(group.id, group.figures.calls) for group in report.adapters] == [("adapter-1", 2), (None, 1)]
    for wanted, calls in (
        (CallFilter(knowledge_base_id=first), 2),
        (CallFilter(model="n"), 1),
        (CallFilter(adapter_id="adapter-1"), 2),
        (CallFilter(adapter_id=BASE_MODEL), 1),
        (CallFilter(model="none"), 0),
    ):
        assert operations.report(Period.DAY, wanted, AT).total.calls == calls
        assert len(operations.calls(wanted, None, None, 10, 0)) == calls


def test_nothing_outside_the_scope_is_counted_or_listed(catalogue: Catalogue) -> None:
    mine, foreign = catalogue.base("mine").id, catalogue.base("foreign").id
    operations = Operations(catalogue.sessions)
    add(catalogue, mine, 1, CallOutcome.ANSWERED, model="m")
    add(catalogue, foreign, 1, CallOutcome.FAILED, model="secret", reason="secret")
    with within(Scope(frozenset({mine}))):
        report = operations.report(Period.HOUR, CallFilter(), AT)
        assert (report.total.calls, report.total.errors) == (1, {})
        assert [group.id for group in report.models] == ["m"]
        assert [call.knowledge_base_id for call in operations.calls(CallFilter(), None, None, 10, 0)] == [mine]
        assert operations.report(Period.HOUR, CallFilter(knowledge_base_id=foreign), AT).total.calls == 0


def test_calls_are_listed_by_moment_newest_first(catalogue: Catalogue) -> None:
    base, operations = catalogue.base().id, Operations(catalogue.sessions)
    for minutes in (3, 1, 2):
        add(catalogue, base, minutes, CallOutcome.ANSWERED, question=f"{minutes} ago", key_id=f"key-{minutes}")
    listed = operations.calls(CallFilter(), None, None, 10, 0)
    assert [call.question for call in listed] == ["1 ago", "2 ago", "3 ago"]
    assert [call.question for call in operations.calls(CallFilter(), None, None, 1, 1)] == ["2 ago"]
    since, until = AT - timedelta(minutes=2), AT - timedelta(minutes=1)
    assert [call.question for call in operations.calls(CallFilter(), since, until, 10, 0)] == ["2 ago"]
    assert [call.question for call in operations.calls(CallFilter(key_id="key-3"), None, None, 10, 0)] == ["3 ago"]
