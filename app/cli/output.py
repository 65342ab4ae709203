"""How answers, hits and progress look in a terminal. Text from manuals is printed as text, never as markup."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from app.cli.words import Words

Json = dict[str, Any]
QUOTE_CHARACTERS = 220


def print_answer(console: Console, answer: Json, rejected: list[Json], words: Words) -> None:
    """A checked answer with its numbered sources, or the refusal with the nearest passages."""
    if answer["refused"]:
        console.print(Panel(Text(answer["text"]), title=words("refused"), border_style="yellow"))
        if rejected:
            console.print(Text(words("nearest"), style="bold"))
            for hit in rejected:
                _print_hit(console, hit, words)
        return
    numbers: dict[tuple[str, int, str], int] = {}
    body = Text()
    for sentence in answer["sentences"]:
        marks = [numbers.setdefault(_identity(citation), len(numbers) + 1) for citation in sentence["citations"]]
        body.append(sentence["text"])
        body.append("".join(f" [{mark}]" for mark in marks), style="cyan")
        body.append("\n")
    body.rstrip()
    title = words("extractive") if answer["mode"] == "extractive" else words("answer")
    console.print(Panel(Group(body), title=title, border_style="green"))
    by_identity = {_identity(citation): citation for citation in answer["citations"]}
    console.print(Text(words("sources"), style="bold"))
    for identity, number in numbers.items():
        citation = by_identity.get(identity)
        if citation is not None:
            console.print(Text(f"[{number}] ", style="cyan").append(_place(citation, words), style="bold"))
            console.print(Padding(_quote(citation["quote"]), (0, 0, 0, 4)))


def print_hits(console: Console, result: Json, words: Words) -> None:
    """Hits with the scores that put them there, two lines each; those below the threshold come last."""
    for hit in result["hits"] + result["rejected"]:
        _print_hit(console, hit, words, _reasons(hit["scores"], result["threshold"], words))


def _reasons(scores: Json, threshold: float, words: Words) -> str:
    below = "" if scores["passed"] else f" < {threshold:.2f}"
    parts = [f"{words('cosine')} {scores['cosine']:.3f}{below}"]
    if scores["bm25"] is not None:
        parts.append(f"{words('bm25')} {scores['bm25']:.1f} (#{scores['bm25_rank']})")
    if scores["vector_rank"] is not None:
        parts.append(f"{words('vector_rank')}{scores['vector_rank']}")
    return f"#{scores['rank']}  {'  '.join(parts)}"


def _print_hit(console: Console, hit: Json, words: Words, reasons: str = "") -> None:
    place = {"document_name": hit["document_name"], "page": hit["chunk"]["page_start"]}
    line = Text(_place(place, words), style="bold")
    line.append(f"  {reasons}", style="cyan not bold")
    console.print(line)
    console.print(Padding(_quote(hit["chunk"]["text"]), (0, 0, 0, 4)))


def _identity(citation: Json) -> tuple[str, int, str]:
    return citation["document_id"], citation["page"], citation["quote"]


def _place(citation: Json, words: Words) -> str:
    return words("place", name=citation["document_name"], page=citation["page"])


def _quote(text: str) -> Text:
    flat = " ".join(text.split())
    return Text(flat if len(flat) <= QUOTE_CHARACTERS else flat[:QUOTE_CHARACTERS] + " ...", style="dim")
