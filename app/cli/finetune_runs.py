"""`manualqa finetune run`, `list`, `show`, `watch`, `cancel`, `resume` and `delete`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from app.cli.client import Client
from app.cli.finetune_data import Order
from app.cli.finetune_following import follow, heldout_note, progress_note
from app.cli.followed import Interrupted
from app.cli.questions import find_base
from app.cli.terminal import FAILED

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

Json = dict[str, Any]


def run_training(at: Terminal, order: Order, *, watch: bool, as_json: bool) -> int:
    """Starts a training, and shows it until it has ended where that is wanted; returns the exit code."""
    with at.client() as client:
        training = client.post("/v1/finetune/jobs", order.body(at, client))
        return _shown(at, client, training, watch=watch, as_json=as_json)


def watch_training(at: Terminal, training_id: str, *, as_json: bool) -> int:
    """Shows a training until it has ended; returns the exit code."""
    with at.client() as client:
        training = client.get(f"/v1/finetune/jobs/{training_id}")
        return _shown(at, client, training, watch=True, as_json=as_json)


def resume_training(at: Terminal, training_id: str, *, watch: bool, as_json: bool) -> int:
    """Lets a training go on, then as `run_training`."""
    with at.client() as client:
        training = client.post(f"/v1/finetune/jobs/{training_id}/resume", {})
        return _shown(at, client, training, watch=watch, as_json=as_json)


def list_trainings(at: Terminal, base_name: str | None, *, as_json: bool) -> None:
    """Prints a line for each training, newest first."""
    with at.client() as client:
        params = {} if base_name is None else {"knowledge_base_id": find_base(at, client, base_name)["id"]}
        found = client.get("/v1/finetune/jobs", **params)
    if as_json:
        at.print_json(found)
        return
    for training in found["jobs"]:
        print_line(at, training)


def show_training(at: Terminal, training_id: str, *, as_json: bool) -> None:
    """Prints how far a training is and its losses on the held-out examples."""
    with at.client() as client:
        training = client.get(f"/v1/finetune/jobs/{training_id}")
        curves = client.get(f"/v1/finetune/jobs/{training_id}/curves")
    if as_json:
        at.print_json({**training, "curves": curves})
        return
    print_line(at, training)
    for point in curves["evaluations"]:
        step = at.words("of_steps", done=point["step"], total=training["steps"])
        loss = heldout_note(at.words, point["loss"], point["perplexity"])
        at.out.print(Text(f"  {at.words('line', name=step, text=loss)}"), soft_wrap=True)
    for alarm in curves["alarms"]:
        said = at.words(f"alarm_{alarm['code']}", step=alarm["step"])
        at.out.print(Text(f"  {said}", style="yellow"), soft_wrap=True)
    if training["state"] == "done":
        _print_done(at, training)


def cancel_training(at: Terminal, training_id: str, *, as_json: bool) -> None:
    """Stops a training."""
    with at.client() as client:
        training = client.post(f"/v1/finetune/jobs/{training_id}/cancel", {})
    if as_json:
        at.print_json(training)
    else:
        print_line(at, training)


def delete_training(at: Terminal, training_id: str, *, as_json: bool) -> None:
    """Deletes a training."""
    with at.client() as client:
        client.delete(f"/v1/finetune/jobs/{training_id}")
    if as_json:
        at.print_json({"deleted": training_id})
    else:
        at.out.print(Text(at.words("deleted", name=training_id)))


def print_line(at: Terminal, training: Json) -> None:
    """One training on one line: id, how far, name, adapter, and why it failed."""
    parts = [training["id"], progress_note(at.words, training), training["name"]]
    if training["adapter_id"]:
        parts.append(training["adapter_id"])
    line = Text("  ".join(parts))
    if training["error"]:
        line.append(f"  {training['error']['message']}", style="red")
    at.out.print(line, soft_wrap=True)


def _shown(at: Terminal, client: Client, training: Json, *, watch: bool, as_json: bool) -> int:
    """The training until it ends, or how to come back to it."""
    if not watch:
        return _leave(at, training, as_json=as_json)
    try:
        ended = follow(at, client, training)
    except Interrupted:
        return _leave(at, client.get(f"/v1/finetune/jobs/{training['id']}"), as_json=as_json) or FAILED
    if as_json:
        at.print_json(ended)
    elif ended["state"] == "done":
        _print_done(at, ended)
    if ended["state"] == "done":
        return 0
    reason = ended["error"]["message"] if ended["error"] else at.words(f"state_{ended['state']}")
    said = at.words(
        "training_ended", done=ended["step"], total=ended["steps"] or "?", reason=reason.rstrip(".。"), id=ended["id"]
    )
    at.err.print(Text(said, style="red"), soft_wrap=True)
    return FAILED


def _leave(at: Terminal, training: Json, *, as_json: bool) -> int:
    if as_json:
        at.print_json(training)
    else:
        print_line(at, training)
    if not training["finished_at"]:
        at.err.print(Text(at.words("training_goes_on")))
        at.err.print(Text(at.words("training_come_back", id=training["id"])), soft_wrap=True)
    return 0


def _print_done(at: Terminal, training: Json) -> None:
    figures = training["figures"]
    gain = at.words(
        "training_gain",
        before=_number(figures.get("loss_before"), 3),
        after=_number(figures.get("best_loss"), 3),
        ppl_before=_number(figures.get("perplexity_before"), 2),
        ppl_after=_number(figures.get("best_perplexity"), 2),
        step=figures.get("best_step", "?"),
    )
    seconds, memory = _number(figures.get("seconds_per_step"), 1), figures.get("peak_memory_mb", "?")
    cost = at.words("training_cost", seconds=seconds, memory=memory)
    for said in (gain, cost, at.words("training_done", adapter=training["adapter_id"])):
        at.out.print(Text(said), soft_wrap=True)


def _number(value: float | None, digits: int) -> str:
    return "?" if value is None else f"{value:.{digits}f}"
