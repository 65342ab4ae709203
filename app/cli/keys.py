"""`manualqa keys` makes, limits, rotates and revokes API keys; `manualqa audit` shows who changed what."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.questions import find_base
from app.cli.terminal import Terminal, terminal

keys_cli = typer.Typer(no_args_is_help=True, help="API keys. · API 密钥。")
audit_cli = typer.Typer()

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON. · 输出 JSON。")]
KeyId = Annotated[str, typer.Argument(help="Id of the key. · 密钥编号。")]


@keys_cli.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for. · 密钥用途。")],
    role: Annotated[str, typer.Option(help="reader, editor or admin. · 角色。")] = "reader",
    bases: Annotated[
        list[str] | None,
        typer.Option("--kb", help="The only knowledge bases it may use; by default all. · 仅限这些知识库；默认全部。"),
    ] = None,
    days: Annotated[
        int | None, typer.Option(help="Days until it expires; by default never. · 有效天数；默认不过期。")
    ] = None,
    per_minute: Annotated[
        int | None, typer.Option(help="Requests it may make in a minute; by default any. · 每分钟请求上限；默认不限。")
    ] = None,
    per_day: Annotated[
        int | None,
        typer.Option(
            "--questions-per-day",
            help="Questions it may ask in a day (UTC); by default any. · 每天（UTC）提问上限；默认不限。",
        ),
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Make an API key; it is shown once. · 新建 API 密钥；仅显示一次。"""
    at = terminal()
    body: dict[str, Any] = {"name": name, "role": role, "expires_in_days": days, "requests_per_minute": per_minute}
    body["questions_per_day"] = per_day
    with at.client() as client:
        if bases:
            body["knowledge_base_ids"] = [find_base(at, client, base)["id"] for base in bases]
        made = client.post("/v1/keys", body)
    _print_secret(at, made, as_json=json_)


@keys_cli.command("list")
def list_keys(json_: JsonFlag = False) -> None:
    """List API keys. · 列出 API 密钥。"""
    at = terminal()
    with at.client() as client:
        found = client.get("/v1/keys")
        names = {base["id"]: base["name"] for base in client.get("/v1/knowledge-bases")["knowledge_bases"]}
    if json_:
        at.print_json(found)
        return
    for key in found["keys"]:
        state = at.words("key_revoked" if key["revoked_at"] else "key_active")
        limits = key["knowledge_base_ids"]
        scope = at.words("key_for_all") if limits is None else ", ".join(names.get(one, one) for one in limits)
        until = "" if key["expires_at"] is None else "  " + at.words("key_until", day=key["expires_at"][:10])
        if key["questions_per_day"] is not None:
            until += "  " + at.words("key_quota", count=key["questions_per_day"])
        at.out.print(f"{key['id']}  {key['role']:8} {state:8} {key['name']}  ({scope}){until}", markup=False)


@keys_cli.command("rotate")
def rotate_key(
    key_id: KeyId,
    hours: Annotated[int, typer.Option(help="How long the old one is good beside it. · 旧密钥继续有效的小时数。")] = 24,
    json_: JsonFlag = False,
) -> None:
    """Give a key a new secret, shown once. · 更换密钥内容；仅显示一次。"""
    at = terminal()
    with at.client() as client:
        made = client.post(f"/v1/keys/{key_id}/rotate", {"overlap_hours": hours})
    _print_secret(at, made, as_json=json_)


@keys_cli.command("revoke")
def revoke_key(key_id: KeyId, json_: JsonFlag = False) -> None:
    """End a key at once. · 立即吊销密钥。"""
    at = terminal()
    with at.client() as client:
        client.delete(f"/v1/keys/{key_id}")
    if json_:
        at.print_json({"revoked": key_id})
    else:
        at.out.print(at.words("revoked", id=key_id), markup=False)


@audit_cli.command("audit")
def show_audit(
    key_id: Annotated[str | None, typer.Option("--key", help="Of this key alone. · 仅此密钥。")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many. · 条数。")] = 100,
    json_: JsonFlag = False,
) -> None:
    """Show who changed what, newest first. · 查看谁做了哪些更改，最新的在前。"""
    at = terminal()
    wanted = {"limit": limit} if key_id is None else {"limit": limit, "key_id": key_id}
    with at.client() as client:
        found = client.get("/v1/audit", **wanted)
    if json_:
        at.print_json(found)
        return
    for change in found["changes"]:
        target = " ".join(change["target"].values())
        at.out.print(f"{change['at'][:19]}  {change['key_name']:20} {change['action']}  {target}", markup=False)


def _print_secret(at: Terminal, made: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        at.print_json(made)
    else:
        at.out.print(at.words("first_key", secret=made["secret"]), markup=False)
