"""`manualqa documents`: lists and deletes documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.text import Text

from app.cli.questions import find_base
from app.errors import InvalidInput
from app.text.page_numbers import page_numbers

if TYPE_CHECKING:
    from app.cli.client import Client
    from app.cli.terminal import Terminal

Json = dict[str, Any]
AT_ONCE = 500


def list_documents(at: Terminal, base_name: str | None, state: str | None, *, as_json: bool) -> None:
    """Prints every document, newest first: id, state, pages, name, and why it failed."""
    with at.client() as client:
        found = list(documents_of(client, find_base(at, client, base_name)["id"], state))
    if as_json:
        at.print_json({"documents": found})
        return
    for document in found:
        pages = at.words("count_pages", pages=document["pages"]) if document["pages"] is not None else ""
        state_shown = at.words(f"document_{document['state']}")
        line = Text(f"{document['id']}  {state_shown}  {pages}  {document['name']}")
        if document["error"]:
            line.append(f"  {document['error']['message']}", style="red")
        if document["pages_with_hidden_text"]:
            shown = page_numbers(document["pages_with_hidden_text"])
            line.append(f"  {at.words('hidden_text', pages=shown)}", style="yellow")
        at.out.print(line, soft_wrap=True)


def delete_document(at: Terminal, which: str, base_name: str | None, *, as_json: bool) -> None:
    """Deletes the document of this id or name; raises `InvalidInput` where none or several are meant."""
    with at.client() as client:
        base = find_base(at, client, base_name)
        found = [
            document for document in documents_of(client, base["id"]) if which in (document["id"], document["name"])
        ]
        if not found:
            raise InvalidInput(reason=at.words("no_such_document", name=which, base=base["name"]))
        if len(found) > 1:
            ids = ", ".join(document["id"] for document in found)
            raise InvalidInput(reason=at.words("several_documents", name=which, ids=ids))
        client.delete(f"/v1/knowledge-bases/{base['id']}/documents/{found[0]['id']}")
    if as_json:
        at.print_json({"deleted": found[0]["id"]})
    else:
        at.out.print(at.words("deleted", name=found[0]["name"]), markup=False)


def documents_of(client: Client, base_id: str, state: str | None = None) -> Iterator[Json]:
    """Every document of a knowledge base, newest first."""
    narrow = {} if state is None else {"state": state}
    offset = 0
    while True:
        path = f"/v1/knowledge-bases/{base_id}/documents"
        page: list[Json] = client.get(path, limit=AT_ONCE, offset=offset, **narrow)["documents"]
        yield from page
        if len(page) < AT_ONCE:
            return
        offset += AT_ONCE
