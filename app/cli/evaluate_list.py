"""`manualqa eval list`, `show`, `cancel`, `delete` and `metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from app.cli.evaluate_following import progress_note, score_so_far
from app.cli.questions import find_base

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

Json = dict[str, Any]


def list_runs(at: Terminal, base_name: str | None, *, as_json: bool) -> None:
    """Prints a line for each run, newest first: id, state, how far, how good, name, question set."""
    with at.client() as client:
        params = {} if base_name is None else {"knowledge_base_id": find_base(at, client, base_name)["id"]}
        found = client.get("/v1/evaluations", **params)
    if as_json:
        at.print_json(found)
        return
    for evaluation in found["evaluations"]:
        print_line(at, evaluation)


def print_line(at: Terminal, evaluation: Json) -> None:
    """One run on one line."""
    parts = [evaluation["id"], at.words(f"state_{evaluation['state']}")]
    parts.append(at.words("of_questions", done=evaluation["done"], total=evaluation["questions"]))
    if so_far := score_so_far(at.words, evaluation):
        parts.append(so_far)
    named = evaluation["name"]
    if evaluation["question_set_name"] != named:
        named = at.words("with_detail", text=named, detail=evaluation["question_set_name"])
    line = Text("  ".join([*parts, named]))
    if evaluation["error"]:
        line.append(f"  {evaluation['error']['message']}", style="red")
    at.out.print(line, soft_wrap=True)


def show_run(at: Terminal, run_id: str, *, as_json: bool) -> None:
    """Prints a run's state and what is known of its figures."""
    from app.cli.evaluate_results import fetched_run, print_summary  # noqa: PLC0415 - loads the evaluation core
    from eval.summary import summarise  # noqa: PLC0415

    with at.client() as client:
        evaluation = client.get(f"/v1/evaluations/{run_id}")
        run = fetched_run(client, run_id) if evaluation["done"] and not as_json else None
    if as_json:
        at.print_json(evaluation)
        return
    if evaluation["state"] == "running":
        at.out.print(Text(progress_note(at.words, evaluation, None)))
    else:
        print_line(at, evaluation)
    if run is not None:
        print_summary(at, summarise(run))


def cancel_run(at: Terminal, run_id: str, *, as_json: bool) -> None:
    """Stops a run."""
    with at.client() as client:
        evaluation = client.post(f"/v1/evaluations/{run_id}/cancel", {})
    if as_json:
        at.print_json(evaluation)
    else:
        print_line(at, evaluation)


def delete_run(at: Terminal, run_id: str, *, as_json: bool) -> None:
    """Deletes a run."""
    with at.client() as client:
        client.delete(f"/v1/evaluations/{run_id}")
    if as_json:
        at.print_json({"deleted": run_id})
    else:
        at.out.print(Text(at.words("deleted", name=run_id)))


def list_metrics(at: Terminal, *, as_json: bool) -> None:
    """Prints every metric's key, name, direction and meaning."""
    from eval.metrics import METRICS  # noqa: PLC0415

    language = at.words.language
    if as_json:
        at.print_json(
            [
                {"metric": key, "name": info.name(language), "better": info.better, "means": info.means(language)}
                for key, info in METRICS.items()
            ]
        )
        return
    width = max(len(key) for key in METRICS)
    for key, info in METRICS.items():
        line = Text(key.ljust(width + 2), style="bold")
        line.append(at.words("line", name=info.name(language), text=info.means(language)), style="not bold")
        line.append(at.words("with_detail", text="", detail=at.words(f"better_{info.better}")), style="dim not bold")
        at.out.print(line, soft_wrap=True)
