"""`manualqa eval compare`: what got better and worse between two runs, and whether a pipeline should mind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from app.cli.evaluate_results import CONDITION_FAILED, load_run
from app.errors import InvalidInput
from eval import report
from eval.compare import compare
from eval.metrics import METRICS
from eval.report.formats import change_of, probability, range_of, value_of
from eval.report.inert import one_line, shortened
from eval.wording import metric_name, reason_name, verdict_name

if TYPE_CHECKING:
    from app.cli.terminal import Terminal
    from app.types import Language
    from eval.figures import Change, Comparison, Difference, Scored

Json = dict[str, Any]
SIGNIFICANT = 0.05
MOST_SHOWN = 40
QUESTION_CHARACTERS = 90


def compare_runs(
    at: Terminal,
    before: str,
    after: str,
    out: Path | None,
    fail_if_worse: tuple[str, ...],
    language: Language | None,
    *,
    as_json: bool,
) -> int:
    """Compares two runs of the service or of files, and returns the exit code; raises `InvalidInput` where they share
    no question or a metric is not known."""
    for metric in fail_if_worse:
        if metric not in METRICS:
            raise InvalidInput(reason=at.words("no_such_metric", name=metric, names=", ".join(METRICS)))
    comparison = compare(load_run(at, before), load_run(at, after))
    if not comparison.shared:
        raise InvalidInput(reason=at.words("nothing_shared"))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(report.comparison_html(comparison, language or at.words.language), encoding="utf-8", newline="")
    worse = significantly_worse(comparison, fail_if_worse)
    if as_json:
        at.print_json(comparison_out(comparison, worse, out))
    else:
        print_comparison(at, comparison)
        if out is not None:
            at.out.print(Text(at.words("page_in", file=out)), soft_wrap=True)
    for difference in worse:
        at.err.print(Text(at.words("condition_failed", text=_said(at, difference)), style="red"), soft_wrap=True)
    return CONDITION_FAILED if worse else 0


def significantly_worse(comparison: Comparison, metrics: tuple[str, ...]) -> list[Difference]:
    """Those of the metrics that moved the wrong way by more than chance explains (p < 0.05)."""
    return [
        found
        for found in comparison.differences
        if found.metric in metrics and _is_significant(found) and not _is_better(found)
    ]


def print_comparison(at: Terminal, comparison: Comparison) -> None:
    """The metrics side by side, then the questions whose verdict changed, worse ones first."""
    at.out.print(Text(at.words("compared", before=comparison.before.name, after=comparison.after.name), style="bold"))
    counts = {"shared": comparison.shared, "before": comparison.only_before, "after": comparison.only_after}
    at.out.print(Text(at.words("compared_counts", **counts)))
    at.out.print(_table(at, comparison.differences))
    for better in (False, True):
        changes = [change for change in comparison.changes if change.better == better]
        _print_changes(at, "got_better" if better else "got_worse", changes, "green" if better else "red")


def comparison_out(comparison: Comparison, worse: list[Difference], page: Path | None) -> Json:
    """The comparison as JSON, in the shape of the API's where both have a field."""
    return {
        "before": comparison.before.id,
        "after": comparison.after.id,
        "shared": comparison.shared,
        "only_before": comparison.only_before,
        "only_after": comparison.only_after,
        "differences": [_difference_out(difference) for difference in comparison.differences],
        "changes": [
            {
                "question_id": change.question_id,
                "question": change.question,
                "before": _side_out(change.before),
                "after": _side_out(change.after),
                "better": change.better,
            }
            for change in comparison.changes
        ],
        "failed_conditions": [difference.metric for difference in worse],
        "page": str(page) if page is not None else None,
    }


def _table(at: Terminal, differences: tuple[Difference, ...]) -> Table:
    language = at.words.language
    table = Table(box=None, pad_edge=False)
    table.add_column(at.words("metric"))
    for key in ("before", "after", "difference", "p_value"):
        table.add_column(at.words(key), justify="right")
    for found in differences:
        style = "" if not _is_significant(found) else "green" if _is_better(found) else "red"
        table.add_row(
            metric_name(found.metric, language),
            value_of(found.metric, found.before.value, language),
            value_of(found.metric, found.after.value, language),
            _change(found, language),
            probability(found.p),
            style=style,
        )
    return table


def _change(found: Difference, language: Language) -> str:
    change = change_of(found.metric, found.difference, language)
    if found.low is None or found.high is None:
        return change
    return f"{change} [{change_of(found.metric, found.low, language)}, {change_of(found.metric, found.high, language)}]"


def _print_changes(at: Terminal, title: str, changes: list[Change], style: str) -> None:
    if not changes:
        return
    language = at.words.language
    at.out.print(Text(at.words(title, count=len(changes)), style=f"bold {style}"))
    for change in changes[:MOST_SHOWN]:
        line = Text(f"  {one_line(change.question_id)}  {shortened(one_line(change.question), QUESTION_CHARACTERS)}  ")
        verdicts = f"{verdict_name(change.before.verdict, language)} → {verdict_name(change.after.verdict, language)}"
        line.append(verdicts, style=style)
        if change.after.why:
            line.append(f"  ({reason_name(change.after.why, language)})", style="dim")
        at.out.print(line, soft_wrap=True)
    if len(changes) > MOST_SHOWN:
        at.out.print(Text("  " + at.words("more_changes", count=len(changes) - MOST_SHOWN), style="dim"))


def _said(at: Terminal, found: Difference) -> str:
    language = at.words.language
    return at.words(
        "became_worse",
        metric=metric_name(found.metric, language),
        before=value_of(found.metric, found.before.value, language),
        after=value_of(found.metric, found.after.value, language),
        interval=range_of(found.metric, found.after, language),
        p=probability(found.p),
        n=found.after.n,
    )


def _is_significant(found: Difference) -> bool:
    return found.p is not None and found.p < SIGNIFICANT and bool(found.difference)


def _is_better(found: Difference) -> bool:
    higher = METRICS[found.metric].better == "higher"
    return (found.difference or 0.0) > 0 if higher else (found.difference or 0.0) < 0


def _difference_out(found: Difference) -> Json:
    sides = {"before": found.before, "after": found.after}
    figures = {
        side: {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n}
        for side, figure in sides.items()
    }
    moved = {"difference": found.difference, "low": found.low, "high": found.high, "p": found.p}
    return {"metric": found.metric, **figures, **moved}


def _side_out(scored: Scored) -> Json:
    answer = scored.record.error_message or scored.record.answer
    return {"verdict": scored.verdict, "why": scored.why, "answer": answer}
