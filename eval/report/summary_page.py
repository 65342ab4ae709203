"""The report of one run as a page: tiles, charts, and every question with all that came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from app.types import Language
from eval.figures import Figure, Scored, Summary
from eval.metrics import METRICS
from eval.report import charts
from eval.report.formats import count, range_of, seconds, share, value_of
from eval.report.heading import details, facts
from eval.report.inert import one_line
from eval.report.page import render
from eval.report.rows import GOOD_VERDICTS, Row, badge, row_of
from eval.report.summary_charts import (
    VERDICT_ORDER,
    group_charts,
    group_value,
    latency_chart,
    main_metric,
    measured,
    reason_bars,
    risk_chart,
    verdict_bar,
)
from eval.report.words import Words
from eval.wording import metric_name, stage_name

HEADLINE = (
    "answer_accuracy",
    "refusal_recall",
    "false_refusal_rate",
    "invented_rate",
    "citation_precision",
    "groundedness",
    "hit@5",
)
HEADLINE_SEARCH = ("hit@1", "hit@3", "hit@5", "hit@10", "mrr@10", "ndcg@10")
GROUP_METRICS = ("answer_accuracy", "refusal_recall", "false_refusal_rate", "citation_precision", "hit@5", "mrr@10")
MOST_ROWS = 2000
"""Beyond these, questions with a good verdict are left out of the page, which would grow too heavy to open."""

PERCENTILES = ("p50", "p90", "p95", "p99", "mean")


@dataclass(frozen=True, slots=True)
class Tile:
    """A headline figure; `scale` draws its interval."""

    name: str
    means: str
    value: str
    range: str
    n: str
    better: str
    scale: Markup


@dataclass(frozen=True, slots=True)
class Option:
    """A choice of a filter."""

    value: str
    name: str


def html(summary: Summary, language: Language) -> str:
    """The whole report in one file of HTML."""
    words = Words(language)
    rows, left_out = _rows(summary.scored, words)
    return render(
        "summary.html",
        words=words,
        title=one_line(summary.run.name) or one_line(summary.run.knowledge_base),
        facts=facts(summary.run, words),
        details=details(summary.run, words),
        notes=_notes(summary, words),
        tiles=[_tile(metric, summary.figures[metric], language) for metric in _headline(summary)],
        times=_times(summary, language),
        figures=_figures(summary, language),
        verdicts=verdict_bar(summary, words),
        reasons=reason_bars(summary, words),
        group_charts=group_charts(summary, words),
        main_metric=words("of_metric", metric=metric_name(main_metric(summary), language)),
        group_table=_group_table(summary, words),
        risk=risk_chart(summary, words),
        latency=latency_chart(summary, words),
        stages=_stages(summary, words),
        judge=_judge(summary, words),
        rows=rows,
        left_out=words("left_out", count=left_out) if left_out else "",
        filters=_filters(rows, words),
    )


def _headline(summary: Summary) -> list[str]:
    chosen = HEADLINE_SEARCH if summary.run.settings.mode == "retrieval" else HEADLINE
    return [metric for metric in chosen if measured(summary.figures, metric)]


def _notes(summary: Summary, words: Words) -> list[str]:
    asked, failed = len(summary.scored), summary.verdicts.get("failed", 0)
    notes = []
    if asked < summary.run.questions:
        notes.append(words("unfinished", done=count(asked), all=count(summary.run.questions)))
    if failed:
        notes.append(words("failed_note", failed=count(failed), all=count(asked)))
    return notes


def _tile(metric: str, figure: Figure, language: Language) -> Tile:
    words, info = Words(language), METRICS.get(metric)
    return Tile(
        name=metric_name(metric, language),
        means=info.means(language) if info else "",
        value=value_of(metric, figure.value, language),
        range=range_of(metric, figure, language),
        n=count(figure.n),
        better=words(f"better_{info.better}") if info else "",
        scale=charts.interval(figure),
    )


def _times(summary: Summary, language: Language) -> list[Tile]:
    """Median and 95th percentile, which share one tile."""
    names = [name for name in ("seconds_p50", "seconds_p95") if measured(summary.figures, name)]
    return [_tile(name, summary.figures[name], language) for name in names]


def _figures(summary: Summary, language: Language) -> list[Tile]:
    known = [metric for metric in METRICS if measured(summary.figures, metric)]
    others = [metric for metric in summary.figures if metric not in METRICS and measured(summary.figures, metric)]
    return [_tile(metric, summary.figures[metric], language) for metric in [*known, *others]]


def _group_table(summary: Summary, words: Words) -> tuple[list[str], list[tuple[str, str, str, list[str]]]]:
    """Column names, and rows of (kind, group, n, cells)."""
    metrics = [name for name in GROUP_METRICS if any(measured(group.figures, name) for group in summary.groups)]
    rows = [
        (
            words(group.by),
            group_value(group, words),
            count(group.n),
            [_cell(group.figures.get(name), name, words.language) for name in metrics],
        )
        for group in summary.groups
    ]
    return [metric_name(name, words.language) for name in metrics], rows


def _cell(figure: Figure | None, metric: str, language: Language) -> str:
    return value_of(metric, figure.value if figure else None, language)


def _stages(summary: Summary, words: Words) -> list[tuple[str, list[str]]]:
    return [
        (
            stage_name(stage, words.language),
            [seconds(figures[name]) if name in figures else "–" for name in PERCENTILES],
        )
        for stage, figures in summary.latencies.items()
        if figures
    ]


def _judge(summary: Summary, words: Words) -> str:
    agreement = summary.judge_agreement
    if agreement is None or agreement.value is None:
        return ""
    kappa = "" if summary.judge_kappa is None else words("kappa", value=f"{summary.judge_kappa:.2f}")
    return words("judge_note", agreement=share(agreement.value), n=count(agreement.n), kappa=kappa)


def _rows(scored: Sequence[Scored], words: Words) -> tuple[list[Row], int]:
    """The rows of the page in the order of the run, and how many were left out to keep it light."""
    kept = list(scored)
    if len(kept) > MOST_ROWS:
        telling = sorted(kept, key=lambda one: (one.verdict in GOOD_VERDICTS, one.record.index))[:MOST_ROWS]
        kept = sorted(telling, key=lambda one: one.record.index)
    return [row_of(one, words) for one in kept], len(scored) - len(kept)


def _filters(rows: Sequence[Row], words: Words) -> list[tuple[str, str, list[Option]]]:
    """(attribute, name, choices) of every filter that has a choice to offer."""
    verdicts = {row.verdict for row in rows}
    offered = [
        ("verdict", [Option(verdict, badge(verdict, words)) for verdict in VERDICT_ORDER if verdict in verdicts]),
        ("language", [Option(code, words.language_name(code)) for code in sorted({row.language for row in rows})]),
        ("type", [Option(name, name or words("untitled")) for name in sorted({row.type for row in rows})]),
        ("document", [Option(name, name) for name in sorted({name for row in rows for name in row.documents})]),
        ("why", [Option(key, why) for key, why in sorted({(row.why_key, row.why) for row in rows if row.why_key})]),
    ]
    return [
        (name, words("reason" if name == "why" else name), options) for name, options in offered if len(options) > 1
    ]
