"""The `adapters` commands and their options; what they do is in the modules beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.terminal import terminal
from app.types import PromptKind

adapters_cli = typer.Typer(
    no_args_is_help=True,
    help="Adapters: check, host, prove, promote, roll back. · 适配器：检查、托管、证明、启用与回退。",
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON. · 输出 JSON。")]
BaseName = Annotated[str | None, typer.Option("--kb", help="Knowledge base by name. · 知识库名称。")]
AdapterName = Annotated[str, typer.Argument(metavar="ADAPTER", help="Id or name of the adapter. · 适配器编号或名称。")]
Reason = Annotated[str, typer.Option(help="Why; kept in the history. · 理由，会记入历史。")]


@adapters_cli.command("list")
def list_command(json_: JsonFlag = False) -> None:
    """List adapters, newest first. · 列出适配器，最新的在前。"""
    from app.cli.adapters_kept import list_adapters  # noqa: PLC0415

    list_adapters(terminal(), as_json=json_)


@adapters_cli.command("show")
def show_command(adapter: AdapterName, json_: JsonFlag = False) -> None:
    """Show all that is known of an adapter. · 显示适配器的全部信息。"""
    from app.cli.adapters_kept import show_adapter  # noqa: PLC0415

    show_adapter(terminal(), adapter, as_json=json_)


@adapters_cli.command("import")
def import_command(
    path: Annotated[
        Path, typer.Argument(exists=True, help="PEFT folder, or a ZIP or tar file of one. · PEFT 文件夹或其压缩包。")
    ],
    name: Annotated[str | None, typer.Option(help="Its name; by default the file's. · 名称，默认取文件名。")] = None,
    base: Annotated[
        str, typer.Option(help="Its base model, where its own file does not say. · 基础模型（文件中未写明时）。")
    ] = "",
    prompt: Annotated[
        PromptKind | None,
        typer.Option(help="What it was trained to read before the passages. · 训练时段落之前的提示内容。"),
    ] = None,
    context_tokens: Annotated[
        int | None, typer.Option(min=50, help="Tokens of passages it was trained with. · 训练时段落的词元数。")
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Take in an adapter that was trained elsewhere, once it has been checked. · 检查后导入别处训练的适配器。"""
    from app.cli.adapters_kept import Given, import_adapter  # noqa: PLC0415

    given = Given(name or path.resolve().stem, base, prompt, context_tokens)
    import_adapter(terminal(), path, given, as_json=json_)


@adapters_cli.command("export")
def export_command(
    adapter: AdapterName,
    out: Annotated[Path | None, typer.Option("--out", dir_okay=False, help="ZIP file to write. · 写入的文件。")] = None,
    json_: JsonFlag = False,
) -> None:
    """Write an adapter's files as a ZIP file. · 将适配器导出为 ZIP 文件。"""
    from app.cli.adapters_kept import export_adapter  # noqa: PLC0415

    export_adapter(terminal(), adapter, out, as_json=json_)


@adapters_cli.command("host")
def host_command(adapter: AdapterName, json_: JsonFlag = False) -> None:
    """Have the model server load it, so that it can be asked. · 让模型服务加载它，之后即可提问。"""
    from app.cli.adapters_kept import change_adapter  # noqa: PLC0415

    change_adapter(terminal(), adapter, "host", as_json=json_)


@adapters_cli.command("unhost")
def unhost_command(adapter: AdapterName, json_: JsonFlag = False) -> None:
    """Have the model server unload it. · 让模型服务卸载它。"""
    from app.cli.adapters_kept import change_adapter  # noqa: PLC0415

    change_adapter(terminal(), adapter, "unhost", as_json=json_)


@adapters_cli.command("retire")
def retire_command(adapter: AdapterName, json_: JsonFlag = False) -> None:
    """Put it away for good and delete its files. · 永久停用并删除其文件。"""
    from app.cli.adapters_kept import change_adapter  # noqa: PLC0415

    change_adapter(terminal(), adapter, "retire", as_json=json_)


@adapters_cli.command("prove")
def prove_command(
    adapter: AdapterName,
    kb: BaseName = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            "--questions",
            exists=True,
            dir_okay=False,
            help="Question set; by default what its training held out. · 问题集，默认为训练时留出的问题。",
        ),
    ] = None,
    parallel: Annotated[
        int | None, typer.Option(min=1, max=16, help="Questions under way at once. · 同时进行的问题数。")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start it and return at once. · 启动后立即返回。")] = False,
    json_: JsonFlag = False,
) -> None:
    """Put the same questions to the base model and to the adapter, and compare. · 用同样的问题对比基础模型与适配器。"""
    from app.cli.adapters_promoted import prove  # noqa: PLC0415

    raise typer.Exit(prove(terminal(), adapter, kb, questions, parallel, detach=detach, as_json=json_))


@adapters_cli.command("promote")
def promote_command(
    adapter: AdapterName,
    kb: BaseName = None,
    share: Annotated[int, typer.Option(min=1, max=100, help="Percentage of the questions. · 分到的问题百分比。")] = 100,
    proof: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="BASE ADAPTER", help="Ids of the two runs of its proof. · 证明所用两次评测的编号。"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also without a proof or with a bad one; needs --reason. · 强制启用。")
    ] = False,
    reason: Reason = "",
    json_: JsonFlag = False,
) -> None:
    """Let it answer a knowledge base's questions, if its proof is not bad. · 证明合格后，由它回答知识库的问题。"""
    from app.cli.adapters_promoted import promote  # noqa: PLC0415

    body = {"share": share, "force": force, "reason": reason}
    pair = {} if proof is None else {"proof": {"base": proof[0], "adapter": proof[1]}}
    promote(terminal(), adapter, kb, {**body, **pair}, as_json=json_)


@adapters_cli.command("rollback")
def rollback_command(kb: BaseName = None, reason: Reason = "", json_: JsonFlag = False) -> None:
    """Take up again what answered before, at once. · 立即回退到之前的状态。"""
    from app.cli.adapters_promoted import roll_back  # noqa: PLC0415

    roll_back(terminal(), kb, reason, as_json=json_)


@adapters_cli.command("status")
def status_command(kb: BaseName = None, json_: JsonFlag = False) -> None:
    """Show what answers a knowledge base, with its feedback and history. · 显示由谁作答、反馈与历史。"""
    from app.cli.adapters_promoted import show_standing  # noqa: PLC0415

    show_standing(terminal(), kb, as_json=json_)
