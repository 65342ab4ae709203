"""The charts of a run's report: verdicts, reasons, groups, risk and coverage, and how long answers took."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from eval.figures import Figure, Group, Scored, Summary, Verdict
from eval.report import charts
from eval.report.formats import count, range_of, seconds, share, value_of
from eval.report.inert import one_line
from eval.report.rows import seconds_of
from eval.report.words import Words
from eval.wording import reason_name, verdict_name

MOST_BARS = 14

VERDICT_ORDER: tuple[Verdict, ...] = (
    "right",
    "refused_rightly",
    "searched",
    "unlabelled",
    "refused",
    "wrong",
    "invented",
    "failed",
)


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a bar chart; `choose` is the filter that a click sets, such as "why=misread"."""

    name: str
    drawn: Markup
    value: str
    n: str
    choose: str = ""


@dataclass(frozen=True, slots=True)
class GroupChart:
    """Bars of the groups of one kind, the lowest first where there are too many; `note` says so."""

    title: str
    bars: tuple[Bar, ...]
    note: str


def measured(figures: dict[str, Figure], metric: str) -> bool:
    return metric in figures and figures[metric].value is not None


def main_metric(summary: Summary) -> str:
    return "answer_accuracy" if measured(summary.figures, "answer_accuracy") else "hit@5"


def verdict_bar(summary: Summary, words: Words) -> tuple[Markup, list[tuple[str, Bar]]]:
    """The stacked bar, and its legend as (verdict, entry)."""
    whole = sum(summary.verdicts.values()) or 1
    parts: list[charts.Part] = []
    legend: list[tuple[str, Bar]] = []
    for verdict in (verdict for verdict in VERDICT_ORDER if summary.verdicts.get(verdict)):
        number = summary.verdicts[verdict]
        name = verdict_name(verdict, words.language)
        parts.append(
            charts.Part(verdict, number, words("named", name=name, text=f"{count(number)} ({share(number / whole)})"))
        )
        legend.append((verdict, Bar(name, Markup(), count(number), share(number / whole), f"verdict={verdict}")))
    return charts.stacked(parts), legend


def reason_bars(summary: Summary, words: Words) -> list[Bar]:
    ordered = sorted(summary.reasons.items(), key=lambda item: (-item[1], item[0]))
    most = max((number for _, number in ordered), default=1)
    return [
        Bar(
            name := one_line(reason_name(why, words.language)),
            charts.bar(Figure(number / most, None, None, number), name),
            count(number),
            "",
            f"why={why}",
        )
        for why, number in ordered
        if number
    ]


def group_charts(summary: Summary, words: Words) -> list[GroupChart]:
    metric = main_metric(summary)
    drawn = []
    for by in ("language", "type", "document"):
        groups = [group for group in summary.groups if group.by == by and measured(group.figures, metric)]
        if not groups:
            continue
        lowest = sorted(groups, key=lambda group: group.figures[metric].value or 0.0)[:MOST_BARS]
        chosen = groups if len(groups) <= MOST_BARS else lowest
        note = words("worst_shown", shown=MOST_BARS, all=len(groups)) if len(groups) > MOST_BARS else ""
        bars = tuple(_group_bar(group, metric, words) for group in chosen)
        drawn.append(GroupChart(words(f"by_{by}"), bars, note))
    return drawn


def _group_bar(group: Group, metric: str, words: Words) -> Bar:
    figure, name = group.figures[metric], group_value(group, words)
    value, spread = value_of(metric, figure.value, words.language), range_of(metric, figure, words.language)
    title = words("named", name=name, text=f"{value} ({spread})" if spread else value)
    return Bar(
        name, charts.bar(figure, title), value, words("n_of", n=count(figure.n)), f"{group.by}={one_line(group.value)}"
    )


def group_value(group: Group, words: Words) -> str:
    value = one_line(group.value)
    return (words.language_name(value) if group.by == "language" else value) or words("untitled")


def risk_chart(summary: Summary, words: Words) -> Markup | None:
    points = summary.risk_coverage
    if not points:
        return None
    titles = [words("risk_point", coverage=share(point.coverage), risk=share(point.risk)) for point in points]
    return charts.risk_curve(points, titles, words("coverage"), words("risk"))


def latency_chart(summary: Summary, words: Words) -> tuple[Markup, str] | None:
    """The histogram and the sentence that says what it counts."""
    taken = [value for one in summary.scored if (value := _seconds(one)) is not None and value >= 0]
    if not taken:
        return None
    bins = charts.binned(taken)
    titles = []
    for place, number in enumerate(bins.counts):
        last = bins.open_end and place == len(bins.counts) - 1
        high = "∞" if last else seconds((place + 1) * bins.width)
        titles.append(words("bin", low=seconds(place * bins.width), high=high, n=number))
    whole = any(one.record.seconds is not None for one in summary.scored)
    stage = summary.latencies.get("total" if whole else "sources", {})
    marks = [(f"{name} {seconds(stage[name])}", stage[name]) for name in ("p50", "p95") if name in stage]
    drawn = charts.histogram(bins, marks, titles, words("seconds"), words("questions"))
    return drawn, words("latency_note" if whole else "latency_note_search")


def _seconds(scored: Scored) -> float | None:
    return None if scored.record.error else seconds_of(scored.record)
