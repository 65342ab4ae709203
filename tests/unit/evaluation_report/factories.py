"""Made-up runs: single records to put into one, and whole runs of any size."""

from __future__ import annotations

import random
from typing import Any

from eval.figures import Summary
from eval.question_sets import LabelledQuestion
from eval.records import FoundPassage, GivenCitation, GivenSentence, Record, Run, RunSettings
from eval.summary import summarise

DOCUMENTS = ("pavo-espresso.pdf", "chengjing-净水器.pdf", "atlas-drill.pdf", "rice-cooker-X200.pdf")
TYPES = ("number", "procedure", "yes_no", "error_code", "list")


def a_question(**fields: Any) -> LabelledQuestion:  # noqa: ANN401 - any field of the model
    values = {
        "id": "q1",
        "question": "How much water does the tank hold?",
        "answers": ("1.8 L",),
        "relevant_pages": (("pavo.pdf", 7),),
        "lang": "en",
        "type": "number",
    }
    return LabelledQuestion.model_validate(values | fields)


def a_passage(document: str = "pavo.pdf", page: int = 7, cosine: float = 0.87, passed: bool = True) -> FoundPassage:
    return FoundPassage(
        document=document, page_start=page, page_end=page, chunk_id=f"{document}{page}", cosine=cosine, passed=passed
    )


def a_record(index: int = 0, question: LabelledQuestion | None = None, **fields: Any) -> Record:  # noqa: ANN401
    values: dict[str, Any] = {
        "found": (a_passage(),),
        "answer": "The tank holds 1.8 L.",
        "mode": "model",
        "sentences": (GivenSentence(text="The tank holds 1.8 L.", grounded=True),),
        "citations": (GivenCitation(document="pavo.pdf", page=7, quote="Tank: 1.8 L", true=True),),
        "model": "qwen",
        "prompt_tokens": 900,
        "completion_tokens": 40,
        "seconds_to_sources": 0.4,
        "seconds_to_first_token": 2.0,
        "seconds": 4.5,
        "doubt": 0.1,
    }
    return Record(index=index, question=question or a_question(), **(values | fields))


def a_run(*records: Record, **fields: Any) -> Run:  # noqa: ANN401
    values: dict[str, Any] = {
        "id": "run-1",
        "name": "Nightly",
        "knowledge_base": "Coffee machines",
        "question_set": "manuals",
        "set_hash": "ab" * 32,
        "settings": RunSettings(),
        "started_at": "2026-11-24T00:10:00+00:00",
        "finished_at": "2026-11-24T00:52:30+00:00",
        "fingerprint": {"embedder": "multilingual-e5-small", "dimensions": 384},
        "model": "qwen2.5-coder-1.5b-instruct",
        "versions": {"manualqa": "0.4.0"},
        "questions": len(records),
    }
    return Run(records=records, **(values | fields))


def a_summary(*records: Record, **fields: Any) -> Summary:  # noqa: ANN401
    return summarise(a_run(*records, **fields))


def a_big_run(questions: int, seed: int = 1, skill: float = 0.85, **fields: Any) -> Run:  # noqa: ANN401
    """A run in which about `skill` of the answers are right, with everything that can happen in it."""
    rng = random.Random(seed)
    return a_run(*(_drawn(index, rng, skill) for index in range(questions)), **fields)


def _drawn(index: int, rng: random.Random, skill: float) -> Record:
    chinese, answerable = index % 2 == 1, rng.random() < 0.8
    document, page = rng.choice(DOCUMENTS), rng.randint(1, 60)
    amount, found_right = index + 3, rng.random() < 0.95
    question = LabelledQuestion(
        id=f"made-{index:04}",
        question=f"型号 X{index} 的水箱容量是多少升？如果显示 E{index % 30:02}，应如何处理？"
        if chinese
        else f"How many litres does the tank of the X{index} hold, and what does E{index % 30:02} on its display mean?",
        answers=(f"{amount} 升" if chinese else f"{amount} litres",) if answerable else (),
        answerable=answerable,
        lang="zh" if chinese else "en",
        type=TYPES[index % len(TYPES)] if answerable else "unanswerable",
        relevant_pages=((document, page),) if answerable else (),
    )
    found = [
        a_passage(rng.choice(DOCUMENTS), rng.randint(1, 60), 0.86 - 0.01 * rank, passed=rank < 6) for rank in range(8)
    ]
    if found_right:
        found[min(int(rng.expovariate(1.2)), 7)] = a_passage(document, page, 0.87)
    seconds = 2 + rng.lognormvariate(1.2, 0.5)
    common: dict[str, Any] = {"question": question, "found": tuple(found), "seconds": seconds, "shown": 4}
    luck = rng.random()
    if luck < 0.01:
        return a_record(index, answer="", error="model_unavailable", error_message="The model stopped.", **common)
    refuses = luck > 0.93 if answerable else luck < skill
    if refuses:
        return a_record(
            index,
            answer="手册中没有相关信息。" if chinese else "The manuals do not say.",
            refused=True,
            reason="not_in_passages",
            sentences=(),
            citations=(),
            doubt=rng.uniform(0.4, 0.99),
            **common,
        )
    right = rng.random() < skill
    said = amount if right else amount * 7 + 1
    answer = f"水箱容量为 {said} 升。" if chinese else f"The tank holds {said} litres, filled to the MAX mark."
    extra = "请先断开电源，再联系售后服务。" if chinese else "Unplug the machine before you call the service."
    sentences = [GivenSentence(text=answer, grounded=True)]
    if rng.random() < 0.15:
        sentences.append(GivenSentence(text=extra, grounded=False, reason="no passage says this"))
    citation = GivenCitation(
        document=document,
        page=page,
        quote=f"容量：{said} 升" if chinese else f"Capacity {said} l",
        true=rng.random() < 0.96,
    )
    return a_record(
        index,
        answer=answer,
        sentences=tuple(sentences),
        withheld=tuple(sentence.text for sentence in sentences if not sentence.grounded),
        citations=(citation,),
        doubt=rng.uniform(0.0, 0.35 if right else 0.7),
        **common,
    )
