"""Routes of the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import ServicesDep, admin
from app.api.schemas import AuditEntryOut, AuditList

router = APIRouter(prefix="/v1/audit", tags=["keys"], dependencies=[admin])

Id = Annotated[str | None, Query(max_length=60)]
Limit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


@router.get("")
def list_changes(services: ServicesDep, key_id: Id = None, limit: Limit = 100, offset: Offset = 0) -> AuditList:
    """Every change, newest first: when, with which key, by which route, and to what."""
    found = services.audit.all(key_id, limit, offset)
    return AuditList(changes=[AuditEntryOut.model_validate(entry) for entry in found])
