"""Routes of the audit log."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.deps import ServicesDep, admin
from app.api.jobs import Id, Limit, Offset
from app.api.schemas import AuditEntryOut, AuditList

router = APIRouter(prefix="/v1/audit", tags=["keys"], dependencies=[admin])


@router.get("")
def list_changes(services: ServicesDep, key_id: Id = None, limit: Limit = 100, offset: Offset = 0) -> AuditList:
    """Every change, newest first: when, with which key, by which route, and to what."""
    found = services.audit.all(key_id, limit, offset)
    return AuditList(changes=[AuditEntryOut.model_validate(entry) for entry in found])
