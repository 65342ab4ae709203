"""Routes of reviews: what askers and reviewers say of recorded answers, and the drafts that are made of these."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from fastapi import APIRouter, Response

from app.api.conversation_schemas import FeedbackIn, FeedbackOut
from app.api.deps import KeyDep, ServicesDep, editor, reader
from app.api.jobs import Limit, Offset
from app.api.questions import answer_out
from app.api.review_schemas import DraftIn, DraftList, DraftOut, ExpectedIn, LabelIn, ReviewList, ReviewOut
from app.catalogue.drafts import Draft, Expected
from app.catalogue.reviews import Labelled, Reviewed, ReviewFilter
from app.evaluation.reviewed import expected_of, lines
from app.types import CallOutcome, DraftKind, Label

router = APIRouter(prefix="/v1", tags=["reviews"])

FILE_NAMES: Final = {DraftKind.QUESTION: "questions.jsonl", DraftKind.PAIR: "pairs.jsonl"}
JSON_LINES = "application/jsonl"

# --- what is said of an answer ----------------------------------------------------------------------------------------


@router.put("/calls/{call_id}/feedback", dependencies=[reader])
def rate_call(call_id: str, body: FeedbackIn, services: ServicesDep, key: KeyDep) -> FeedbackOut:
    """Say whether an answer was good, by its `call_id`; the key that asked alone may."""
    feedback = body.feedback()
    services.reviews.rate(call_id, key.id, feedback)
    return FeedbackOut.model_validate(feedback)


@router.delete("/calls/{call_id}/feedback", status_code=204, dependencies=[reader])
def forget_call_feedback(call_id: str, services: ServicesDep, key: KeyDep) -> None:
    """Take it back."""
    services.reviews.rate(call_id, key.id, None)


@router.get("/knowledge-bases/{knowledge_base_id}/reviews", dependencies=[editor])
def list_reviews(
    knowledge_base_id: str,
    services: ServicesDep,
    labelled: bool | None = None,
    label: Label | None = None,
    outcome: CallOutcome | None = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> ReviewList:
    """Questions and answers to be looked at: thumbs down first, then those with withheld sentences, then a sample."""
    services.bases.get(knowledge_base_id)
    wanted = ReviewFilter(labelled, label, outcome)
    return ReviewList(
        reviews=[review_out(one) for one in services.reviews.queue(knowledge_base_id, wanted, limit, offset)],
        total=services.reviews.count(knowledge_base_id, wanted),
        questions_kept=services.settings.keep_questions,
    )


@router.put("/calls/{call_id}/label", dependencies=[editor])
def label_call(call_id: str, body: LabelIn, services: ServicesDep, key: KeyDep) -> ReviewOut:
    """Mark an answer as right, wrong or unsupported; a label that is there is replaced."""
    labelled = Labelled(body.label, (body.note or "").strip() or None)
    return review_out(services.reviews.label(call_id, key.id, labelled))


@router.delete("/calls/{call_id}/label", status_code=204, dependencies=[editor])
def unlabel_call(call_id: str, services: ServicesDep, key: KeyDep) -> None:
    """Take it back."""
    services.reviews.label(call_id, key.id, None)


# --- drafts -----------------------------------------------------------------------------------------------------------


@router.post("/calls/{call_id}/drafts", status_code=201, dependencies=[editor])
def draft_of_call(call_id: str, body: DraftIn, response: Response, services: ServicesDep) -> DraftOut:
    """Make an evaluation question or a training pair of a call, to be corrected; one that is there is given again."""
    call = services.reviews.get(call_id)
    draft, is_new = services.drafts.add(call.knowledge_base_id, call.id, body.kind, expected_of(call))
    response.status_code = 201 if is_new else 200
    return draft_out(draft)


@router.get("/knowledge-bases/{knowledge_base_id}/drafts", dependencies=[editor])
def list_drafts(
    knowledge_base_id: str, services: ServicesDep, kind: DraftKind | None = None, limit: Limit = 100, offset: Offset = 0
) -> DraftList:
    """Drafts, those that wait for a person first, then the newest."""
    services.bases.get(knowledge_base_id)
    return DraftList(drafts=[draft_out(draft) for draft in services.drafts.all(knowledge_base_id, kind, limit, offset)])


_files = {
    200: {
        "description": "JSON lines: a question set, or pairs to learn from.",
        "content": {JSON_LINES: {"schema": {"type": "string"}}},
    }
}


@router.get(
    "/knowledge-bases/{knowledge_base_id}/drafts/export",
    dependencies=[editor],
    response_class=Response,
    responses=_files,  # type: ignore[arg-type]
)
def export_drafts(knowledge_base_id: str, services: ServicesDep, kind: DraftKind = DraftKind.QUESTION) -> Response:
    """The corrected drafts as a file that an evaluation or a training takes as it is."""
    services.bases.get(knowledge_base_id)
    text = lines(services.drafts.reviewed(knowledge_base_id, kind))
    headers = {
        "Content-Disposition": f'attachment; filename="{FILE_NAMES[kind]}"',
        "Content-Security-Policy": "sandbox",
    }
    return Response(text, media_type=JSON_LINES, headers=headers)


@router.put("/drafts/{draft_id}", dependencies=[editor])
def correct_draft(draft_id: str, body: ExpectedIn, services: ServicesDep) -> DraftOut:
    """Say what is right; from here on the draft is exported."""
    if body.answerable:
        expected = Expected(
            body.question, tuple(body.answers), True, body.document or None, tuple(body.pages), body.quote.strip()
        )
    else:
        expected = Expected(body.question, tuple(body.answers), answerable=False)
    return draft_out(services.drafts.correct(draft_id, expected))


@router.delete("/drafts/{draft_id}", status_code=204, dependencies=[editor])
def delete_draft(draft_id: str, services: ServicesDep) -> None:
    """Delete a draft."""
    services.drafts.remove(draft_id)


# --- as clients see it ------------------------------------------------------------------------------------------------


def review_out(call: Reviewed) -> ReviewOut:
    """A call as reviewers see it."""
    return ReviewOut(
        id=call.id,
        knowledge_base_id=call.knowledge_base_id,
        question=call.question,
        answer=None if call.answer is None else answer_out(call.answer),
        asked_at=call.asked_at,
        channel=call.channel,
        outcome=call.outcome,
        withheld=call.withheld,
        feedback=None if call.feedback is None else FeedbackOut.model_validate(call.feedback),
        label=None if call.labelled is None else call.labelled.label,
        note=None if call.labelled is None else call.labelled.note,
        labelled_at=call.labelled_at,
    )


def draft_out(draft: Draft) -> DraftOut:
    """A draft as clients see it."""
    return DraftOut(
        id=draft.id,
        knowledge_base_id=draft.knowledge_base_id,
        call_id=draft.call_id,
        kind=draft.kind,
        **asdict(draft.expected),
        reviewed=draft.reviewed,
        created_at=draft.created_at,
        updated_at=draft.updated_at,
    )
