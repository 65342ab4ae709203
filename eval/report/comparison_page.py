"""The comparison of two runs as a page: what each metric gained or lost, and which questions got better or worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.types import Language
from eval.figures import Change, Comparison, Difference
from eval.metrics import METRICS
from eval.report.formats import NOTHING, change_of, count, probability, range_of, value_of
from eval.report.heading import Fact, details, facts
from eval.report.inert import one_line
from eval.report.page import render
from eval.report.rows import Row, row_of
from eval.report.summary_page import Option
from eval.report.words import Words
from eval.wording import metric_name

SIGNIFICANT = 0.05
HEADLINE = ("answer_accuracy", "refusal_recall", "false_refusal_rate", "invented_rate", "citation_precision", "hit@5")
MOST_CHANGES = 1000


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A metric in both runs; `direction` is "up" or "down" for a significant change to the better or the worse."""

    metric: str
    name: str
    means: str
    before: str
    before_range: str
    after: str
    after_range: str
    difference: str
    range: str
    p: str
    n: str
    direction: str
    said: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A question that got better or worse, as both runs have it."""

    better: bool
    before: Row
    after: Row


@dataclass(frozen=True, slots=True)
class Pair:
    """A fact of both runs; `differs` where it is not the same."""

    name: str
    before: str
    after: str
    differs: bool


def comparison_html(comparison: Comparison, language: Language) -> str:
    """The whole comparison in one file of HTML, the questions that got worse first."""
    words = Words(language)
    differences = [_difference(found, words) for found in comparison.differences]
    return render(
        "comparison.html",
        words=words,
        title=f"{one_line(comparison.before.name)} → {one_line(comparison.after.name)}",
        pairs=_pairs(comparison, words),
        note=words("p_note", shared=count(comparison.shared)),
        left_out=_left_out(comparison, words),
        tiles=[row for name in HEADLINE for row in differences if row.metric == name],
        differences=differences,
        better=sum(change.better for change in comparison.changes),
        worse=sum(not change.better for change in comparison.changes),
        changes=[_change(change, words) for change in _worse_first(comparison.changes)[:MOST_CHANGES]],
        changes_more=max(0, len(comparison.changes) - MOST_CHANGES),
        filters=_filters(comparison.changes, words),
    )


def _worse_first(changes: Sequence[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: change.better)


def _difference(found: Difference, words: Words) -> DifferenceRow:
    metric, language, info = found.metric, words.language, METRICS.get(found.metric)
    spread = NOTHING
    if found.low is not None and found.high is not None:
        spread = f"{change_of(metric, found.low, language)} … {change_of(metric, found.high, language)}"
    direction = _direction(found)
    return DifferenceRow(
        metric=metric,
        name=metric_name(metric, language),
        means=info.means(language) if info else "",
        before=value_of(metric, found.before.value, language),
        before_range=range_of(metric, found.before, language),
        after=value_of(metric, found.after.value, language),
        after_range=range_of(metric, found.after, language),
        difference=change_of(metric, found.difference, language),
        range=spread,
        p=probability(found.p),
        n=count(max(found.before.n, found.after.n)),
        direction=direction,
        said={"up": words("improved"), "down": words("worsened")}.get(direction, ""),
    )


def _direction(found: Difference) -> str:
    """Nothing where chance explains the difference, or where nobody knows which way is better."""
    if found.p is None or found.p >= SIGNIFICANT or not found.difference or found.metric not in METRICS:
        return ""
    gained = (found.difference > 0) == (METRICS[found.metric].better == "higher")
    return "up" if gained else "down"


def _change(change: Change, words: Words) -> ChangeRow:
    return ChangeRow(change.better, row_of(change.before, words), row_of(change.after, words))


def _pairs(comparison: Comparison, words: Words) -> list[Pair]:
    before = _named([*facts(comparison.before, words), *details(comparison.before, words)])
    after = _named([*facts(comparison.after, words), *details(comparison.after, words)])
    names = dict.fromkeys([*before, *after])
    return [
        Pair(name, before.get(name, NOTHING), after.get(name, NOTHING), before.get(name) != after.get(name))
        for name in names
    ]


def _named(found: Sequence[Fact]) -> dict[str, str]:
    return {fact.name: fact.value for fact in found}


def _left_out(comparison: Comparison, words: Words) -> str:
    if not comparison.only_before and not comparison.only_after:
        return ""
    return words("only_one", before=count(comparison.only_before), after=count(comparison.only_after))


def _filters(changes: Sequence[Change], words: Words) -> list[tuple[str, str, list[Option]]]:
    """(attribute, name, choices): better or worse, language, type."""
    questions = [change.after.record.question for change in changes]
    languages = sorted({one_line(question.lang) for question in questions})
    types = sorted({one_line(question.type) for question in questions})
    offered = [
        ("change", words("change"), [Option("worse", words("got_worse")), Option("better", words("got_better"))]),
        ("language", words("language"), [Option(code, words.language_name(code)) for code in languages]),
        ("type", words("type"), [Option(name, name or words("untitled")) for name in types]),
    ]
    return [(attribute, name, choices) for attribute, name, choices in offered if len(choices) > 1]
