"""How answers, hits and progress look in a terminal. Text from manuals is printed as text, never as markup."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from app.cli.words import Words

Json = dict[str, Any]
QUOTE_CHARACTERS = 220


def print_answer(console: Console, answer: Json, rejected: list[Json], words: Words) -> None:
    """A checked answer with its numbered sources, or the refusal with the nearest passages."""
    if answer["refused"]:
        console.print(Panel(Text(answer["text"]), title=words("refused"), border_style="yellow"))
        if rejected:
            console.print(_nearest(rejected, words))
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
    sources = Table(show_header=False, box=None, padding=(0, 1), title=words("sources"), title_justify="left")
    by_identity = {_identity(citation): citation for citation in answer["citations"]}
    for identity, number in numbers.items():
        citation = by_identity.get(identity)
        if citation is not None:
            sources.add_row(Text(f"[{number}]", style="cyan"), Text(_place(citation, words)), _quote(citation["quote"]))
    console.print(sources)


def print_hits(console: Console, result: Json, words: Words) -> None:
    """Hits with the scores that put them there."""
    table = Table(box=None, padding=(0, 1))
    for column in ("#", "cosine", "bm25", "bm25 #", "vector #", words("sources"), ""):
        table.add_column(column)
    for hit in result["hits"] + result["rejected"]:
        scores, chunk = hit["scores"], hit["chunk"]
        place = {"document_name": hit["document_name"], "page": chunk["page_start"]}
        table.add_row(
            str(scores["rank"]),
            f"{scores['cosine']:.3f}" + ("" if scores["passed"] else f" < {result['threshold']:.2f}"),
            "" if scores["bm25"] is None else f"{scores['bm25']:.1f}",
            str(scores["bm25_rank"] or ""),
            str(scores["vector_rank"] or ""),
            Text(_place(place, words)),
            _quote(chunk["text"]),
        )
    console.print(table)


def _nearest(rejected: list[Json], words: Words) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 1), title=words("nearest"), title_justify="left")
    for hit in rejected:
        place = {"document_name": hit["document_name"], "page": hit["chunk"]["page_start"]}
        table.add_row(Text(_place(place, words)), _quote(hit["chunk"]["text"]))
    return table


def _identity(citation: Json) -> tuple[str, int, str]:
    return citation["document_id"], citation["page"], citation["quote"]


def _place(citation: Json, words: Words) -> str:
    gap = "" if words.language == "zh" else " "
    return f"{citation['document_name']}, {words('page')}{gap}{citation['page']}{words('page_after')}"


def _quote(text: str) -> Text:
    flat = " ".join(text.split())
    return Text(flat if len(flat) <= QUOTE_CHARACTERS else flat[:QUOTE_CHARACTERS] + " ...", style="dim")
