"""Runs made by hand: records with the cosines, words and doubts that a test wants."""

from __future__ import annotations

from collections.abc import Sequence

from app.ranking import Pool
from app.types import Tuning
from eval.question_sets import LabelledQuestion
from eval.records import FoundPassage, Record, Run, RunSettings

PRESENT = Tuning(threshold=0.5, keyword_weight=0.5, most_doubt=0.28, most_doubt_strange=0.1)
RIGHT_PAGE = ("manual.pdf", 1)


def a_question(number: int, *, answerable: bool = True, lang: str = "en") -> LabelledQuestion:
    return LabelledQuestion(
        id=f"q{number}",
        question=f"Question {number}?",
        answers=("yes",) if answerable else (),
        answerable=answerable,
        lang=lang,
        relevant_pages=(RIGHT_PAGE,) if answerable else (),
    )


def a_passage(chunk_id: str, cosine: float, page: int = 1, bm25: float | None = None) -> FoundPassage:
    return FoundPassage(
        document="manual.pdf", page_start=page, page_end=page, chunk_id=chunk_id, cosine=cosine, bm25=bm25
    )


def fused(passages: Sequence[FoundPassage], weight: float, kept: int | None = None) -> tuple[FoundPassage, ...]:
    """The passages as a search with this weight gives them: scored over all, best first, the first `kept`."""
    pool = Pool.of([(passage.cosine, passage.bm25) for passage in passages])
    scored = [p.model_copy(update={"fused": pool.score(p.cosine, p.bm25, weight)}) for p in passages]
    return tuple(sorted(scored, key=lambda p: (-p.fused, p.chunk_id))[:kept])


def a_record(
    number: int,
    *,
    answerable: bool = True,
    cosine: float = 0.8,
    found: tuple[FoundPassage, ...] | None = None,
    doubt: float | None = None,
    strange: bool = False,
    quoted: bool | None = True,
    refused: bool = False,
    error: str | None = None,
    lang: str = "en",
) -> Record:
    return Record(
        index=number,
        question=a_question(number, answerable=answerable, lang=lang),
        found=(a_passage("c1", cosine),) if found is None else found,
        answer="" if refused else "yes",
        refused=refused,
        doubt=doubt,
        strange=strange,
        quoted=quoted,
        error=error,
    )


def a_run(records: Sequence[Record], *, answers: bool = False) -> Run:
    settings = RunSettings(mode="answers" if answers else "retrieval", keep_doubtful=answers)
    return Run(
        id="eval-1",
        name="run",
        knowledge_base="manuals",
        question_set="set",
        set_hash="0" * 64,
        settings=settings,
        started_at="2026-01-01T00:00:00+00:00",
        questions=len(records),
        records=tuple(records),
    )
