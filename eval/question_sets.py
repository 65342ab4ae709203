"""Labelled questions, and how a file of them is read, written and drawn from."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from app.errors import QuestionSetInvalid
from app.phrases import JOINT
from eval.question_rows import (
    CONTRADICTION,
    BadRowError,
    Pages,
    Row,
    corpus_pages,
    csv_rows,
    json_rows,
    question_fields,
)

PageRef = tuple[str, int]
"""A file name and a 1-based page."""

Format = Literal["jsonl", "csv"]

MAX_QUESTIONS = 20_000
"""Asked one by one they take days; more is a mistake."""

MAX_MB = 20
MAX_BAD_LINES = 20
"""Bad lines that an error lists."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
Texts = Annotated[tuple[Text, ...], Field(max_length=200)]


class LabelledQuestion(BaseModel):
    """A question with the answers that count as right and the pages that hold them.

    Any one of `answers` is right; where there are `answer_parts`, all of them must be said. Any one of
    `relevant_pages` (file name, 1-based page) is enough, unless `needs_all`. `relevant_doc_ids` are ids of the corpus
    beside the file, kept as they came. An answerable question without `answers` is unlabelled: asked, not judged.
    `withheld_answer` is what somebody would say who knows better than the manuals, `fake_answer` a trap.
    A `draft` was written by a model and is to be reviewed. Other fields of a line are ignored.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    question: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    answers: Texts = ()
    answer_parts: Texts = ()
    answerable: bool = True
    lang: Annotated[str, Field(max_length=35)] = "en"
    type: Line = ""
    relevant_doc_ids: Annotated[tuple[Line, ...], Field(max_length=1000)] = ()
    relevant_pages: Annotated[tuple[tuple[Line, Annotated[int, Field(ge=1)]], ...], Field(max_length=1000)] = ()
    needs_all: bool = False
    withheld_answer: Texts = ()
    fake_answer: Texts = ()
    draft: bool = False

    @property
    def labelled(self) -> bool:
        """Whether an answer to it can be called right or wrong."""
        return bool(self.answers or self.answer_parts)

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if not self.answerable and self.labelled:
            raise PydanticCustomError(CONTRADICTION, "called unanswerable, yet it has answers")
        return self

    def pages(self) -> set[PageRef]:
        """The pages that answer it."""
        return set(self.relevant_pages)


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions in the order of their file; `sha256` is of the questions as `canonical` writes them.

    `skipped` are the numbers of lines whose question is blank: nothing can be asked there.
    """

    name: str
    questions: tuple[LabelledQuestion, ...]
    sha256: str
    skipped: tuple[int, ...] = ()


def canonical(questions: Sequence[LabelledQuestion]) -> str:
    """JSON lines that `parse` reads back as the same questions; equal questions give equal text."""
    lines = [
        question.model_dump(mode="json", exclude_defaults=True) | {"lang": question.lang} for question in questions
    ]
    return "".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines)


def read(path: Path) -> QuestionSet:
    """The questions of a file (.csv, .tsv, otherwise JSON lines), their pages looked up in a `corpus.jsonl` beside it.

    Raises `QuestionSetInvalid` with the numbers of the bad lines. The set's name is the file's, or the folder's where
    the file is called "qa".
    """
    name = path.resolve().parent.name if path.stem == "qa" else path.stem
    try:
        if path.stat().st_size > MAX_MB * 1_000_000:
            raise QuestionSetInvalid(name=name, reason=f"it is larger than {MAX_MB} MB")
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise QuestionSetInvalid(
            name=name, reason=f"it is not text in UTF-8 (byte {error.start + 1}); save it as UTF-8"
        ) from error
    except OSError as error:
        raise QuestionSetInvalid(str(error), name=name, reason="it is not a file that can be read") from error
    form: Format = "csv" if path.suffix.lower() in (".csv", ".tsv") else "jsonl"
    return _parsed(text, form, name, path.with_name("corpus.jsonl"))


def parse(text: str, format: Format, name: str) -> QuestionSet:  # noqa: A002 - the API's own word
    """The questions of a text in JSON lines or CSV; raises `QuestionSetInvalid` with the numbers of the bad lines."""
    return _parsed(text, format, name, None)


def _parsed(text: str, form: Format, name: str, corpus: Path | None) -> QuestionSet:
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MAX_MB * 1_000_000:
        raise QuestionSetInvalid(name=name, reason=f"it is larger than {MAX_MB} MB")
    if not text.strip():
        raise QuestionSetInvalid(name=name, reason="it is empty")
    try:
        rows = list(islice(csv_rows(text) if form == "csv" else json_rows(text), MAX_QUESTIONS + 1))
    except BadRowError as error:
        raise QuestionSetInvalid(name=name, reason=str(error)) from error
    if len(rows) > MAX_QUESTIONS:
        raise QuestionSetInvalid(name=name, reason=f"it has more than {MAX_QUESTIONS} questions")
    skipped = tuple(row.number for row in rows if row.blank)
    rows = [row for row in rows if not row.blank]
    if not rows:
        raise QuestionSetInvalid(name=name, reason="it has no questions")
    questions = _questions(rows, _pages_beside(corpus, rows), name)
    return QuestionSet(name, tuple(questions), sha256(canonical(questions).encode()).hexdigest(), skipped)


def _pages_beside(corpus: Path | None, rows: Sequence[Row]) -> dict[str, Pages]:
    """The pages of the corpus' documents, where there is a corpus and a row that names documents."""
    if corpus is None or not any(row.fields.get("relevant_doc_ids") for row in rows):
        return {}
    try:
        with corpus.open(encoding="utf-8", errors="replace") as lines:
            return corpus_pages(lines)
    except OSError:
        return {}


def _questions(rows: Sequence[Row], corpus: dict[str, Pages], name: str) -> list[LabelledQuestion]:
    """The rows as questions; raises `QuestionSetInvalid` with every bad line, the first MAX_BAD_LINES by number."""
    questions: list[LabelledQuestion] = []
    lines: dict[str, int] = {}
    faults: list[str] = []
    for row in rows:
        try:
            question = _question(row, corpus)
            if question.id in lines:
                raise BadRowError(f"the id {question.id.replace('; ', ' ')} is that of line {lines[question.id]}, too")
        except BadRowError as error:
            faults.append(f"line {row.number}: {error}")
            continue
        lines[question.id] = row.number
        questions.append(question)
    if faults:
        more = [f"{len(faults) - MAX_BAD_LINES} more lines"] if len(faults) > MAX_BAD_LINES else []
        raise QuestionSetInvalid(name=name, reason=JOINT.join(faults[:MAX_BAD_LINES] + more))
    return questions


def _question(row: Row, corpus: dict[str, Pages]) -> LabelledQuestion:
    if row.fault:
        raise BadRowError(row.fault)
    try:
        return LabelledQuestion.model_validate(question_fields(row, corpus))
    except ValidationError as error:
        raise BadRowError.of(error.errors()[0]) from error


def draw(
    questions: Sequence[LabelledQuestion], answerable: int | None, unanswerable: int | None, seed: int
) -> list[LabelledQuestion]:
    """A seeded sample with both languages as equal as the set allows, answerable questions first; None takes all."""
    rng = random.Random(seed)
    chosen: list[LabelledQuestion] = []
    for wanted, size in ((True, answerable), (False, unanswerable)):
        own = [question for question in questions if question.answerable == wanted]
        if size is None or size >= len(own):
            chosen += own
            continue
        pools: dict[Literal["zh", "rest"], list[LabelledQuestion]] = {"zh": [], "rest": []}
        for question in own:
            pools["zh" if question.lang.startswith("zh") else "rest"].append(question)
        for pool in pools.values():
            rng.shuffle(pool)
        from_zh = min(len(pools["zh"]), max(size // 2, size - len(pools["rest"])))
        chosen += pools["zh"][:from_zh] + pools["rest"][: size - from_zh]
    return chosen
