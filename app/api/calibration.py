"""Routes of calibration, and of drafts of questions for those who have none to calibrate with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Final

from anyio import to_thread
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from app.api.calibration_schemas import (
    CalibrationIn,
    CalibrationOut,
    DraftedOut,
    DraftOut,
    DraftsIn,
    TargetOut,
    TuningOut,
)
from app.api.deps import LanguageDep, ServicesDep, editor, reader
from app.api.evaluations import RunsDep
from app.api.events import EVENT_STREAM, HEADERS, sse
from app.api.schemas import FingerprintOut, Reason
from app.catalogue.calibrations import Calibration, Fault
from app.errors import ManualqaError
from app.evaluation.calibrating import CalibrationOrder, calibrated, warnings_of
from app.evaluation.drafting import DraftOrder, check, drafts
from app.evaluation.runs import Runs
from app.services import Services
from app.types import Language
from eval.calibration_wording import warning_text
from eval.drafts import Draft
from eval.refusal import Target

router = APIRouter(prefix="/v1/knowledge-bases/{knowledge_base_id}", tags=["calibration"])

DEFAULT_MOST = 0.05

WORDING: Final[dict[Fault, tuple[str, str]]] = {
    Fault.INDEX_CHANGED: (
        "The index was rebuilt since: nothing of the calibration is used. Evaluate and calibrate again.",
        "此后索引已重建，校准值不再使用。请重新评测并校准。",
    ),
    Fault.MODEL_CHANGED: (
        "The limits of doubt are of another language model and are not used. Evaluate and calibrate again.",
        "疑虑上限属于另一个语言模型，不再使用。请重新评测并校准。",
    ),
}


@router.post("/calibration", dependencies=[editor])
def calibrate_knowledge_base(
    knowledge_base_id: str, body: CalibrationIn, services: ServicesDep, runs: RunsDep, language: LanguageDep
) -> CalibrationOut:
    """Choose threshold, keyword weight and limits of doubt by an evaluation of this knowledge base, checked on held-out
    questions, and use them from now on in place of those it has."""
    if body.most_invented is not None:
        target = Target("invented", body.most_invented)
    else:
        most = body.most_false_refusals
        target = Target("false_refusals", DEFAULT_MOST if most is None else most)
    order = CalibrationOrder(knowledge_base_id, body.evaluation_id, target, body.seed)
    return calibration_out(services, calibrated(services, runs, order), language)


@router.get("/calibration", dependencies=[reader])
def show_calibration(knowledge_base_id: str, services: ServicesDep, language: LanguageDep) -> CalibrationOut:
    """The calibration with its figures, and whether it still holds."""
    services.bases.get(knowledge_base_id)
    return calibration_out(services, services.calibrations.get(knowledge_base_id), language)


@router.delete("/calibration", status_code=204, dependencies=[editor])
def delete_calibration(knowledge_base_id: str, services: ServicesDep) -> None:
    """Take it away: the defaults hold again."""
    services.bases.get(knowledge_base_id)
    services.calibrations.remove(knowledge_base_id)


_stream_docs = {
    200: {
        "description": "Events: `draft` (a DraftOut) several times, then `done` (a DraftedOut), or `error` "
        "({code, message}) last.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    }
}


@router.post(
    "/question-drafts",
    dependencies=[editor],
    response_class=StreamingResponse,
    responses=_stream_docs,  # type: ignore[arg-type]
)
async def draft_questions(
    knowledge_base_id: str, body: DraftsIn, services: ServicesDep, runs: RunsDep, language: LanguageDep
) -> StreamingResponse:
    """Have the model draft questions from the passages, as server-sent events; each one is to be reviewed."""
    unanswerable = body.count // 4 if body.unanswerable is None else body.unanswerable
    order = DraftOrder(knowledge_base_id, body.count, unanswerable, body.seed, body.language)
    await to_thread.run_sync(check, services, order)
    return StreamingResponse(_drafts(services, runs, order, language), media_type=EVENT_STREAM, headers=HEADERS)


async def _drafts(services: Services, runs: Runs, order: DraftOrder, language: Language) -> AsyncIterator[bytes]:
    try:
        async with aclosing(drafts(services, runs.courtesy, order)) as written:
            async for one in written:
                if isinstance(one, Draft):
                    yield sse("draft", draft_out(one))
                else:
                    yield sse("done", DraftedOut(drafts=one.drafts, spoiled=dict(one.spoiled)))
    except ManualqaError as error:
        yield sse("error", Reason(code=error.code(), message=error.message(language)))


def draft_out(draft: Draft) -> DraftOut:
    """A draft as clients see it; the question's fields are those of a line of a question set."""
    question = draft.question.model_dump(mode="json", exclude_defaults=True)
    return DraftOut(question=question, document=draft.document, page=draft.page, evidence=draft.evidence)


def calibration_out(services: Services, calibration: Calibration, language: Language) -> CalibrationOut:
    """A calibration as clients see it, beside the index and the model of this moment."""
    live = services.bases.get(calibration.knowledge_base_id).fingerprint
    model = services.questions.author_of(calibration.knowledge_base_id)
    faults = calibration.faults(live, model)
    return CalibrationOut(
        knowledge_base_id=calibration.knowledge_base_id,
        evaluation_id=calibration.evaluation_id,
        target=TargetOut(**calibration.target),
        values=TuningOut(**asdict(calibration.tuning)),
        holding=TuningOut(**asdict(calibration.holding(live, model))),
        stale=bool(faults),
        why=[Reason(code=fault.value, message=WORDING[fault][language == "zh"]) for fault in faults],
        warnings=[
            Reason(code=warned.code, message=warning_text(warned, language)) for warned in warnings_of(calibration)
        ],
        fingerprint=FingerprintOut.model_validate(calibration.fingerprint),
        model=calibration.model,
        figures={name: value for name, value in calibration.figures.items() if name != "warnings"},
        created_at=calibration.created_at,
    )
