"""Knowledge bases as models of OpenAI's API, each also with the adapters that can be asked."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from app.api.compatible.faults import FAULT_RESPONSES
from app.api.compatible.schemas import ModelList, ModelOut
from app.api.deps import ServicesDep, reader
from app.authors import BASE
from app.catalogue.adapters import Adapter
from app.catalogue.records import KnowledgeBase
from app.errors import AdapterNotFound, KnowledgeBaseNotFound, ModelNotFound
from app.services import Services

router = APIRouter(prefix="/v1/models", tags=["openai"], dependencies=[reader], responses=FAULT_RESPONSES)

SEPARATOR = ":"


@dataclass(frozen=True, slots=True)
class AskedModel:
    """Who is asked: a knowledge base, and an adapter's id, `base`, or None for what answers it."""

    base: KnowledgeBase
    adapter: str | None


@router.get("")
def list_models(services: ServicesDep) -> ModelList:
    """The knowledge bases that can be asked, each also with every adapter that is hosted."""
    adapters = services.adapters.wanted()
    return ModelList(data=[model for base in services.bases.all() for model in _models_of(base, adapters)])


@router.get("/{model_id}")
def show_model(model_id: str, services: ServicesDep) -> ModelOut:
    """One of them."""
    asked = asked_model(services, model_id)
    found = None if asked.adapter in (None, BASE) else services.adapters.find(asked.adapter or "")
    return _model_out(asked.base, asked.adapter, found)


def asked_model(services: Services, model_id: str) -> AskedModel:
    """What a model's id stands for; raises `ModelNotFound`, `AdapterRetired`, `AdapterNotHosted`."""
    base_id, separator, adapter = model_id.partition(SEPARATOR)
    try:
        base = services.bases.get(base_id)
        services.authors.check(adapter if separator else None)
    except (KnowledgeBaseNotFound, AdapterNotFound) as error:
        raise ModelNotFound(ref=model_id[:60]) from error
    return AskedModel(base, adapter if separator else None)


def _models_of(base: KnowledgeBase, adapters: list[Adapter]) -> list[ModelOut]:
    """The knowledge base as it is; where there are adapters, also the model alone and each of them."""
    alone = [_model_out(base, BASE, None)] if adapters else []
    return [_model_out(base, None, None), *alone, *(_model_out(base, adapter.id, adapter) for adapter in adapters)]


def _model_out(base: KnowledgeBase, adapter_id: str | None, adapter: Adapter | None) -> ModelOut:
    called = adapter_id if adapter is None else adapter.name
    made = base.created_at if adapter is None else max(base.created_at, adapter.created_at)
    return ModelOut(
        id=base.id if adapter_id is None else f"{base.id}{SEPARATOR}{adapter_id}",
        created=int(made.timestamp()),
        name=base.name if called is None else f"{base.name} · {called}",
    )
