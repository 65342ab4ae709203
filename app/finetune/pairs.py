"""Pairs of question and answer from a file: the rows of a question set, and the words that prove an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.errors import QuestionSetInvalid, TrainingPairsInvalid
from app.phrases import JOINT
from eval.question_rows import BadRowError, Row, csv_rows, json_rows
from eval.question_sets import MAX_BAD_LINES, Format, LabelledQuestion, parse

_QUOTE_COLUMNS = ("quote", "evidence", "原文")
_MOST_QUOTE = 2000


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with the answers that count as right. `quote` are the manual's words that state the answer, or ""."""

    question: LabelledQuestion
    quote: str = ""

    @property
    def answer(self) -> str:
        """The answer to be learned: all parts as a list, or the first of those that are right; "" where it has none."""
        parts = self.question.answer_parts
        if parts:
            return "\n".join(f"- {part}" for part in parts) if len(parts) > 1 else parts[0]
        return self.question.answers[0] if self.question.answers else ""

    @property
    def document(self) -> str | None:
        """The manual that its label names."""
        return next((name for name, _ in self.question.relevant_pages), None)


@dataclass(frozen=True, slots=True)
class PairSet:
    """The pairs of a file in its order; `drafts` were left out, and so were the lines `skipped`, which ask nothing."""

    name: str
    pairs: tuple[Pair, ...]
    drafts: int = 0
    skipped: tuple[int, ...] = ()


def read_pairs(text: str, format: Format, name: str, *, with_drafts: bool = False) -> PairSet:  # noqa: A002 - the API's word
    """The pairs of a text in JSON lines or CSV: the columns of a question set, and `quote` where there is one.

    What a model drafted and nobody reviewed is left out unless asked for. Raises `TrainingPairsInvalid` with the
    numbers of the bad lines.
    """
    try:
        labelled = parse(text, format, name)
    except QuestionSetInvalid as error:
        raise TrainingPairsInvalid(error.detail, **error.params) from error
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    rows = [row for row in (csv_rows if format == "csv" else json_rows)(plain) if not row.blank]
    _require_answers(rows, labelled.questions, name)
    pairs = [Pair(question, _quote(row.fields)) for row, question in zip(rows, labelled.questions, strict=True)]
    kept = tuple(pair for pair in pairs if with_drafts or not pair.question.draft)
    if not kept:
        raise TrainingPairsInvalid(name=name, reason="all of its pairs are drafts that nobody has reviewed")
    return PairSet(name, kept, len(pairs) - len(kept), labelled.skipped)


def _require_answers(rows: Iterable[Row], questions: Iterable[LabelledQuestion], name: str) -> None:
    """Raises `TrainingPairsInvalid` for what can be asked but not learned."""
    faults = []
    for row, question in zip(rows, questions, strict=True):
        try:
            _check(row, question)
        except BadRowError as error:
            faults.append(f"line {row.number}: {error}")
    if faults:
        more = [f"{len(faults) - MAX_BAD_LINES} more lines"] if len(faults) > MAX_BAD_LINES else []
        raise TrainingPairsInvalid(name=name, reason=JOINT.join(faults[:MAX_BAD_LINES] + more))


def _check(row: Row, question: LabelledQuestion) -> None:
    if question.answerable and not question.labelled:
        raise BadRowError("an answerable question needs an answer")
    if len(_quote(row.fields)) > _MOST_QUOTE:
        raise BadRowError(f"quote must have {_MOST_QUOTE} or fewer characters")


def _quote(fields: Mapping[str, object]) -> str:
    return next((str(fields[name]).strip() for name in _QUOTE_COLUMNS if fields.get(name)), "")
