"""Questions, passages, records and runs made by hand, each with just what a test is about."""

from __future__ import annotations

from typing import Any

from eval.question_sets import LabelledQuestion, PageRef
from eval.records import FoundPassage, GivenCitation, GivenSentence, Record, Run, RunSettings

PAGE = ("pump.pdf", 7)


def a_question(**fields: Any) -> LabelledQuestion:  # noqa: ANN401 - any field of the model
    values: dict[str, Any] = {
        "id": "q1",
        "question": "How long must the button be held?",
        "answers": ("5 seconds",),
        "relevant_pages": (PAGE,),
    }
    return LabelledQuestion(**(values | fields))


def an_unanswerable(**fields: Any) -> LabelledQuestion:  # noqa: ANN401
    return a_question(**({"id": "u1", "answers": (), "answerable": False, "relevant_pages": ()} | fields))


def a_passage(page: PageRef = PAGE, end: int | None = None, cosine: float = 0.8, passed: bool = True) -> FoundPassage:
    name, number = page
    place = f"{name}-{number}"
    return FoundPassage(
        document=name, page_start=number, page_end=end or number, chunk_id=place, cosine=cosine, passed=passed
    )


def pages(*numbers: int) -> tuple[FoundPassage, ...]:
    """Passages on these pages of the pump's manual, best first."""
    return tuple(a_passage(("pump.pdf", number)) for number in numbers)


def a_record(question: LabelledQuestion | None = None, **fields: Any) -> Record:  # noqa: ANN401
    values: dict[str, Any] = {"index": 0, "found": pages(7), "answer": "Hold it for 5 seconds.", "mode": "generated"}
    return Record(question=question or a_question(), **(values | fields))


def a_refusal(question: LabelledQuestion | None = None, **fields: Any) -> Record:  # noqa: ANN401
    values = {"answer": "The manuals do not say.", "mode": "refused", "refused": True, "reason": "not_in_manuals"}
    return a_record(question, **(values | fields))


def a_citation(page: PageRef = PAGE, true: bool | None = True) -> GivenCitation:
    return GivenCitation(document=page[0], page=page[1], quote="5 s", true=true)


def sentences(*grounded: bool) -> tuple[GivenSentence, ...]:
    return tuple(GivenSentence(text="Hold it.", grounded=one) for one in grounded)


def a_run(*records: Record, **fields: Any) -> Run:  # noqa: ANN401
    """The records in their order; questions that share an id get one of their own."""
    ids = [record.question.id for record in records]
    numbered = tuple(
        record.model_copy(
            update={
                "index": place,
                "question": record.question
                if ids.count(record.question.id) == 1
                else record.question.model_copy(update={"id": f"{record.question.id}-{place}"}),
            }
        )
        for place, record in enumerate(records)
    )
    values: dict[str, Any] = {
        "id": "r1",
        "name": "run",
        "knowledge_base": "pumps",
        "question_set": "set",
        "set_hash": "0",
        "settings": RunSettings(),
        "started_at": "2026-11-24T00:00:00Z",
        "questions": len(records),
    }
    return Run(records=numbered, **(values | fields))
