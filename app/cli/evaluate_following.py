"""An evaluation on its way: followed through the server's events, shown as one bar."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from app.cli.client import Client
from app.cli.followed import followed
from app.cli.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.cli.terminal import Terminal

Json = dict[str, Any]
GOOD_VERDICTS = ("right", "refused_rightly")
SEARCH_METRIC = "hit@5"


class Pace:
    """How long the rest takes, by the questions that ended since it was first looked at."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, int] | None = None

    def seconds_left(self, done: int, total: int) -> float | None:
        """None until a question has ended."""
        now = self._clock()
        if self._first is None:
            self._first = (now, done)
        since, done_before = self._first
        if done == done_before:
            return None
        return (now - since) / (done - done_before) * (total - done)


def follow(at: Terminal, client: Client, evaluation: Json) -> Json:
    """The evaluation as it ended; raises `Interrupted` on Ctrl-C, and what the connection raised."""
    pace, watch = Pace(), client.watch(f"/v1/evaluations/{evaluation['id']}/events")

    def shown(last: Json) -> tuple[int, str]:
        left = pace.seconds_left(last["done"], last["questions"])
        return last["done"], progress_note(at.words, last, left)

    return followed(at, watch, evaluation, "questions", shown)


def progress_note(words: Words, evaluation: Json, seconds_left: float | None) -> str:
    """Counts, how good it is so far, and time left, as far as they are known."""
    parts = [words("of_questions", done=evaluation["done"], total=evaluation["questions"])]
    if so_far := score_so_far(words, evaluation):
        parts.append(so_far)
    if evaluation["state"] == "queued":
        parts.append(words("state_queued"))
    if seconds_left is not None:
        minutes, seconds = divmod(round(seconds_left), 60)
        parts.append(words("time_left", time=f"{minutes}:{seconds:02}"))
    return words("comma").join(parts)


def score_so_far(words: Words, evaluation: Json) -> str:
    """How many are right, answers and refusals alike; of a search the share found; "" where nothing is known."""
    figures = evaluation.get("figures") or {}
    if evaluation["settings"]["mode"] == "retrieval":
        value = (figures.get(SEARCH_METRIC) or {}).get("value")
        return "" if value is None else words("found_so_far", share=f"{value:.0%}")
    verdicts: dict[str, int] = evaluation.get("verdicts") or {}
    judged = sum(count for verdict, count in verdicts.items() if verdict != "unlabelled")
    right = sum(verdicts.get(verdict, 0) for verdict in GOOD_VERDICTS)
    return words("right_so_far", right=right, judged=judged) if judged else ""
