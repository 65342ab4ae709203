"""Routes of API keys."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter

from app.api.deps import ServicesDep, admin
from app.api.schemas import KeyIn, KeyList, KeyOut, KeyRotationIn, NewKeyOut
from app.catalogue.keys import Role
from app.catalogue.knowledge_bases import checked_name
from app.catalogue.records import Key
from app.catalogue.tables import now

router = APIRouter(prefix="/v1/keys", tags=["keys"], dependencies=[admin])


@router.post("", status_code=201)
def create_key(body: KeyIn, services: ServicesDep) -> NewKeyOut:
    """Make a key; its secret is in this response and nowhere else."""
    ends = None if body.expires_in_days is None else now() + timedelta(days=body.expires_in_days)
    made = services.keys.create(
        checked_name(body.name),
        body.role,
        body.knowledge_base_ids,
        ends,
        body.requests_per_minute,
        body.questions_per_day,
    )
    return _with_secret(*made)


@router.get("")
def list_keys(services: ServicesDep) -> KeyList:
    """All keys, without their secrets."""
    return KeyList(keys=[_key_out(key) for key in services.keys.all()])


@router.post("/{key_id}/rotate")
def rotate_key(key_id: str, body: KeyRotationIn, services: ServicesDep) -> NewKeyOut:
    """Give a key a new secret, which is in this response and nowhere else; the one so far is good for a while more."""
    return _with_secret(*services.keys.rotate(key_id, timedelta(hours=body.overlap_hours)))


@router.delete("/{key_id}", status_code=204)
def revoke_key(key_id: str, services: ServicesDep) -> None:
    """End a key at once."""
    services.keys.revoke(key_id)


def _key_out(key: Key) -> KeyOut:
    return KeyOut(
        id=key.id,
        name=key.name,
        role=Role(key.role),
        created_at=key.created_at,
        revoked_at=key.revoked_at,
        knowledge_base_ids=None if key.knowledge_base_ids is None else sorted(key.knowledge_base_ids),
        requests_per_minute=key.requests_per_minute,
        questions_per_day=key.questions_per_day,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
    )


def _with_secret(key: Key, secret: str) -> NewKeyOut:
    return NewKeyOut(**_key_out(key).model_dump(), secret=secret)
