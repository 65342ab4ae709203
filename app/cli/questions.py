"""`manualqa ask` and `manualqa search`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.text import Text

from app.cli.adapters_kept import adapter_id
from app.cli.client import Client
from app.cli.output import print_answer, print_hits
from app.errors import InvalidInput

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

Json = dict[str, Any]
NO_ANSWER = 3
NEAREST_SHOWN = 3


def find_base(at: Terminal, client: Client, name: str | None) -> Json:
    """The knowledge base of this name, or the only one; raises `InvalidInput` with the names there are."""
    bases: list[Json] = client.get("/v1/knowledge-bases")["knowledge_bases"]
    names = ", ".join(base["name"] for base in bases)
    if name is not None:
        for base in bases:
            if name in (base["name"], base["id"]):
                return base
        raise InvalidInput(reason=at.words("no_such_base", name=name, names=names or "-"))
    if not bases:
        raise InvalidInput(reason=at.words("no_base"))
    if len(bases) > 1:
        raise InvalidInput(reason=at.words("pick_base", names=names))
    return bases[0]


def ask_question(at: Terminal, question: str, base_name: str | None, adapter: str | None, *, as_json: bool) -> int:
    """Asks, an adapter by its id or name where one is given, and prints the checked answer; returns the exit code."""
    with at.client() as client:
        base = find_base(at, client, base_name)
        path = f"/v1/knowledge-bases/{base['id']}/ask"
        body = {"question": question}
        if adapter is not None:
            body["adapter"] = adapter_id(at, client, adapter)
        if as_json:
            answer = client.post(path, body)
            at.print_json(answer)
            return NO_ANSWER if answer["refused"] else 0
        answer, rejected = _watch(at, client, path, body)
    print_answer(at.out, answer, rejected, at.words)
    return NO_ANSWER if answer["refused"] else 0


def _watch(at: Terminal, client: Client, path: str, body: Json) -> tuple[Json, list[Json]]:
    """Shows the answer as it is written; what stays on the screen is the checked one."""
    answer: Json = {}
    rejected: list[Json] = []
    written = Text(style="dim")
    with Live(written, console=at.err, transient=True, refresh_per_second=8) as live:
        for event, data in client.events(path, {**body, "stream": True}):
            match event:
                case "sources":
                    rejected = data["hits"][:NEAREST_SHOWN] or data["rejected"]
                    written = Text("...", style="dim")
                case "token":
                    written.append(data["text"])
                case "done":
                    answer = data
            live.update(written)
    return answer, rejected


def search_passages(at: Terminal, question: str, base_name: str | None, limit: int, *, as_json: bool) -> int:
    """Prints the hits for a question; returns the exit code."""
    with at.client() as client:
        base = find_base(at, client, base_name)
        result = client.post(f"/v1/knowledge-bases/{base['id']}/search", {"question": question, "limit": limit})
    if as_json:
        at.print_json(result)
    else:
        print_hits(at.out, result, at.words)
    return 0 if result["hits"] else NO_ANSWER
