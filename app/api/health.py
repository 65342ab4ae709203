"""Health, open to everyone: it says which parts work and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from fastapi import APIRouter, Response

from app import __version__
from app.api.deps import LanguageDep, ServicesDep
from app.api.schemas import Alive, Part, Readiness
from app.parts import PartState
from app.phrases import translated
from app.types import Language

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> Alive:
    """The process answers."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def ready(services: ServicesDep, response: Response, language: LanguageDep) -> Readiness:
    """Whether questions can be answered: 200 when every required part is ready, otherwise 503.

    `degraded` means that the language model is away and answers are extracts, that one of its replicas is, or that the
    storage of the original files is, and documents wait.
    """
    parts = {name: _shown(part, language) for name, part in (await services.health.parts()).items()}
    waiting = [part for part in parts.values() if part.required and part.state != "ready"]
    status: Literal["ready", "degraded", "starting"] = "ready"
    if waiting:
        status = "starting"
        response.status_code = 503
    elif any(part.state in ("down", "starting", "degraded") for part in parts.values()):
        status = "degraded"
    return Readiness(status=status, version=__version__, parts=parts)


def _shown(part: PartState, language: Language) -> Part:
    detail = translated(part.detail, language) if part.detail else None
    return Part.model_validate(replace(part, detail=detail))
