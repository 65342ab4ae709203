"""`manualqa eval run`, `watch` and `resume`: starts evaluations, shows them on their way and delivers their results."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from app.cli.adapters_kept import adapter_id
from app.cli.evaluate_following import follow
from app.cli.evaluate_places import DATA_FOLDER, Folder, Place, made_of, present
from app.cli.evaluate_results import Reporting, deliver, fetched_run
from app.cli.followed import Interrupted
from app.cli.terminal import FAILED
from app.errors import InvalidInput
from eval.question_sets import QuestionSet, canonical, read
from eval.records import RunSettings

if TYPE_CHECKING:
    from app.cli.terminal import Terminal
    from app.types import Language

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `eval run` was asked for; `sample` is divided between questions with and without an answer."""

    questions: Path
    base_name: str | None
    folder: Path | None
    keep: bool
    name: str | None
    settings: RunSettings
    sample: int | None
    out: Path | None
    report_language: Language | None
    fail_under: tuple[str, ...]


def run_evaluation(at: Terminal, wanted: Wanted, *, detach: bool, as_json: bool) -> int:
    """Runs a question set and delivers the results; returns the exit code.

    Raises `QuestionSetInvalid` and `InvalidInput` for a file or a condition that cannot be used, before anything is
    started.
    """
    questions = read(wanted.questions)
    reporting = Reporting.chosen(at, wanted.out, wanted.report_language, wanted.fail_under)
    settings = wanted.settings
    if wanted.sample is not None:
        answerable, unanswerable = split(questions, wanted.sample)
        settings = settings.model_copy(update={"answerable": answerable, "unanswerable": unanswerable})
    with _place(at, wanted, reporting) as place:
        if detach and place.own:
            raise InvalidInput(reason=at.words("detach_needs_service"))
        if settings.adapter is not None:
            settings = settings.model_copy(update={"adapter": adapter_id(at, place.client, settings.adapter)})
        evaluation = start(place, questions, wanted.name, settings)
        if detach:
            return _leave(at, place, evaluation, as_json=as_json)
        return follow_to_results(at, place, evaluation, reporting, as_json=as_json)


def watch_run(
    at: Terminal,
    run_id: str,
    out: Path | None,
    language: Language | None,
    fail_under: tuple[str, ...],
    *,
    as_json: bool,
) -> int:
    """Shows a run until it has ended, then delivers its results; returns the exit code."""
    reporting = Reporting.chosen(at, out, language, fail_under)
    with at.client() as client:
        place = Place(client, {})
        evaluation = client.get(f"/v1/evaluations/{run_id}")
        return follow_to_results(at, place, evaluation, reporting, as_json=as_json)


def resume_run(
    at: Terminal,
    run_id: str,
    out: Path | None,
    language: Language | None,
    fail_under: tuple[str, ...],
    *,
    detach: bool,
    as_json: bool,
) -> int:
    """Lets a stopped run go on, then as `watch_run`."""
    reporting = Reporting.chosen(at, out, language, fail_under)
    with at.client() as client:
        place = Place(client, {})
        evaluation = client.post(f"/v1/evaluations/{run_id}/resume", {})
        if detach:
            return _leave(at, place, evaluation, as_json=as_json)
        return follow_to_results(at, place, evaluation, reporting, as_json=as_json)


def start(place: Place, questions: QuestionSet, name: str | None, settings: RunSettings) -> Json:
    """The evaluation that the service has begun."""
    body = {
        "knowledge_base_id": place.base["id"],
        "question_set_name": questions.name,
        "questions": canonical(questions.questions),
        "format": "jsonl",
        "settings": settings.model_dump(mode="json"),
    }
    return place.client.post("/v1/evaluations", {**body, "name": name} if name else body)


def split(questions: QuestionSet, size: int) -> tuple[int, int]:
    """How many of `size` questions are answerable and how many not: as in the set, with at least one of each kind that
    it has."""
    answerable = sum(question.answerable for question in questions.questions)
    unanswerable = len(questions.questions) - answerable
    if size < 2 or not answerable or not unanswerable:
        return (size, 0) if answerable else (0, size)
    share = round(size * answerable / (answerable + unanswerable))
    without = min(unanswerable, max(1, size - share))
    return size - without, without


def follow_to_results(at: Terminal, place: Place, evaluation: Json, reporting: Reporting, *, as_json: bool) -> int:
    """Shows the evaluation until it has ended and delivers what it found; returns the exit code.

    On Ctrl-C it goes on in the service; in a server of this command's own it ends, and what there is is delivered.
    """
    try:
        ended = follow(at, place.client, evaluation)
    except Interrupted as interrupted:
        if not place.own:
            return _leave(at, place, interrupted.last, as_json=as_json) or FAILED
        ended = _broken_off(at, place, interrupted.last, reporting)
    if ended["state"] != "done":
        say_stopped(at, ended)
    run = fetched_run(place.client, ended["id"])
    if ended["state"] == "done" or run.records:
        code = deliver(at, run, reporting, ended, as_json=as_json)
        return code if ended["state"] == "done" else FAILED
    return FAILED


def _place(at: Terminal, wanted: Wanted, reporting: Reporting) -> AbstractContextManager[Place]:
    if wanted.folder is None:
        return present(at, wanted.base_name)
    need_model = wanted.settings.mode == "answers"
    return made_of(at, Folder(wanted.folder, wanted.keep, reporting.folder, need_model))


def _leave(at: Terminal, place: Place, evaluation: Json, *, as_json: bool) -> int:
    """Lets the evaluation go on in the service, and says how to come back to it."""
    if not place.stays:
        place.stays = True
        _say(at, "base_stays", name=place.base["name"])
    _say(at, "evaluation_goes_on", done=evaluation["done"], total=evaluation["questions"])
    _say(at, "come_back", id=evaluation["id"])
    if as_json:
        at.print_json({"evaluation": evaluation})
    return 0


def _broken_off(at: Terminal, place: Place, evaluation: Json, reporting: Reporting) -> Json:
    """The evaluation after it was cancelled, or as it ended by itself in that moment."""
    _say(at, "evaluation_broken_off")
    ended = place.client.get(f"/v1/evaluations/{evaluation['id']}")
    if ended["finished_at"] is None:
        ended = place.client.post(f"/v1/evaluations/{evaluation['id']}/cancel", {})
    if place.stays:
        _say(at, "go_on_with_own_server", folder=reporting.folder / DATA_FOLDER, id=evaluation["id"])
    return ended


def say_stopped(at: Terminal, ended: Json) -> None:
    """Tells why a run ended before its last question, and how it goes on."""
    reason = ended["error"]["message"] if ended["error"] else at.words(f"state_{ended['state']}")
    said = at.words("evaluation_stopped", done=ended["done"], total=ended["questions"], reason=reason, id=ended["id"])
    at.err.print(said, style="red", markup=False, highlight=False, soft_wrap=True)


def _say(at: Terminal, key: str, **params: object) -> None:
    at.err.print(Text(at.words(key, **params)), soft_wrap=True)
