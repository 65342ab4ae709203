"""What an evaluation leaves behind: report, run and table as files, a summary in the terminal, an exit code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from rich.text import Text

from app.cli.client import Client
from app.cli.terminal import FAILED
from app.errors import InvalidInput
from eval import gate, report
from eval.records import Run
from eval.report.formats import range_of
from eval.summary import summarise

if TYPE_CHECKING:
    from app.cli.terminal import Terminal
    from app.types import Language
    from eval.figures import Summary

Json = dict[str, Any]
CONDITION_FAILED = 6
RESULTS = Path("eval-results")
REPORT_NAME, RUN_NAME, TABLE_NAME = "report.html", "run.json", "questions.csv"


@dataclass(frozen=True, slots=True)
class Reporting:
    """Where results go, in which language, and which conditions they must meet."""

    folder: Path
    language: Language
    conditions: tuple[gate.Condition, ...]

    @classmethod
    def chosen(
        cls, at: Terminal, out: Path | None, language: Language | None, conditions: tuple[str, ...]
    ) -> Reporting:
        """As the options say; raises `InvalidInput` for a condition that cannot be read."""
        by_date = RESULTS / datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        return cls(out or by_date, language or at.words.language, tuple(gate.parse(conditions)))


def report_run(
    at: Terminal, ref: str, out: Path | None, language: Language | None, fail_under: tuple[str, ...], *, as_json: bool
) -> int:
    """Writes and shows the results of a run of the service, or of one saved in a file; returns the exit code."""
    reporting = Reporting.chosen(at, out, language, fail_under)
    run = load_run(at, ref)
    return deliver(at, run, reporting, None, as_json=as_json)


def load_run(at: Terminal, ref: str) -> Run:
    """The run saved in the file `ref`, or else the service's run of this id."""
    path = Path(ref)
    if path.is_file():
        return saved_run(at, path)
    with at.client() as client:
        return fetched_run(client, ref)


def saved_run(at: Terminal, path: Path) -> Run:
    """The run of a `run.json`; raises `InvalidInput` where the file holds none."""
    try:
        return Run.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise InvalidInput(repr(error), reason=at.words("no_run_in_file", file=path)) from error


def fetched_run(client: Client, run_id: str) -> Run:
    """The whole run as the service has it now."""
    return Run.model_validate(client.get(f"/v1/evaluations/{run_id}/run"))


def deliver(at: Terminal, run: Run, reporting: Reporting, evaluation: Json | None, *, as_json: bool) -> int:
    """Writes the files, prints the summary or JSON, tells the conditions that are not met; returns the exit code."""
    summary = summarise(run)
    files = write_results(summary, reporting)
    failed = failed_conditions(at, summary, reporting.conditions)
    if as_json:
        at.print_json(
            {
                "evaluation": evaluation or described(run),
                "figures": figures_out(summary),
                "verdicts": summary.verdicts,
                "failed_conditions": failed,
                "files": {name: str(path) for name, path in files.items()},
            }
        )
    else:
        print_summary(at, summary)
        at.out.print(Text(at.words("results_in", folder=reporting.folder)), soft_wrap=True)
    for line in failed:
        at.err.print(
            at.words("condition_failed", text=line), style="red", markup=False, highlight=False, soft_wrap=True
        )
    if nothing_answered(summary):
        at.err.print(at.words("nothing_answered"), style="red", markup=False, soft_wrap=True)
        return FAILED
    return CONDITION_FAILED if failed else 0


def write_results(summary: Summary, reporting: Reporting) -> dict[str, Path]:
    """`report.html`, `run.json` and `questions.csv` in the folder, which is made where it is missing."""
    reporting.folder.mkdir(parents=True, exist_ok=True)
    texts = {
        REPORT_NAME: report.html(summary, reporting.language),
        RUN_NAME: summary.run.model_dump_json(indent=1) + "\n",
        TABLE_NAME: report.csv_text(summary, reporting.language),
    }
    files = {name: reporting.folder / name for name in texts}
    for name, text in texts.items():
        files[name].write_text(text, encoding="utf-8", newline="")
    return files


def print_summary(at: Terminal, summary: Summary) -> None:
    """The figures as `eval.report.terminal` lays them out."""
    at.out.print(report.terminal(summary, at.words.language))


def failed_conditions(at: Terminal, summary: Summary, conditions: tuple[gate.Condition, ...]) -> list[str]:
    """A line for each condition that is not met, with value, interval and number of questions."""
    lines = []
    for condition in conditions:
        for line in gate.check(summary, [condition], at.words.language):
            figure = summary.figures.get(condition.metric)
            shown = line
            if figure is not None and figure.low is not None:
                interval = range_of(condition.metric, figure, at.words.language)
                shown = at.words("with_interval", text=line, interval=interval, n=figure.n)
            if shown not in lines:
                lines.append(shown)
    return lines


def nothing_answered(summary: Summary) -> bool:
    """Whether every question that was put ended in an error."""
    return bool(summary.scored) and summary.verdicts.get("failed", 0) == len(summary.scored)


def figures_out(summary: Summary) -> Json:
    """Metric -> value, 95% interval and n, as the API gives them."""
    return {
        metric: {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n}
        for metric, figure in summary.figures.items()
    }


def described(run: Run) -> Json:
    """A saved run without its records."""
    return run.model_dump(mode="json", exclude={"records"})
