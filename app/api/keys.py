"""Routes of API keys."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.deps import ServicesDep, admin
from app.api.schemas import KeyIn, KeyList, KeyOut, NewKeyOut
from app.catalogue.knowledge_bases import checked_name

router = APIRouter(prefix="/v1/keys", tags=["keys"], dependencies=[admin])


@router.post("", status_code=201)
def create_key(body: KeyIn, services: ServicesDep) -> NewKeyOut:
    """Make a key; its secret is in this response and nowhere else."""
    key, secret = services.keys.create(checked_name(body.name), body.role)
    return NewKeyOut(**KeyOut.model_validate(key).model_dump(), secret=secret)


@router.get("")
def list_keys(services: ServicesDep) -> KeyList:
    """All keys, without their secrets."""
    return KeyList(keys=[KeyOut.model_validate(key) for key in services.keys.all()])


@router.delete("/{key_id}", status_code=204)
def revoke_key(key_id: str, services: ServicesDep) -> None:
    """End a key at once."""
    services.keys.revoke(key_id)
