"""`manualqa adapters prove`, `promote`, `rollback` and `status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from app.cli.adapters_kept import MOST_LISTED, find_adapter
from app.cli.questions import find_base
from app.cli.terminal import FAILED

if TYPE_CHECKING:
    from app.cli.client import Client
    from app.cli.terminal import Terminal

Json = dict[str, Any]


def prove(
    at: Terminal,
    name: str,
    base_name: str | None,
    questions: Path | None,
    parallel: int | None,
    *,
    detach: bool,
    as_json: bool,
) -> int:
    """Starts the two evaluations, shows them and compares them; returns the exit code."""
    body: Json = {"settings": {} if parallel is None else {"parallel": parallel}}
    if questions is not None:
        from eval.question_sets import canonical, read  # noqa: PLC0415 - loads the evaluation core

        asked = read(questions)
        body |= {"questions": canonical(asked.questions), "question_set_name": asked.name}
    with at.client() as client:
        adapter, base = find_adapter(at, client, name), find_base(at, client, base_name)
        started = client.post(f"/v1/adapters/{adapter['id']}/prove", {**body, "knowledge_base_id": base["id"]})
        if detach:
            return _left(at, started, as_json=as_json)
        ended = _followed(at, client, started)
    if ended is None:
        return _left(at, started, as_json=as_json)
    stopped = [one for one in ended if one["state"] != "done"]
    if stopped:
        from app.cli.evaluate_runs import say_stopped  # noqa: PLC0415

        say_stopped(at, stopped[0])
        return FAILED
    from app.cli.evaluate_compare import compare_runs  # noqa: PLC0415

    return compare_runs(at, started["base"]["id"], started["adapter"]["id"], None, (), None, as_json=as_json)


def _followed(at: Terminal, client: Client, started: Json) -> list[Json] | None:
    """Both as they ended; None where the user does not wait for it."""
    from app.cli.evaluate_following import follow  # noqa: PLC0415
    from app.cli.followed import Interrupted  # noqa: PLC0415

    try:
        return [follow(at, client, started[side]) for side in ("base", "adapter")]
    except Interrupted:
        return None


def _left(at: Terminal, started: Json, *, as_json: bool) -> int:
    if as_json:
        at.print_json(started)
    else:
        pair = {side: started[side]["id"] for side in ("base", "adapter")}
        at.err.print(Text(at.words("proof_goes_on", **pair)), soft_wrap=True)
    return 0


def promote(at: Terminal, name: str, base_name: str | None, body: Json, *, as_json: bool) -> None:
    """Gives the adapter the questions of a knowledge base."""
    with at.client() as client:
        adapter, base = find_adapter(at, client, name), find_base(at, client, base_name)
        path = f"/v1/knowledge-bases/{base['id']}/adapter"
        standing = client.put(path, {**body, "adapter_id": adapter["id"]})
        _print(at, client, base, standing, as_json=as_json)


def roll_back(at: Terminal, base_name: str | None, reason: str, *, as_json: bool) -> None:
    """Takes up what answered before."""
    with at.client() as client:
        base = find_base(at, client, base_name)
        standing = client.post(f"/v1/knowledge-bases/{base['id']}/adapter/rollback", {"reason": reason})
        _print(at, client, base, standing, as_json=as_json)


def show_standing(at: Terminal, base_name: str | None, *, as_json: bool) -> None:
    """Prints what answers a knowledge base's questions, what askers think of it, and what there was before."""
    with at.client() as client:
        base = find_base(at, client, base_name)
        standing = client.get(f"/v1/knowledge-bases/{base['id']}/adapter")
        _print(at, client, base, standing, as_json=as_json)


def _print(at: Terminal, client: Client, base: Json, standing: Json, *, as_json: bool) -> None:
    if as_json:
        at.print_json(standing)
        return
    adapters = client.get("/v1/adapters", limit=MOST_LISTED)["adapters"]
    names: dict[str | None, str] = {adapter["id"]: adapter["name"] for adapter in adapters}
    names[None] = at.words("base_model")
    now = standing["present"]
    who = names.get(standing["adapter_id"], "?") if now is None else _who(at, now, names)
    at.out.print(Text(at.words("answers_now", base=base["name"], who=who)), soft_wrap=True)
    if not standing["hosted"]:
        at.out.print(Text(at.words("stands_in"), style="yellow"), soft_wrap=True)
    for promotion in standing["history"]:
        _print_promotion(at, promotion, names)


def _print_promotion(at: Terminal, promotion: Json, names: dict[str | None, str]) -> None:
    line = f"{promotion['created_at'][:19]}  {at.words('kind_' + promotion['kind'])}  {_who(at, promotion, names)}"
    if promotion["forced"]:
        line += "  " + at.words("was_forced")
    if promotion["reason"]:
        line += f"  {promotion['reason']}"
    at.out.print(Text(line), soft_wrap=True)
    for arm in promotion["arms"]:
        counts = {key: arm[key] for key in ("answers", "up", "down")}
        told = at.words("arm", name=names.get(arm["adapter_id"], "?"), **counts)
        at.out.print(Text(f"    {told}", style="dim"), soft_wrap=True)


def _who(at: Terminal, promotion: Json, names: dict[str | None, str]) -> str:
    first = names.get(promotion["adapter_id"], "?")
    if promotion["share"] == 100:
        return first
    rest = names.get(promotion["previous_id"], "?")
    return at.words("shared", first=first, share=promotion["share"], rest=rest, other=100 - promotion["share"])
