"""Routes of trainings: look at the data, estimate, start, watch, stop, go on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from app.api.deps import LanguageDep, ServicesDep, editor, reader
from app.api.events import EVENTS, Look, watched
from app.api.finetune_out import curves_out, dataset_out, estimate_out, example_out, news_of, training_out
from app.api.finetune_schemas import (
    CurvesOut,
    DatasetOut,
    EstimateOut,
    ExampleList,
    TrainingIn,
    TrainingList,
    TrainingOut,
)
from app.api.jobs import Id, Limit, Offset
from app.api.limits import described, received_as
from app.finetune.curves import Curves
from app.finetune.jobs import TrainingJobs
from app.finetune.orders import TrainingOrder

router = APIRouter(prefix="/v1/finetune", tags=["finetune"])

_FEW = 5

Few = Annotated[int, Query(ge=1, le=50)]
Heldout = Annotated[bool, Query(description="Those that are measured on, instead of those that are learned from.")]


def get_trainings(request: Request) -> TrainingJobs:
    """The trainings that `create_app` has made."""
    trainings: TrainingJobs = request.app.state.trainings
    return trainings


TrainingsDep = Annotated[TrainingJobs, Depends(get_trainings)]


async def get_order(request: Request, services: ServicesDep) -> TrainingOrder:
    """The order in a body of bounded size (`MQA_FINETUNE_BODY_MB`)."""
    wanted = await received_as(TrainingIn, request, services.settings.finetune_body_mb, "MQA_FINETUNE_BODY_MB")
    return TrainingOrder(
        knowledge_base_id=wanted.knowledge_base_id,
        name=wanted.name or wanted.pairs_name,
        base=wanted.base,
        pairs_name=wanted.pairs_name,
        pairs=wanted.pairs,
        format=wanted.format,
        data=wanted.data,
        training=wanted.training,
    )


OrderDep = Annotated[TrainingOrder, Depends(get_order)]


@router.post("/datasets", dependencies=[editor], openapi_extra=described(TrainingIn))
async def look_at_data(trainings: TrainingsDep, order: OrderDep, language: LanguageDep) -> DatasetOut:
    """What would be learned from the pairs: a report on the examples, some of them as they are, and what the training
    would cost. Passages are searched for each pair, which takes a while; nothing is kept."""
    return dataset_out(await trainings.look(order), language)


@router.post("/estimate", dependencies=[editor], openapi_extra=described(TrainingIn))
async def estimate_training(trainings: TrainingsDep, order: OrderDep, language: LanguageDep) -> EstimateOut:
    """Steps, time, memory and disk of a training, reckoned from the pairs alone, and whether it would be refused."""
    return estimate_out(await trainings.estimate(order), language)


@router.post("/jobs", status_code=202, dependencies=[editor], openapi_extra=described(TrainingIn))
async def start_training(
    response: Response, trainings: TrainingsDep, order: OrderDep, language: LanguageDep
) -> TrainingOut:
    """Train an adapter, in the background: trainings run one at a time, in order, in a process of their own.

    The pairs are checked as a whole, and what cannot fit on this machine is refused, before anything is started. The
    adapter is registered when the training is done. The body may be larger than others (`MQA_FINETUNE_BODY_MB`).
    """
    started = await trainings.start(order)
    response.headers["Location"] = f"/v1/finetune/jobs/{started.id}"
    return training_out(started, language)


@router.get("/jobs", dependencies=[reader])
def list_trainings(
    trainings: TrainingsDep, language: LanguageDep, knowledge_base_id: Id = None, limit: Limit = 100, offset: Offset = 0
) -> TrainingList:
    """Trainings, newest first."""
    found = trainings.all(knowledge_base_id, limit, offset)
    return TrainingList(jobs=[training_out(training, language) for training in found])


@router.get("/jobs/{job_id}", dependencies=[reader])
def show_training(job_id: str, trainings: TrainingsDep, language: LanguageDep) -> TrainingOut:
    """One training: its stage, steps done of all, the newest figures, time left, and why it failed if it did."""
    return training_out(trainings.get(job_id), language)


@router.get("/jobs/{job_id}/events", dependencies=[reader], response_class=StreamingResponse, responses=EVENTS)
def watch_training(job_id: str, request: Request, trainings: TrainingsDep, language: LanguageDep) -> StreamingResponse:
    """Server-sent events: a `job` now and whenever it changes, with the points of its curves that are new since the
    last one; the stream ends with the training. `curves.after` is the step after which these points take the place of
    all that came before: a training that goes on after a kill does some steps again."""
    trainings.get(job_id)
    last: list[int] = []
    told = Curves()

    def look() -> Look[BaseModel]:
        nonlocal told
        found = trainings.find(job_id)
        if found is None:
            return Look([], ended=True)
        if last == [found.revision]:
            return Look([], ended=found.ended)
        last[:] = [found.revision]
        before, told = told, trainings.curves(job_id)
        return Look([training_out(found, language, news_of(before, told))], ended=found.ended)

    return watched("job", look, request.app.state.services.is_draining)


@router.get("/jobs/{job_id}/curves", dependencies=[reader])
def show_curves(job_id: str, trainings: TrainingsDep) -> CurvesOut:
    """Every step and every evaluation on the held-out examples so far, checkpoints and alarms."""
    return curves_out(trainings.curves(job_id))


@router.get("/jobs/{job_id}/examples", dependencies=[reader])
def show_examples(
    job_id: str, trainings: TrainingsDep, heldout: Heldout = False, limit: Few = _FEW, offset: Offset = 0
) -> ExampleList:
    """What the training learns from: prompts as the service writes them, and the completions that the loss covers."""
    found = trainings.examples(job_id, heldout=heldout, limit=limit, offset=offset)
    return ExampleList(examples=[example_out(example) for example in found])


@router.post("/jobs/{job_id}/cancel", dependencies=[editor])
def cancel_training(job_id: str, trainings: TrainingsDep, language: LanguageDep) -> TrainingOut:
    """Stop it; it writes a checkpoint, and `resume` goes on there."""
    return training_out(trainings.cancel(job_id), language)


@router.post("/jobs/{job_id}/resume", status_code=202, dependencies=[editor])
def resume_training(job_id: str, trainings: TrainingsDep, language: LanguageDep) -> TrainingOut:
    """Go on with one that failed or was cancelled, behind its last checkpoint; one that is under way goes on."""
    return training_out(trainings.resume(job_id), language)


@router.delete("/jobs/{job_id}", status_code=204, dependencies=[editor])
def delete_training(job_id: str, trainings: TrainingsDep) -> None:
    """Delete it with its folder; one that is under way stops. The adapter that came of it stays."""
    trainings.remove(job_id)
