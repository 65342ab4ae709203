"""`manualqa reviews` lists answers to be looked at; `manualqa drafts` lists and exports what was made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.questions import find_base
from app.cli.terminal import terminal
from app.types import DraftKind, Label

reviews_cli = typer.Typer()
drafts_cli = typer.Typer(
    no_args_is_help=True,
    help="Drafts of questions and training pairs. · 评测问题与训练数据的草稿。",
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON. · 输出 JSON。")]
BaseName = Annotated[str | None, typer.Option("--kb", help="Knowledge base by name. · 知识库名称。")]
Kind = Annotated[DraftKind, typer.Option(help="What they become. · 用途。")]


@reviews_cli.command("reviews")
def list_reviews(
    kb: BaseName = None,
    label: Annotated[Label | None, typer.Option(help="So marked; by default any. · 标注；默认不限。")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many. · 条数。")] = 50,
    json_: JsonFlag = False,
) -> None:
    """List answers to be looked at, the most urgent first. · 列出待审核的回答，最紧要的在前。"""
    at = terminal()
    wanted: dict[str, str | int] = {"limit": limit} if label is None else {"limit": limit, "label": label.value}
    with at.client() as client:
        base = find_base(at, client, kb)
        found = client.get(f"/v1/knowledge-bases/{base['id']}/reviews", **wanted)
    if json_:
        at.print_json(found)
        return
    if not found["questions_kept"]:
        at.err.print(at.words("questions_not_kept"), markup=False)
    for call in found["reviews"]:
        said = call["label"] or (call["feedback"] or {}).get("verdict") or "-"
        at.out.print(f"{call['id']}  {call['outcome']:9} {said:11} {' '.join(call['question'].split())}", markup=False)


@drafts_cli.command("list")
def list_drafts(kb: BaseName = None, json_: JsonFlag = False) -> None:
    """List drafts, those to be corrected first. · 列出草稿，待修正的在前。"""
    at = terminal()
    with at.client() as client:
        base = find_base(at, client, kb)
        found = client.get(f"/v1/knowledge-bases/{base['id']}/drafts", limit=500)
    if json_:
        at.print_json(found)
        return
    for draft in found["drafts"]:
        state = at.words("draft_corrected" if draft["reviewed"] else "draft_open")
        question = " ".join(draft["question"].split())
        at.out.print(f"{draft['id']}  {draft['kind']:9} {state}  {question}", markup=False)


@drafts_cli.command("export")
def export_drafts(
    out: Annotated[Path, typer.Option(help="File of JSON lines to write. · 要写入的 JSON 行文件。")],
    kind: Kind = DraftKind.QUESTION,
    kb: BaseName = None,
    json_: JsonFlag = False,
) -> None:
    """Write corrected drafts for `eval run` or `finetune run`. · 导出已修正的草稿，可直接用于评测或训练。"""
    at = terminal()
    out.parent.mkdir(parents=True, exist_ok=True)
    with at.client() as client:
        base = find_base(at, client, kb)
        client.download(f"/v1/knowledge-bases/{base['id']}/drafts/export?kind={kind.value}", out)
    count = out.read_bytes().count(b"\n")
    if json_:
        at.print_json({"file": str(out), "drafts": count})
    else:
        at.out.print(at.words("drafts_exported", count=count, file=out), markup=False, soft_wrap=True)
