"""The heading of a report: what was asked of what, when, and with which settings and versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from eval.records import Run
from eval.report.inert import one_line
from eval.report.words import Words

HASH_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value of the heading."""

    name: str
    value: str


def facts(run: Run, words: Words) -> list[Fact]:
    """The heading's facts, those that are known."""
    adapters = sorted({record.adapter for record in run.records if record.adapter})
    found = [
        Fact(words("knowledge_base"), run.knowledge_base),
        Fact(words("question_set"), f"{run.question_set} · {run.set_hash[:HASH_CHARACTERS]}"),
        Fact(words("questions"), f"{run.questions:,}"),
        Fact(words("model"), _model(run, words)),
        Fact(words("adapter"), ", ".join(adapters)),
        Fact(words("date"), _period(run)),
        Fact(words("run"), run.id),
    ]
    return [Fact(fact.name, one_line(fact.value)) for fact in found if fact.value]


def details(run: Run, words: Words) -> list[Fact]:
    """Settings, fingerprint and versions, each on one line."""
    found = [
        Fact(words("settings"), " · ".join(settings(run, words))),
        Fact(words("fingerprint"), _pairs(run.fingerprint)),
        Fact(words("versions"), _pairs(run.versions)),
    ]
    return [Fact(fact.name, one_line(fact.value)) for fact in found if fact.value]


def settings(run: Run, words: Words) -> list[str]:
    """The settings that were chosen, in words; those left to the server are left out."""
    chosen = run.settings.model_dump(exclude_none=True)
    said = []
    for name, value in chosen.items():
        if value is False:
            continue
        shown = words(f"mode_{value}") if name == "mode" else words("yes") if value is True else str(value)
        said.append(f"{words.setting(name)} {shown}")
    return said


def _model(run: Run, words: Words) -> str:
    if run.model:
        return run.model
    return words("no_model" if run.settings.mode == "retrieval" else "unknown")


def _period(run: Run) -> str:
    start, end = _minute(run.started_at), _minute(run.finished_at or "")
    if not end:
        return f"{start} UTC"
    return f"{start} – {end[11:] if end[:10] == start[:10] else end} UTC"


def _minute(moment: str) -> str:
    """An ISO 8601 moment in UTC to the minute; text that is none stays as it is."""
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    aware = read if read.tzinfo is not None else read.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _pairs(values: dict[str, str] | dict[str, str | int]) -> str:
    return " · ".join(f"{name} {value}" for name, value in values.items())
