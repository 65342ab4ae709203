"""`manualqa ingest`: sends files and shows each one's way to `ready`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.client import Client, ServerError
from app.cli.documents import documents_of
from app.cli.following import Board, Following
from app.cli.questions import find_base
from app.cli.sources import Refused, Source, Sources
from app.errors import InvalidInput
from app.phrases import translated

if TYPE_CHECKING:
    from app.cli.terminal import Terminal

Json = dict[str, Any]


def ingest_paths(at: Terminal, paths: list[Path], base_name: str | None, *, as_json: bool) -> int:
    """Sends all files while the server works on them, and returns 0 where every document is ready."""
    with Sources.of(paths, at.settings.max_upload_mb) as sources:
        if not sources.found:
            raise InvalidInput(reason=at.words("nothing_to_ingest", paths=", ".join(str(path) for path in paths)))
        with at.client() as client:
            base = _base(at, client, base_name)
            names = {document["name"] for document in documents_of(client, base["id"], "ready")}
            board = Board(at, quiet=as_json)
            with board, Following(at, client, board, base["id"]) as following:
                try:
                    sent = [_send(at, client, following, board, base, source, names) for source in sources.found]
                    ended = following.wait()
                except KeyboardInterrupt:
                    left = len(following.waiting())
                    board.say(base["name"], at.words("left_running_in", count=left, base=base["name"]))
                    return 1
    results = [_result(outcome, ended) for outcome in sent]
    if as_json:
        at.print_json({"documents": results, "left_out": sources.left_out})
    elif sources.left_out:
        key = "left_out_one" if sources.left_out == 1 else "left_out"
        at.err.print(at.words(key, count=sources.left_out), markup=False)
    return 0 if all(result["state"] == "ready" for result in results) else 1


def _base(at: Terminal, client: Client, name: str | None) -> Json:
    if name is None:
        return find_base(at, client, None)
    found: list[Json] = client.get("/v1/knowledge-bases", name=name)["knowledge_bases"]
    if found:
        return found[0]
    made = client.post("/v1/knowledge-bases", {"name": name})
    at.err.print(at.words("created_base", name=name), markup=False)
    return made


def _send(
    at: Terminal, client: Client, following: Following, board: Board, base: Json, source: Source, names: set[str]
) -> Json:
    """Sends one file; whatever is wrong with it is its own outcome, and the next goes on."""
    task = board.sending(source.name, source.size)
    try:
        with source.open() as stream:
            taken = client.upload_stream(
                base["id"], source.name, source.size, stream, lambda count: board.sent(task, count)
            )
    except ServerError as error:
        problem = {"code": error.server_code, "message": error.message(at.words.language)}
    except Refused as refused:
        problem = {"code": refused.key, "message": at.words(refused.key, **refused.params)}
    except OSError as error:
        problem = {"code": "unreadable_file", "message": translated(error.strerror or str(error), at.words.language)}
    else:
        name = taken["document"]["name"]
        replaces = bool(taken["created"]) and name in names
        if not taken["created"]:
            board.say(source.shown, at.words("duplicate"))
        elif replaces:
            board.say(source.shown, at.words("replaces", name=name))
        following.expect(taken["job"], source.shown)
        return {"file": source.shown, "error": None, **taken, "replaces": replaces}
    finally:
        board.end_sending(task)
    board.say(source.shown, problem["message"], bad=True)
    return {"file": source.shown, "error": problem, "job": None}


def _result(outcome: Json, ended: dict[str, Json | None]) -> Json:
    """What became of one file: `ready`, `failed`, `cancelled`, `refused`, or `gone` where it was deleted meanwhile."""
    if outcome["job"] is None:
        return {"file": outcome["file"], "state": "refused", "document_id": None, "error": outcome["error"]}
    job = ended[outcome["job"]["id"]]
    state = "gone" if job is None else "ready" if job["state"] == "done" else job["state"]
    return {
        "file": outcome["file"],
        "state": state,
        "document_id": outcome["document"]["id"],
        "job_id": outcome["job"]["id"],
        "created": outcome["created"],
        "replaces": outcome["replaces"],
        "error": job["error"] if job is not None else None,
    }
