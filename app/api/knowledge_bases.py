"""Routes of knowledge bases."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.deps import LanguageDep, ServicesDep, admin, editor, reader
from app.api.jobs import job_out
from app.api.schemas import (
    FingerprintOut,
    JobOut,
    KnowledgeBaseChange,
    KnowledgeBaseIn,
    KnowledgeBaseList,
    KnowledgeBaseOut,
    RebuildIn,
)
from app.catalogue.records import KnowledgeBase, KnowledgeBaseSettings
from app.services import Services

router = APIRouter(prefix="/v1/knowledge-bases", tags=["knowledge bases"])


@router.post("", status_code=201, dependencies=[editor])
def create_knowledge_base(body: KnowledgeBaseIn, services: ServicesDep, response: Response) -> KnowledgeBaseOut:
    """Make an empty knowledge base. Its index is bound to the embedder that the server runs now."""
    created = services.library.create(body.name, KnowledgeBaseSettings(body.threshold, body.language))
    response.headers["Location"] = f"/v1/knowledge-bases/{created.id}"
    return KnowledgeBaseOut.model_validate(created)


@router.get("", dependencies=[reader])
def list_knowledge_bases(
    services: ServicesDep, name: Annotated[str | None, Query(max_length=120)] = None
) -> KnowledgeBaseList:
    """All knowledge bases, or the one with exactly this name."""
    found = services.bases.all(name)
    return KnowledgeBaseList(knowledge_bases=[_shown(services, base) for base in found])


@router.get("/{knowledge_base_id}", dependencies=[reader])
def show_knowledge_base(knowledge_base_id: str, services: ServicesDep) -> KnowledgeBaseOut:
    """One knowledge base with its counts and settings, and what builds its next index, if anything does."""
    shown = _shown(services, services.bases.get(knowledge_base_id))
    building = services.generations.building(knowledge_base_id)
    fingerprint = FingerprintOut.model_validate(building.fingerprint) if building else None
    return shown.model_copy(update={"building": fingerprint})


@router.post("/{knowledge_base_id}/rebuild", status_code=202, dependencies=[editor])
def rebuild_knowledge_base(
    knowledge_base_id: str, body: RebuildIn, services: ServicesDep, language: LanguageDep
) -> JobOut:
    """Build the index anew, with other chunk sizes or another embedder; the present one answers until it is whole."""
    job = services.rebuild(knowledge_base_id, body.chunk_size, body.chunk_overlap, body.embedder)
    return job_out(job, language)


@router.patch("/{knowledge_base_id}", dependencies=[editor])
def change_knowledge_base(knowledge_base_id: str, body: KnowledgeBaseChange, services: ServicesDep) -> KnowledgeBaseOut:
    """Rename it or change its settings; what is left out stays."""
    old = services.bases.get(knowledge_base_id).settings
    given = body.model_fields_set
    settings = KnowledgeBaseSettings(
        threshold=body.threshold if "threshold" in given else old.threshold,
        language=body.language if "language" in given else old.language,
    )
    return _shown(services, services.bases.change(knowledge_base_id, body.name, settings))


@router.delete("/{knowledge_base_id}", status_code=204, dependencies=[admin])
def delete_knowledge_base(knowledge_base_id: str, services: ServicesDep) -> None:
    """Delete it with all its documents; nothing of it answers any more when this returns."""
    services.library.delete(knowledge_base_id)


def _shown(services: Services, base: KnowledgeBase) -> KnowledgeBaseOut:
    shown = KnowledgeBaseOut.model_validate(base)
    return shown.model_copy(update={"calibration": services.questions.calibration_state(base)})
