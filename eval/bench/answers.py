"""Answers on labelled questions: right, refused, proved, and how fast."""

from __future__ import annotations

import time
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pypdfium2
from rich.progress import Progress

from app.cli.client import Client
from eval.bench.server import console, filled_base, running_server
from eval.matching import is_right
from eval.question_sets import LabelledQuestion, draw, read
from eval.statistics import mean, percentile, wilson


@dataclass(frozen=True)
class Outcome:
    """What became of one question; times in seconds since it was sent."""

    question: LabelledQuestion
    text: str
    refused: bool
    reason: str | None
    mode: str
    right: bool
    citations: int
    citations_true: int
    first_source: float
    first_token: float | None
    end: float
    withheld: list[str] = field(default_factory=list)


def measure(
    data: Path, work: Path, name: str, sizes: tuple[int, int], seed: int, model: str
) -> tuple[list[dict[str, Any]], list[Outcome]]:
    """Rows of figures for a seeded sample of `sizes` (answerable, unanswerable) questions, and every outcome."""
    questions = draw(read(data / "sets" / name / "qa.jsonl").questions, *sizes, seed)
    with running_server(work / "data", model=model) as server:
        base = filled_base(server.client, "manuals", sorted((data / "pdf").glob("*.pdf")))
        with Progress(console=console) as bars:
            asked = bars.track(questions, description=name)
            outcomes = [_ask(server.client, base, question, data / "pdf") for question in asked]
    return _rows(outcomes), outcomes


def _ask(client: Client, base: str, question: LabelledQuestion, pdfs: Path) -> Outcome:
    started = time.perf_counter()
    first_source, first_token, answer = 0.0, None, {}
    for event, body in client.events(
        f"/v1/knowledge-bases/{base}/ask", {"question": question.question, "stream": True}
    ):
        elapsed = time.perf_counter() - started
        if event == "sources":
            first_source = elapsed
        elif event == "token" and first_token is None:
            first_token = elapsed
        elif event == "done":
            answer = body
    true = [_is_true(citation, pdfs) for citation in answer["citations"]]
    return Outcome(
        question=question,
        text=answer["text"],
        refused=answer["refused"],
        reason=answer["reason"],
        mode=answer["mode"],
        right=not answer["refused"] and is_right(answer["text"], question.answers),
        citations=len(true),
        citations_true=sum(true),
        first_source=first_source,
        first_token=first_token,
        end=time.perf_counter() - started,
        withheld=answer["withheld"],
    )


def _is_true(citation: dict[str, Any], pdfs: Path) -> bool:
    """Whether the page of the PDF holds the quote, read anew from the file; blanks do not count."""
    return _bare(citation["quote"]) in _page_text(pdfs / citation["document_name"], citation["page"])


@lru_cache(maxsize=512)
def _page_text(path: Path, page: int) -> str:
    document = pypdfium2.PdfDocument(path)
    try:
        return _bare(document[page - 1].get_textpage().get_text_range())
    finally:
        document.close()


def _bare(text: str) -> str:
    """Text as it is compared: no blanks, no hyphens (a PDF breaks words with them), ligatures as letters."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(c for c in folded if not c.isspace() and c.isprintable() and c not in "-\u00ad\u2010")


def _rows(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    rows = []
    for language in ("zh", "en", "all"):
        own = [o for o in outcomes if language in ("all", o.question.lang)]
        yes = [o for o in own if o.question.answerable]
        no = [o for o in own if not o.question.answerable]
        accuracy, refusal = mean([o.right for o in yes]), mean([o.refused for o in no])
        cited = sum(o.citations for o in own)
        rows.append(
            {
                "language": language,
                "answerable": len(yes),
                "accuracy": round(accuracy, 3),
                "accuracy 95%": _interval(accuracy, len(yes)),
                "false refusals": round(mean([o.refused for o in yes]), 3),
                "unanswerable": len(no),
                "refused": round(refusal, 3),
                "refused 95%": _interval(refusal, len(no)),
                "citations": cited,
                "citations true": round(sum(o.citations_true for o in own) / cited, 3) if cited else None,
                "first source s": round(percentile([o.first_source for o in own], 0.5), 2),
                "first token s": round(percentile([o.first_token for o in own if o.first_token], 0.5), 2),
                "end s": round(percentile([o.end for o in own], 0.5), 2),
                "extractive": sum(o.mode == "extractive" for o in own),
            }
        )
    return rows


def _interval(share: float, n: int) -> str:
    low, high = wilson(share, n)
    return f"{low:.2f}-{high:.2f}"
