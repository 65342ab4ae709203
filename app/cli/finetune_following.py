"""A training on its way: followed through the server's events, shown as one bar with its newest figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from app.cli.client import Client
from app.cli.followed import followed
from app.cli.words import Words

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

Json = dict[str, Any]
TENFOLD = 10


def follow(at: Terminal, client: Client, training: Json) -> Json:
    """The training as it ended; raises `Interrupted` on Ctrl-C, and what the connection raised.

    Alarms become lines above the bar.
    """
    told = set[tuple[str, int]]()
    watch = client.watch(f"/v1/finetune/jobs/{training['id']}/events")

    def shown(last: Json) -> tuple[int, str]:
        _tell_alarms(at, last, told)
        return last["step"], progress_note(at.words, last)

    return followed(at, watch, training, "steps", shown)


def progress_note(words: Words, training: Json) -> str:
    """Stage, step, losses, learning rate, speed and time left, as far as they are known."""
    figures = training["figures"]
    if training["state"] != "running":
        return words(f"state_{training['state']}")
    if training["stage"] != "training" or training["steps"] is None:
        return words(f"stage_{training['stage']}")
    parts = [words("of_steps", done=training["step"], total=training["steps"])]
    if figures.get("loss") is not None:
        parts.append(words("training_loss", loss=figures["loss"]))
    if figures.get("heldout_loss") is not None:
        parts.append(heldout_note(words, figures["heldout_loss"], figures.get("heldout_perplexity")))
    if figures.get("learning_rate") is not None:
        parts.append(words("learning_rate", rate=figures["learning_rate"]))
    if figures.get("tokens_per_second"):
        parts.append(words("tokens_per_second", speed=_speed(figures["tokens_per_second"])))
    if figures.get("memory_mb"):
        parts.append(words("memory", memory=figures["memory_mb"]))
    if training["seconds_left"] is not None:
        minutes, seconds = divmod(round(training["seconds_left"]), 60)
        parts.append(words("time_left", time=f"{minutes}:{seconds:02}"))
    return words("comma").join(parts)


def heldout_note(words: Words, loss: float, perplexity: float | None) -> str:
    """A loss on the held-out examples."""
    return words("heldout_loss", loss=loss, perplexity=float("nan") if perplexity is None else perplexity)


def _tell_alarms(at: Terminal, training: Json, told: set[tuple[str, int]]) -> None:
    for alarm in training["figures"].get("alarms") or []:
        if (alarm["code"], alarm["step"]) not in told:
            told.add((alarm["code"], alarm["step"]))
            said = at.words(f"alarm_{alarm['code']}", step=alarm["step"])
            at.err.print(Text(said, style="yellow"), soft_wrap=True)


def _speed(value: float) -> str:
    return f"{value:.0f}" if value >= TENFOLD else f"{value:.1f}"
