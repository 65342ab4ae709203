"""A run's report in a terminal: figures, groups, the most frequent reasons and the first questions not right."""

from __future__ import annotations

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from app.types import Language
from eval.figures import Scored, Summary
from eval.metrics import METRICS
from eval.report.formats import count, range_of, value_of
from eval.report.inert import one_line, shortened
from eval.report.rows import GOOD_VERDICTS, NEUTRAL_VERDICTS, badge
from eval.report.summary_charts import group_value, main_metric, measured
from eval.report.words import Words
from eval.wording import metric_name, reason_name

MOST_REASONS = 5
MOST_WRONG = 10
MOST_GROUPS = 12
TEXT_CHARACTERS = 110


def terminal(summary: Summary, language: Language) -> RenderableType:
    """What to print of a run with a rich console; text from manuals is text, never markup."""
    words = Words(language)
    run = summary.run
    title = Text(one_line(run.name) or one_line(run.knowledge_base), style="bold")
    place = f"  {one_line(run.knowledge_base)} · {one_line(run.question_set)} · {one_line(run.model or '')}"
    parts: list[RenderableType] = [title.append(place.rstrip(" ·"), style="not bold dim")]
    asked, failed = len(summary.scored), summary.verdicts.get("failed", 0)
    if asked < run.questions:
        parts.append(Text(words("unfinished", done=count(asked), all=count(run.questions)), style="yellow"))
    if failed:
        parts.append(Text(words("failed_note", failed=count(failed), all=count(asked)), style="yellow"))
    parts += ["", _figures(summary, words)]
    if any(measured(group.figures, main_metric(summary)) for group in summary.groups):
        parts += ["", _groups(summary, words)]
    parts += [*_reasons(summary, words), *_wrong(summary, words)]
    return Lines(*parts)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, name in enumerate(columns):
        table.add_column(Text(name), justify="left" if place == 0 else "right", no_wrap=place > 0)
    return table


def _figures(summary: Summary, words: Words) -> Table:
    table = _table(words("metric"), words("value"), words("interval"), "n")
    for metric in [name for name in METRICS if measured(summary.figures, name)]:
        figure = summary.figures[metric]
        table.add_row(
            Text(metric_name(metric, words.language)),
            Text(value_of(metric, figure.value, words.language), style="bold"),
            Text(range_of(metric, figure, words.language), style="dim"),
            Text(count(figure.n), style="dim"),
        )
    return table


def _groups(summary: Summary, words: Words) -> Table:
    """The main metric by language, type and document, the lowest documents only where there are many."""
    metric = main_metric(summary)
    name = metric_name(metric, words.language)
    table = _table(words("group"), name, words("interval"), "n")
    for by in ("language", "type", "document"):
        groups = [group for group in summary.groups if group.by == by and measured(group.figures, metric)]
        lowest = sorted(groups, key=lambda group: group.figures[metric].value or 0.0)
        for group in groups if len(groups) <= MOST_GROUPS else lowest[:MOST_GROUPS]:
            figure = group.figures[metric]
            table.add_row(
                Text(f"{words(by)}  ", style="dim").append(group_value(group, words), style="not dim"),
                Text(value_of(metric, figure.value, words.language)),
                Text(range_of(metric, figure, words.language), style="dim"),
                Text(count(figure.n), style="dim"),
            )
    return table


def _reasons(summary: Summary, words: Words) -> list[RenderableType]:
    ordered = sorted(summary.reasons.items(), key=lambda item: (-item[1], item[0]))[:MOST_REASONS]
    if not ordered:
        return []
    lines = [Text(f"{number:>5}  {one_line(reason_name(why, words.language))}") for why, number in ordered]
    return ["", Text(words("worst_reasons"), style="bold"), *lines]


def _wrong(summary: Summary, words: Words) -> list[RenderableType]:
    wrong = [one for one in summary.scored if one.verdict not in (*GOOD_VERDICTS, *NEUTRAL_VERDICTS)]
    if not wrong:
        return []
    lines = [line for one in wrong[:MOST_WRONG] for line in _question(one, words)]
    if len(wrong) > MOST_WRONG:
        lines.append(Text(words("more_wrong", count=len(wrong) - MOST_WRONG), style="dim"))
    return ["", Text(words("wrong_questions"), style="bold"), *lines]


def _question(scored: Scored, words: Words) -> list[Text]:
    """The question with its verdict; what was said, and what is right."""
    record, question = scored.record, scored.record.question
    first = Text(f"{record.index + 1:>5}  ", style="dim")
    colour = "yellow" if scored.verdict == "refused" else "red"
    first.append(f"{badge(scored.verdict, words)}  ", style=f"not dim {colour}")
    first.append(shortened(one_line(question.question), TEXT_CHARACTERS), style="not dim")
    said = one_line(record.answer) or one_line(record.error_message or record.error or "") or words("no_answer")
    accepted = " / ".join(one_line(text) for text in (*question.answers, *question.answer_parts))
    second = Text(f"       {shortened(said, TEXT_CHARACTERS)}", style="dim")
    if accepted:
        second.append(f"  ({words('named', name=words('accepted'), text=shortened(accepted, TEXT_CHARACTERS))})")
    return [first, second]
