"""What reviewed answers become: the draft of a call, and drafts as the lines of a question set or of pairs."""

from __future__ import annotations

import json
from collections.abc import Iterable

from app.catalogue.drafts import Draft, Expected
from app.catalogue.reviews import Reviewed
from app.text.language import detect_language
from app.types import DraftKind

MOST_QUESTION = 2000
"""As long as the question of a set may be."""


def expected_of(call: Reviewed) -> Expected:
    """What is known of the right answer: the answer itself where somebody found it right, else where it was read.

    An answer found wrong is nothing to expect, and a refusal says nothing of where the answer stands.
    """
    answer = call.answer
    if answer is None or not answer.citations:
        return Expected(call.question[:MOST_QUESTION])
    first = answer.citations[0]
    pages = sorted({citation.page for citation in answer.citations if citation.document_id == first.document_id})
    right = (answer.text,) if call.is_good else ()
    return Expected(
        call.question[:MOST_QUESTION],
        right,
        document=first.document_name,
        pages=tuple(pages),
        quote=first.quote if call.is_good else "",
    )


def lines(drafts: Iterable[Draft]) -> str:
    """JSON lines that `eval.question_sets.parse` and `app.finetune.pairs.read_pairs` take as they are."""
    return "".join(json.dumps(_line(draft), ensure_ascii=False) + "\n" for draft in drafts)


def _line(draft: Draft) -> dict[str, object]:
    expected = draft.expected
    line: dict[str, object] = {
        "id": draft.id,
        "question": expected.question,
        "answerable": expected.answerable,
        "lang": detect_language(expected.question),
        "type": "review",
    }
    if expected.answerable:
        line["answers"] = list(expected.answers)
        line["relevant_pages"] = [[expected.document, page] for page in expected.pages]
        if draft.kind is DraftKind.PAIR and expected.quote:
            line["quote"] = expected.quote
    return line
