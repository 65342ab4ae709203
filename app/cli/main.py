"""The commands and their options; what they do is in the modules beside this one.

Exit codes: 0 done, 1 failed, 2 used wrongly, 3 the manuals have no answer, 4 no server answers, 5 key refused.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console

from app import __version__
from app.cli.client import Client, ServerError
from app.cli.words import Words, spoken_language
from app.errors import Denied, ManualqaError, ServerNotRunning
from app.settings import Settings, language_setting, load_settings
from app.validation import fault, faults

FAILED, USAGE, NO_ANSWER, NO_SERVER, KEY_REFUSED = 1, 2, 3, 4, 5

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Ask product manuals. · 向产品手册提问。")
models_cli = typer.Typer(no_args_is_help=True, help="Model weights on this machine. · 本机的模型权重。")
keys_cli = typer.Typer(no_args_is_help=True, help="API keys. · API 密钥。")
bases_cli = typer.Typer(no_args_is_help=True, help="Knowledge bases. · 知识库。")
cli.add_typer(models_cli, name="models")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(bases_cli, name="bases")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON. · 输出 JSON。")]
BaseName = Annotated[str | None, typer.Option("--kb", help="Knowledge base by name. · 知识库名称。")]


@dataclass(frozen=True)
class Terminal:
    """What every command needs: settings, words, and where to print."""

    settings: Settings
    words: Words
    out: Console
    err: Console

    def client(self) -> Client:
        return Client.connect(self.settings, self.words.language)

    def print_json(self, value: Any) -> None:  # noqa: ANN401 - whatever the API answered
        """Plain JSON, for scripts."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def terminal() -> Terminal:
    """The terminal of this process."""
    settings = load_settings()
    return Terminal(settings, Words(spoken_language(settings.language)), Console(), Console(stderr=True))


@cli.command()
def serve(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one. · 端口；0 表示任选空闲端口。")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. · 监听地址。")] = None,
    sample: Annotated[
        Path | None, typer.Option(help="Folder of sample manuals to load and ask. · 载入示例手册的文件夹。")
    ] = None,
) -> None:
    """Start the server. · 启动服务器。"""
    from app.cli.serve import run_server  # noqa: PLC0415 - loads the whole service

    given = {"port": port, "host": host}
    changes = {name: value for name, value in given.items() if value is not None}
    at = terminal()
    run_server(at.settings.model_copy(update=changes), at.words, at.err, sample)


@cli.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Files or folders. · 文件或文件夹。")],
    kb: BaseName = None,
    json_: JsonFlag = False,
) -> None:
    """Load manuals and wait until they can be asked. · 载入手册，直到可以提问。"""
    from app.cli.ingest import ingest_paths  # noqa: PLC0415

    raise typer.Exit(ingest_paths(terminal(), paths, kb, as_json=json_))


@cli.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you want to know. · 想知道的内容。")],
    kb: BaseName = None,
    json_: JsonFlag = False,
) -> None:
    """Ask the manuals; exit code 3 where they have no answer. · 向手册提问；没有答案时退出码为 3。"""
    from app.cli.questions import ask_question  # noqa: PLC0415

    raise typer.Exit(ask_question(terminal(), question, kb, as_json=json_))


@cli.command()
def search(
    question: Annotated[str, typer.Argument(help="What to look for. · 要查找的内容。")],
    kb: BaseName = None,
    limit: Annotated[int, typer.Option(min=1, max=50, help="Most hits. · 最多条数。")] = 8,
    json_: JsonFlag = False,
) -> None:
    """Show the passages for a question and why they rank so. · 显示相关段落及其排序依据。"""
    from app.cli.questions import search_passages  # noqa: PLC0415

    raise typer.Exit(search_passages(terminal(), question, kb, limit, as_json=json_))


@cli.command()
def doctor(json_: JsonFlag = False) -> None:
    """Check settings, weights, data folder and the running server. · 检查设置、权重、数据文件夹与服务器。"""
    from app.cli.doctor import examine  # noqa: PLC0415

    raise typer.Exit(examine(terminal(), as_json=json_))


@models_cli.command("list")
def models_list(json_: JsonFlag = False) -> None:
    """Known models and which of them are here. · 已知模型及本机状态。"""
    from app.cli.models import list_models  # noqa: PLC0415

    list_models(terminal(), as_json=json_)


@models_cli.command("pull")
def models_pull(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; by default those of the settings. · 模型名称。")
    ] = None,
) -> None:
    """Fetch weights, check them, and work offline from then on. · 下载并校验权重，之后可离线运行。"""
    from app.cli.models import pull_models  # noqa: PLC0415

    pull_models(terminal(), names or [])


@models_cli.command("verify")
def models_verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; by default all that are here. · 模型名称。")
    ] = None,
) -> None:
    """Check the sha256 of every file. · 校验每个文件的 sha256。"""
    from app.cli.models import verify_models  # noqa: PLC0415

    verify_models(terminal(), names or [])


@keys_cli.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="What the key is for. · 密钥用途。")],
    role: Annotated[str, typer.Option(help="reader, editor or admin. · 角色。")] = "reader",
    json_: JsonFlag = False,
) -> None:
    """Make an API key; it is shown once. · 新建 API 密钥；仅显示一次。"""
    at = terminal()
    with at.client() as client:
        made = client.post("/v1/keys", {"name": name, "role": role})
    if json_:
        at.print_json(made)
    else:
        at.out.print(at.words("first_key", secret=made["secret"]), markup=False)


@keys_cli.command("list")
def keys_list(json_: JsonFlag = False) -> None:
    """List API keys. · 列出 API 密钥。"""
    at = terminal()
    with at.client() as client:
        found = client.get("/v1/keys")
    if json_:
        at.print_json(found)
        return
    for key in found["keys"]:
        state = at.words("key_revoked" if key["revoked_at"] else "key_active")
        at.out.print(f"{key['id']}  {key['role']:8} {state:8} {key['name']}", markup=False)


@keys_cli.command("revoke")
def keys_revoke(key_id: Annotated[str, typer.Argument(help="Id of the key. · 密钥编号。")]) -> None:
    """End a key at once. · 立即吊销密钥。"""
    at = terminal()
    with at.client() as client:
        client.delete(f"/v1/keys/{key_id}")
    at.out.print(at.words("revoked", id=key_id), markup=False)


@bases_cli.command("list")
def bases_list(json_: JsonFlag = False) -> None:
    """List knowledge bases. · 列出知识库。"""
    at = terminal()
    with at.client() as client:
        found = client.get("/v1/knowledge-bases")
    if json_:
        at.print_json(found)
        return
    for base in found["knowledge_bases"]:
        at.out.print(f"{base['id']}  {base['ready']}/{base['documents']}  {base['name']}", markup=False)


@bases_cli.command("delete")
def bases_delete(name: Annotated[str, typer.Argument(help="Name of the knowledge base. · 知识库名称。")]) -> None:
    """Delete a knowledge base with its documents. · 删除知识库及其文档。"""
    from app.cli.questions import find_base  # noqa: PLC0415

    at = terminal()
    with at.client() as client:
        client.delete(f"/v1/knowledge-bases/{find_base(at, client, name)['id']}")
    at.out.print(at.words("deleted", name=name), markup=False)


@cli.command()
def version() -> None:
    """Print the version. · 显示版本。"""
    sys.stdout.write(__version__ + "\n")


def main() -> NoReturn:
    """Runs the command line; every error of ours becomes one sentence and an exit code."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # a server sets its own
    try:
        cli(prog_name="manualqa", standalone_mode=True)
    except ManualqaError as error:
        at = terminal()
        at.err.print(error.message(at.words.language), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(_exit_code(error))
    except ValidationError as error:
        sys.stderr.write(_bad_setting(error) + "\n")
        sys.exit(USAGE)
    sys.exit(0)


def _bad_setting(error: ValidationError) -> str:
    """The sentence on settings that cannot be used, of which that of the language may be one."""
    words = Words(spoken_language(language_setting()))
    wrong = [
        (f"MQA_{'.'.join(str(part) for part in found['loc']).upper()}", fault(found, words.language))
        for found in error.errors(include_url=False, include_input=False)
    ]
    return words("bad_setting", reason=faults(wrong, words.language))


def _exit_code(error: ManualqaError) -> int:
    if isinstance(error, ServerNotRunning):
        return NO_SERVER
    refused = isinstance(error, Denied) or (isinstance(error, ServerError) and error.server_status in (401, 403))
    return KEY_REFUSED if refused else FAILED
