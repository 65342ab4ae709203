"""Routes of adapters: list, import, export, host, prove, retire; and what answers for a knowledge base."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.api.adapter_schemas import (
    AdapterList,
    AdapterOut,
    ArmOut,
    PromotionIn,
    PromotionOut,
    ProofIn,
    ProofStarted,
    RollbackIn,
    StandingOut,
)
from app.api.deps import KeyDep, LanguageDep, admin, editor, reader
from app.api.evaluations import evaluation_out
from app.api.jobs import Limit, Offset
from app.api.limits import described, received_as
from app.catalogue.adapters import Adapter
from app.catalogue.evaluations import Evaluation
from app.catalogue.promotions import Arm, Promotion
from app.errors import BodyTooLarge, InvalidRequest
from app.finetune.adapters import MAX_NAME, Adapters, Source
from app.finetune.promoting import Promoting, PromotionOrder, ProofOrder, Standing
from app.finetune.proof import Pair
from app.types import PromptKind
from eval.records import RunSettings

router = APIRouter(prefix="/v1", tags=["adapters"])

WRITE_BYTES = 1 << 20


def get_adapters(request: Request) -> Adapters:
    """The registry that `create_app` has made."""
    adapters: Adapters = request.app.state.adapters
    return adapters


def get_promoting(request: Request) -> Promoting:
    """What `create_app` has made to prove and promote."""
    promoting: Promoting = request.app.state.promoting
    return promoting


AdaptersDep = Annotated[Adapters, Depends(get_adapters)]
PromotingDep = Annotated[Promoting, Depends(get_promoting)]

_body = {
    "requestBody": {
        "required": True,
        "description": "A ZIP or tar file with `adapter_config.json` and `adapter_model.safetensors` at its top.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/adapters", dependencies=[reader])
def list_adapters(
    adapters: AdaptersDep, promoting: PromotingDep, limit: Limit = 100, offset: Offset = 0
) -> AdapterList:
    """Adapters, newest first, retired ones among them."""
    hosted = promoting.hosted()
    return AdapterList(adapters=[adapter_out(adapter, hosted) for adapter in adapters.all(limit, offset)])


@router.post("/adapters", status_code=201, dependencies=[admin], openapi_extra=_body)
async def import_adapter(
    name: Annotated[str, Query(min_length=1, max_length=MAX_NAME, examples=["house style"])],
    request: Request,
    response: Response,
    adapters: AdaptersDep,
    promoting: PromotingDep,
    base: Annotated[str, Query(max_length=300, description="Its base model, where its own file does not say.")] = "",
    prompt: Annotated[
        PromptKind | None,
        Query(description="What it reads before the passages; by default as its file says, or `full`."),
    ] = None,
    context_tokens: Annotated[
        int | None, Query(ge=50, le=100_000, description="Passages' share of its prompt.")
    ] = None,
) -> AdapterOut:
    """Take in an adapter that was trained elsewhere; all of it is checked before any model server hears of it.

    The body is the archive itself and may be as large as `MQA_MAX_ADAPTER_MB` allows.
    """
    source = Source(base=base, prompt=prompt, context_tokens=context_tokens)
    archive = await to_thread.run_sync(adapters.upload_path)
    try:
        await _receive(request, archive)
        made = await to_thread.run_sync(adapters.import_archive, archive, name, source)
    finally:
        archive.unlink(missing_ok=True)
    response.headers["Location"] = f"/v1/adapters/{made.id}"
    return adapter_out(made, promoting.hosted())


async def _receive(request: Request, path: Path) -> None:
    """Writes the body into a new file; raises `BodyTooLarge` beyond the limit."""
    limit_mb = request.app.state.services.settings.max_adapter_mb
    length = request.headers.get("content-length", "0")
    if not length.isdigit():
        raise InvalidRequest(reason="the Content-Length header is not a number")
    too_large = BodyTooLarge(limit_mb=limit_mb, setting="MQA_MAX_ADAPTER_MB")
    if int(length) > limit_mb * 1_000_000:
        raise too_large
    size, buffer = 0, bytearray()
    with ExitStack() as closing:
        file = closing.enter_context(await to_thread.run_sync(path.open, "xb"))
        async for piece in request.stream():
            buffer += piece
            size += len(piece)
            if size > limit_mb * 1_000_000:
                raise too_large
            if len(buffer) >= WRITE_BYTES:
                await to_thread.run_sync(file.write, bytes(buffer))
                buffer.clear()
        await to_thread.run_sync(file.write, bytes(buffer))


@router.get("/adapters/{adapter_id}", dependencies=[reader])
def show_adapter(adapter_id: str, adapters: AdaptersDep, promoting: PromotingDep) -> AdapterOut:
    """One adapter and how far it has come."""
    return adapter_out(adapters.get(adapter_id), promoting.hosted())


_archive: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/adapters/{adapter_id}/file", dependencies=[editor], response_class=StreamingResponse, responses=_archive)
def export_adapter(adapter_id: str, adapters: AdaptersDep) -> StreamingResponse:
    """Its two files as a ZIP file, which another server can import."""
    pieces = adapters.export(adapter_id)
    headers = {
        "Content-Disposition": f'attachment; filename="{adapters.get(adapter_id).id}.zip"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
    }
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.post("/adapters/{adapter_id}/host", dependencies=[admin])
def host_adapter(adapter_id: str, promoting: PromotingDep) -> AdapterOut:
    """Have the model server load it, beside the base model and others; it can be asked when this returns.

    Its files are looked at again first, and must be those that were checked when it came.
    """
    return adapter_out(promoting.host(adapter_id), promoting.hosted())


@router.post("/adapters/{adapter_id}/unhost", dependencies=[admin])
def unhost_adapter(adapter_id: str, promoting: PromotingDep) -> AdapterOut:
    """Have the model server unload it; not while it answers the questions of a knowledge base."""
    return adapter_out(promoting.unhost(adapter_id), promoting.hosted())


@router.post("/adapters/{adapter_id}/retire", dependencies=[admin])
def retire_adapter(adapter_id: str, promoting: PromotingDep) -> AdapterOut:
    """Put it away for good: its files are deleted, so export it first where it may be wanted again."""
    return adapter_out(promoting.retire(adapter_id), promoting.hosted())


@router.post("/adapters/{adapter_id}/prove", status_code=202, dependencies=[editor], openapi_extra=described(ProofIn))
async def prove_adapter(
    adapter_id: str, request: Request, promoting: PromotingDep, language: LanguageDep
) -> ProofStarted:
    """Put the same questions to the base model and to the adapter, as two evaluations in the background."""
    limit_mb = request.app.state.services.settings.evaluation_body_mb
    wanted = await received_as(ProofIn, request, limit_mb, "MQA_EVALUATION_BODY_MB")
    base, adapter = await to_thread.run_sync(_prove, promoting, adapter_id, wanted)
    return ProofStarted(base=evaluation_out(base, language), adapter=evaluation_out(adapter, language))


def _prove(promoting: Promoting, adapter_id: str, wanted: ProofIn) -> tuple[Evaluation, Evaluation]:
    return promoting.prove(
        ProofOrder(
            knowledge_base_id=wanted.knowledge_base_id,
            adapter_id=adapter_id,
            questions=wanted.questions,
            question_set_name=wanted.question_set_name,
            format=wanted.format,
            settings=RunSettings.model_validate(wanted.settings.model_dump()),
        )
    )


@router.get("/knowledge-bases/{knowledge_base_id}/adapter", dependencies=[reader])
def show_standing(
    knowledge_base_id: str, promoting: PromotingDep, limit: Limit = 100, offset: Offset = 0
) -> StandingOut:
    """What answers the questions of a knowledge base now, with the feedback of each side, and what did before."""
    return _standing_out(knowledge_base_id, promoting.standing(knowledge_base_id, limit, offset), promoting)


@router.put("/knowledge-bases/{knowledge_base_id}/adapter", dependencies=[admin])
def promote_adapter(knowledge_base_id: str, body: PromotionIn, promoting: PromotingDep, key: KeyDep) -> StandingOut:
    """Give an adapter the questions of a knowledge base, or a share of them, from the next one on.

    Refused where its proof is missing, out of date or bad; see `force`.
    """
    order = PromotionOrder(
        knowledge_base_id=knowledge_base_id,
        adapter_id=body.adapter_id,
        by=key.id,
        pair=None if body.proof is None else Pair(body.proof.base, body.proof.adapter),
        share=body.share,
        force=body.force,
        reason=body.reason,
    )
    promoting.promote(order)
    return _standing_out(knowledge_base_id, promoting.standing(knowledge_base_id), promoting)


@router.post("/knowledge-bases/{knowledge_base_id}/adapter/rollback", dependencies=[admin])
def roll_back(
    knowledge_base_id: str, promoting: PromotingDep, key: KeyDep, body: RollbackIn | None = None
) -> StandingOut:
    """Take up again what answered before the present promotion, from the next question on."""
    promoting.roll_back(knowledge_base_id, key.id, "" if body is None else body.reason)
    return _standing_out(knowledge_base_id, promoting.standing(knowledge_base_id), promoting)


def adapter_out(adapter: Adapter, hosted: frozenset[str]) -> AdapterOut:
    """An adapter as clients see it."""
    known = asdict(adapter)
    return AdapterOut(**{**known, "wanted": known.pop("hosted"), "hosted": adapter.id in hosted})


def _standing_out(knowledge_base_id: str, standing: Standing, promoting: Promoting) -> StandingOut:
    present = standing.present
    return StandingOut(
        knowledge_base_id=knowledge_base_id,
        adapter_id=None if present is None else present.adapter_id,
        share=100 if present is None else present.share,
        hosted=present is None or present.adapters() <= promoting.hosted(),
        present=None if present is None else _promotion_out(present, standing.arms),
        history=[_promotion_out(one, standing.arms) for one in standing.history],
    )


def _promotion_out(promotion: Promotion, arms: Sequence[Arm]) -> PromotionOut:
    return PromotionOut(
        id=promotion.id,
        number=promotion.number,
        kind=promotion.kind,
        adapter_id=promotion.adapter_id,
        previous_id=promotion.previous_id,
        share=promotion.share,
        forced=promotion.forced,
        reason=promotion.reason,
        proof=promotion.proof,
        by=promotion.by,
        created_at=promotion.created_at,
        arms=[
            ArmOut(adapter_id=arm.adapter_id, answers=arm.answers, up=arm.up, down=arm.down)
            for arm in arms
            if arm.promotion_id == promotion.id
        ],
    )
