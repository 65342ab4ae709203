"""`manualqa eval calibrate`: values of search and refusal by labelled questions, with held-out figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from app.cli.client import Client
from app.cli.evaluate_following import follow
from app.cli.evaluate_places import Place
from app.cli.evaluate_runs import say_stopped, start
from app.cli.followed import Interrupted
from app.cli.questions import find_base
from app.cli.terminal import FAILED
from eval.question_sets import QuestionSet, read

if TYPE_CHECKING:
    from app.cli.terminal import Terminal
    from eval.records import RunSettings

Json = dict[str, Any]
CURVE_ROWS = 10
CURVE_WIDTH = 40


@dataclass(frozen=True, slots=True)
class Target:
    """By which questions (a set to be put now, or a run that there is) and for which share of false refusals."""

    questions: Path | None
    run_id: str | None
    settings: RunSettings
    most_false_refusals: float


def calibrate(at: Terminal, base_name: str | None, target: Target, *, as_json: bool) -> int:
    """Puts the questions unless there is a run already, has the service calibrate, and shows what it chose."""
    questions = None if target.questions is None else read(target.questions)
    with at.client() as client:
        if questions is None:
            run: Json | None = client.get(f"/v1/evaluations/{target.run_id}")
        else:
            run = _put(at, client, find_base(at, client, base_name), questions, target.settings)
        if run is None:
            return FAILED
        body = {"evaluation_id": run["id"], "most_false_refusals": target.most_false_refusals}
        made = client.post(f"/v1/knowledge-bases/{run['knowledge_base_id']}/calibration", body, patient=True)
    _print(at, made, as_json=as_json)
    return 0


def _put(at: Terminal, client: Client, base: Json, questions: QuestionSet, settings: RunSettings) -> Json | None:
    """The run of these questions, done; None where it ended otherwise, which has been told."""
    run = start(Place(client, base), questions, f"calibrate {questions.name}"[:100], settings)
    try:
        run = follow(at, client, run)
    except Interrupted as interrupted:
        at.err.print(Text(at.words("calibrate_later", id=interrupted.last["id"])), soft_wrap=True)
        return None
    if run["state"] != "done":
        say_stopped(at, run)
        return None
    return run


def show_calibration(at: Terminal, base_name: str | None, *, as_json: bool) -> int:
    """Shows what is stored; the server's error where nothing is."""
    with at.client() as client:
        _print(at, client.get(_path(at, client, base_name)), as_json=as_json)
    return 0


def clear_calibration(at: Terminal, base_name: str | None, *, as_json: bool) -> int:
    """Forgets what is stored."""
    with at.client() as client:
        client.delete(_path(at, client, base_name))
    if as_json:
        at.print_json({"cleared": True})
    else:
        at.out.print(Text(at.words("calibration_cleared")))
    return 0


def _path(at: Terminal, client: Client, base_name: str | None) -> str:
    return f"/v1/knowledge-bases/{find_base(at, client, base_name)['id']}/calibration"


def _print(at: Terminal, made: Json, *, as_json: bool) -> None:
    if as_json:
        at.print_json(made)
        return
    _print_values(at, made)
    _print_figures(at, made["figures"])
    for warned in [*made["why"], *made["warnings"]]:
        at.out.print(Text(at.words("line", name="!", text=warned["message"]), style="yellow"), soft_wrap=True)
    for name, points in made["figures"].get("curves", {}).items():
        _print_curve(at, name, points)


def _print_values(at: Terminal, made: Json) -> None:
    """What holds without calibration, and what was chosen; a value that stays says so."""
    present = made["figures"].get("present") or {}
    table = Table(title=at.words("calibration"), title_justify="left")
    for heading in ("calibration_value", "before", "after"):
        table.add_column(at.words(heading))
    for name, chosen in made["values"].items():
        before = present.get(name)
        after = at.words("calibration_stays") if chosen is None else f"{chosen:.4g}"
        table.add_row(at.words(f"tuning_{name}"), "" if before is None else f"{before:.4g}", after)
    at.out.print(table)


def _print_figures(at: Terminal, figures: Json) -> None:
    """The held-out figures beside those of the present values."""
    refusal, weight = figures.get("refusal"), figures.get("weight")
    rows = []
    if refusal:
        rows += [(name, *refusal[name]) for name in ("false_refusals", "refusal_recall")]
    if weight:
        rows += [(name, *weight[name]) for name in ("mrr", "hit") if isinstance(weight.get(name), list | tuple)]
    if not rows:
        return
    table = Table(title=at.words("calibration_held_out", folds=figures["folds"]), title_justify="left")
    for heading in ("metric", "before", "after"):
        table.add_column(at.words(heading))
    for name, before, after in rows:
        table.add_row(at.words(f"calibration_{name}"), _figure(before), _figure(after))
    at.out.print(table)


def _figure(figure: Json) -> str:
    if figure["value"] is None:
        return "-"
    interval = "" if figure["low"] is None else f" [{figure['low']:.2f}, {figure['high']:.2f}]"
    return f"{figure['value']:.3f}{interval}, n={figure['n']}"


def _print_curve(at: Terminal, name: str, points: list[Json]) -> None:
    """Risk by coverage as bars: how much of what is answered is not right, the surest questions first."""
    if not points:
        return
    at.out.print(Text(at.words(f"curve_{name}"), style="bold"))
    step = max(1, len(points) // CURVE_ROWS)
    for point in [*points[step - 1 :: step]][:CURVE_ROWS]:
        bar = "█" * round(point["risk"] * CURVE_WIDTH)
        at.out.print(Text(f"  {point['coverage']:4.0%}  {bar or '·'} {point['risk']:.0%}"))
