"""`manualqa keys`: makes, lists and revokes API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.cli.terminal import Terminal


def create_key(at: Terminal, name: str, role: str, *, as_json: bool) -> None:
    """Makes a key and prints its secret, this once."""
    with at.client() as client:
        made = client.post("/v1/keys", {"name": name, "role": role})
    if as_json:
        at.print_json(made)
    else:
        at.out.print(at.words("first_key", secret=made["secret"]), markup=False)


def list_keys(at: Terminal, *, as_json: bool) -> None:
    """Prints every key, without its secret."""
    with at.client() as client:
        found = client.get("/v1/keys")
    if as_json:
        at.print_json(found)
        return
    for key in found["keys"]:
        state = at.words("key_revoked" if key["revoked_at"] else "key_active")
        at.out.print(f"{key['id']}  {key['role']:8} {state:8} {key['name']}", markup=False)


def revoke_key(at: Terminal, key_id: str, *, as_json: bool) -> None:
    """Ends a key at once."""
    with at.client() as client:
        client.delete(f"/v1/keys/{key_id}")
    if as_json:
        at.print_json({"revoked": key_id})
    else:
        at.out.print(at.words("revoked", id=key_id), markup=False)
