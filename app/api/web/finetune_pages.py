"""Pages of trainings: look at the pairs, start one, watch its curves, go to the adapter that came of it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.api.deps import LanguageDep, ServicesDep
from app.api.finetune import TrainingsDep
from app.api.problems import reason
from app.api.web.rendering import render
from app.api.web.routing import KeyDep, PageRoute
from app.catalogue.finetunes import Training
from app.types import Language

router = APIRouter(prefix="/finetune", route_class=PageRoute, include_in_schema=False)

MOST_LISTED = 200
MOST_EXAMPLES = 3


@router.get("")
def list_trainings(
    request: Request, services: ServicesDep, trainings: TrainingsDep, key: KeyDep, language: LanguageDep
) -> Response:
    """Trainings, newest first; editors start new ones."""
    found = trainings.all(None, MOST_LISTED, 0)
    return render(
        request,
        "trainings.html",
        key=key,
        trainings=found,
        reasons={training.id: _why(training, language) for training in found},
        names={base.id: base.name for base in services.bases.all()},
        bases=[base for base in services.bases.all() if base.ready],
        most_rank=services.settings.max_lora_rank,
        most_mb=services.settings.finetune_body_mb,
    )


@router.get("/{training_id}")
def show_training(
    training_id: str,
    request: Request,
    services: ServicesDep,
    trainings: TrainingsDep,
    key: KeyDep,
    language: LanguageDep,
) -> Response:
    """One training: how far it is, its curves, its choices, and what it learns from."""
    found = trainings.get(training_id)
    base_id = found.knowledge_base_id
    return render(
        request,
        "training.html",
        key=key,
        training=found,
        why=_why(found, language),
        base=next((base for base in services.bases.all() if base.id == base_id), None),
        adapter=None if found.adapter_id is None else services.adapters.find(found.adapter_id),
        examples=trainings.examples(found.id, heldout=False, limit=MOST_EXAMPLES, offset=0),
    )


def _why(training: Training, language: Language) -> str | None:
    failure = reason(training.error_code, training.error_params, language)
    return None if failure is None else failure.message
