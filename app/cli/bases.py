"""`manualqa bases`: lists, rebuilds and deletes knowledge bases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from app.cli.following import progress_note
from app.cli.jobs import MOST_LISTED, OPEN, follow, print_job
from app.cli.questions import find_base

if TYPE_CHECKING:
    from app.cli.terminal import Terminal


def list_bases(at: Terminal, *, as_json: bool) -> None:
    """Prints every knowledge base: documents ready of all, and the rebuild that is running."""
    with at.client() as client:
        found = client.get("/v1/knowledge-bases")
        jobs = client.get("/v1/jobs", kind="rebuild", state=OPEN, limit=MOST_LISTED)["jobs"]
    rebuilds = {job["knowledge_base_id"]: job for job in jobs}
    for base in found["knowledge_bases"]:
        base["rebuild"] = rebuilds.get(base["id"])
    if as_json:
        at.print_json(found)
        return
    for base in found["knowledge_bases"]:
        line = f"{base['id']}  {base['ready']}/{base['documents']}  {base['name']}"
        if job := base["rebuild"]:
            line = at.words("with_detail", text=line, detail=at.words("rebuilding", note=progress_note(at.words, job)))
        at.out.print(Text(line), soft_wrap=True)


def rebuild_base(at: Terminal, name: str, changes: dict[str, Any], *, wait: bool, as_json: bool) -> int:
    """Builds the index anew; `changes` are the fields of the request. Returns 0 where it is done, or has begun."""
    with at.client() as client:
        base = find_base(at, client, name)
        job = client.post(f"/v1/knowledge-bases/{base['id']}/rebuild", changes)
        if wait:
            return follow(at, client, [job], as_json=as_json)
    if as_json:
        at.print_json({"jobs": [job]})
    else:
        print_job(at, job, at.words("index_of", name=base["name"]))
    return 0


def delete_base(at: Terminal, name: str, *, as_json: bool) -> None:
    """Deletes a knowledge base with its documents."""
    with at.client() as client:
        base = find_base(at, client, name)
        client.delete(f"/v1/knowledge-bases/{base['id']}")
    if as_json:
        at.print_json({"deleted": base["id"]})
    else:
        at.out.print(at.words("deleted", name=base["name"]), markup=False)
