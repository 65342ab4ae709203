"""Labelled questions: JSON lines with the fields of `examples/questions.jsonl`, checked line by line."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PageRef = tuple[str, int]
"""A file name and a 1-based page."""


class BadDatasetError(ValueError):
    """A question file cannot be used; the message names the file and the line."""


class LabelledQuestion(BaseModel):
    """A question with the answers that count as right and the pages that hold them.

    `relevant_doc_ids` are ids of the corpus, or "name#p7" for page 7 of "name.pdf"; any one is enough. Other fields of
    a line are ignored.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    question: str = Field(min_length=1)
    answers: tuple[str, ...] = ()
    relevant_doc_ids: tuple[str, ...] = ()
    answerable: bool = True
    lang: str = "en"
    type: str = ""

    def pages(self) -> set[PageRef]:
        """The pages that answer it."""
        found = set()
        for reference in self.relevant_doc_ids:
            name, _, page = reference.rpartition("#p")
            if name and page.isdigit():
                found.add((f"{name}.pdf", int(page)))
        return found


def read_questions(path: Path) -> list[LabelledQuestion]:
    """Questions of a file; raises `BadDatasetError` naming the first bad line."""
    questions = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            questions.append(LabelledQuestion.model_validate(json.loads(line)))
        except (json.JSONDecodeError, ValidationError) as error:
            raise BadDatasetError(f"{path}, line {number}: {error}") from error
    if not questions:
        raise BadDatasetError(f"{path}: no questions")
    return questions


def draw(
    questions: Sequence[LabelledQuestion], answerable: int, unanswerable: int, seed: int
) -> list[LabelledQuestion]:
    """A seeded sample with both languages as equal as the set allows, answerable questions first."""
    rng = random.Random(seed)
    chosen: list[LabelledQuestion] = []
    for wanted, count in ((True, answerable), (False, unanswerable)):
        pools: dict[Literal["zh", "rest"], list[LabelledQuestion]] = {"zh": [], "rest": []}
        for question in questions:
            if question.answerable == wanted:
                pools["zh" if question.lang.startswith("zh") else "rest"].append(question)
        for pool in pools.values():
            rng.shuffle(pool)
        from_zh = min(len(pools["zh"]), max(count // 2, count - len(pools["rest"])))
        chosen += pools["zh"][:from_zh] + pools["rest"][: count - from_zh]
    return chosen
