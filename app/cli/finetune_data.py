"""`manualqa finetune prepare` and `estimate`: what would be learned, and what that would cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from app.cli.client import Client
from app.cli.finetune_words import FINETUNE_WORDS
from app.cli.questions import find_base
from app.cli.terminal import FAILED
from app.cli.words import Words
from app.errors import TrainingPairsInvalid

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

Json = dict[str, Any]

_MOST_MB = 100
"""The server has a limit of its own, which is less unless somebody raised it."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a command was asked for; `data` and `training` hold the choices that were made."""

    pairs: Path
    base_name: str | None
    name: str | None
    weights: str | None
    data: Json
    training: Json

    def body(self, at: Terminal, client: Client) -> Json:
        """The request; raises `TrainingPairsInvalid` where the file cannot be read, and `InvalidInput`."""
        text = _text(self.pairs)
        sent = {
            "knowledge_base_id": find_base(at, client, self.base_name)["id"],
            "pairs_name": self.pairs.stem[:100] or "pairs",
            "pairs": text,
            "format": "csv" if self.pairs.suffix.lower() in (".csv", ".tsv") else "jsonl",
            "data": self.data,
            "training": self.training,
        }
        return {
            **sent,
            **({"name": self.name} if self.name else {}),
            **({"base": self.weights} if self.weights else {}),
        }


def show_data(at: Terminal, order: Order, *, as_json: bool) -> None:
    """Prints what became of the pairs, and an example of each kind with what the loss covers."""
    with at.client() as client:
        found = client.post("/v1/finetune/datasets", order.body(at, client), patient=True)
    if as_json:
        at.print_json(found)
        return
    for preview in found["previews"]:
        _print_preview(at, preview)
    for line in data_lines(at.words, found):
        at.out.print(Text(line), soft_wrap=True)
    _print_estimate(at, found["estimate"])


def show_estimate(at: Terminal, order: Order, *, as_json: bool) -> int:
    """Prints what the training would cost; 1 where it cannot fit."""
    with at.client() as client:
        found = client.post("/v1/finetune/estimate", order.body(at, client))
    if as_json:
        at.print_json(found)
    else:
        _print_estimate(at, found)
    return FAILED if found["refusal"] else 0


def data_lines(words: Words, found: Json) -> list[str]:
    """The report on the examples, a sentence a line."""
    train, heldout = found["train"], found["heldout"]
    by = words(f"by_{found['split_by']}")
    counts = {"pairs": found["pairs"], "train": train["examples"], "heldout": heldout["examples"]}
    kinds = [words(f"kind_{kind}", count=count) for kind, count in sorted(train["kinds"].items())]
    lines = [words("data_sides", by=by, **counts), words("data_kinds", counts=words("comma").join(kinds))]
    if left_out := _left_out(words, found):
        lines.append(words("data_left_out", counts=words("comma").join(left_out)))
    if found["brought"]:
        lines.append(words("data_brought", count=found["brought"]))
    if found["shared_documents"]:
        lines.append(words("data_shared", count=len(found["shared_documents"])))
    return [*lines, words("data_tokens", **train["tokens"])]


def duration(words: Words, seconds: float) -> str:
    """Hours and minutes."""
    hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    return words("hours_minutes", hours=hours, minutes=minutes) if hours else words("minutes", minutes=minutes)


def _left_out(words: Words, found: Json) -> list[str]:
    counts = {
        "data_drafts": "drafts_left_out",
        "data_repeated": "repeated",
        "data_leaking": "leaking",
        "data_too_long": "too_long",
    }
    said = [words(key, count=found[field]) for key, field in counts.items() if found[field]]
    for reason, count in sorted(found["left_out"].items()):
        known = f"left_out_{reason}"
        said.append(
            words(known, count=count)
            if known in FINETUNE_WORDS
            else words("left_out_other", count=count, reason=reason)
        )
    return said


def _print_preview(at: Terminal, preview: Json) -> None:
    at.out.print(Text(at.words(f"example_{preview['kind']}"), style="bold"), soft_wrap=True)
    at.out.print(Padding(Text(preview["read"], style="dim"), (0, 0, 0, 4)))
    at.out.print(Padding(Text(at.words("example_learned"), style="cyan"), (0, 0, 0, 4)))
    at.out.print(Padding(Text(preview["learned"], style="green"), (0, 0, 1, 4)))


def _print_estimate(at: Terminal, found: Json) -> None:
    cost = at.words(
        "estimate",
        steps=found["steps"],
        time=duration(at.words, found["seconds"]),
        memory=found["memory_mb"],
        disk=found["disk_mb"],
    )
    at.out.print(Text(at.words("estimate_config", **found["config"])), soft_wrap=True)
    at.out.print(Text(cost), soft_wrap=True)
    if found["refusal"]:
        at.out.print(Text(found["refusal"]["message"], style="red"), soft_wrap=True)
    else:
        at.out.print(Text(at.words("estimate_fits")), soft_wrap=True)
    if not found["exact"]:
        at.out.print(Text(at.words("estimate_guessed"), style="dim"), soft_wrap=True)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_MB * 1_000_000:
            raise TrainingPairsInvalid(name=path.stem, reason=f"it is larger than {_MOST_MB} MB")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"it is not text in UTF-8 (byte {error.start + 1}); save it as UTF-8"
        raise TrainingPairsInvalid(name=path.stem, reason=reason) from error
    except OSError as error:
        raise TrainingPairsInvalid(str(error), name=path.stem, reason="it is not a file that can be read") from error
