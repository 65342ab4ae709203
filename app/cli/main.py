"""The commands and their options; what they do is in the modules beside this one.

Exit codes: 0 done, 1 failed, 2 used wrongly, 3 the manuals have no answer, 4 no server answers, 5 key refused,
6 an evaluation is worse than demanded.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer
from pydantic import ValidationError

from app import __version__
from app.cli import garbage
from app.cli.adapters import adapters_cli
from app.cli.alarms import alarms_cli
from app.cli.evaluate import evaluation_cli
from app.cli.finetune import finetune_cli
from app.cli.keys import audit_cli, keys_cli
from app.cli.reviews import drafts_cli, reviews_cli
from app.cli.terminal import USAGE, bad_setting, exit_code, terminal
from app.errors import ExtraMissing, ManualqaError
from app.types import DocumentState, JobKind, JobState

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Ask product manuals. · 向产品手册提问。")
models_cli = typer.Typer(no_args_is_help=True, help="Model weights on this machine. · 本机的模型权重。")
bases_cli = typer.Typer(no_args_is_help=True, help="Knowledge bases. · 知识库。")
documents_cli = typer.Typer(no_args_is_help=True, help="Documents. · 文档。")
jobs_cli = typer.Typer(
    no_args_is_help=True, help="Jobs: documents and rebuilds on their way. · 任务：处理中的文档与重建。"
)
cli.add_typer(models_cli, name="models")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(audit_cli)
cli.add_typer(bases_cli, name="bases")
cli.add_typer(documents_cli, name="documents")
cli.add_typer(jobs_cli, name="jobs")
cli.add_typer(evaluation_cli, name="eval")
cli.add_typer(reviews_cli)
cli.add_typer(drafts_cli, name="drafts")
cli.add_typer(finetune_cli, name="finetune")
cli.add_typer(adapters_cli, name="adapters")
cli.add_typer(alarms_cli, name="alarms")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON. · 输出 JSON。")]
BaseName = Annotated[str | None, typer.Option("--kb", help="Knowledge base by name. · 知识库名称。")]

JobId = Annotated[str, typer.Argument(help="Id of the job. · 任务编号。")]


@cli.command()
def serve(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one. · 端口；0 表示任选空闲端口。")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. · 监听地址。")] = None,
    sample: Annotated[
        Path | None, typer.Option(help="Folder of sample manuals to load and ask. · 载入示例手册的文件夹。")
    ] = None,
    worker: Annotated[
        bool,
        typer.Option(
            "--worker/--no-worker",
            help="Also work through the queues, or leave that to workers. · 同时处理任务队列，或交给 worker。",
        ),
    ] = True,
) -> None:
    """Start the server. · 启动服务器。"""
    garbage.begin()
    from app.cli.serve import run_server  # noqa: PLC0415 - loads the whole service
    from app.wiring.services import Duty  # noqa: PLC0415

    given = {"port": port, "host": host}
    changes = {name: value for name, value in given.items() if value is not None}
    at = terminal()
    duty = Duty.BOTH if worker else Duty.API
    run_server(at.settings.model_copy(update=changes), at.words, at.err, sample, duty=duty)


@cli.command()
def worker() -> None:
    """Work through the queues beside other processes. · 与其他进程一起处理任务队列。"""
    garbage.begin()
    from app.cli.worker import run_worker  # noqa: PLC0415 - loads the whole service

    at = terminal()
    run_worker(at.settings, at.words, at.err)


@cli.command("model-server")
def model_server(
    host: Annotated[str, typer.Option(help="Address to listen on. · 监听地址。")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port. · 端口。")] = 8001,
) -> None:
    """Serve the local language model alone, for other machines' `serve`. · 单独运行本地语言模型服务器。"""
    from app.cli.model_server import run_model_server  # noqa: PLC0415

    raise typer.Exit(run_model_server(terminal(), host, port))


@cli.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the secrets. · 存放密钥的文件夹。")] = Path("secrets"),
    json_: JsonFlag = False,
) -> None:
    """Make the secrets of docker-compose.yml that are not there yet. · 生成 docker-compose.yml 尚缺的密钥文件。"""
    from app.cli.secret_files import make_secrets  # noqa: PLC0415

    make_secrets(terminal(), folder, as_json=json_)


@cli.command()
def ingest(
    paths: Annotated[
        list[Path], typer.Argument(exists=True, help="Files, folders, ZIP files. · 文件、文件夹或 ZIP 文件。")
    ],
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
    adapter: Annotated[
        str | None,
        typer.Option(
            help="Adapter that answers, by id or name; base: the model alone. · 由哪个适配器作答；base 为基础模型。"
        ),
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Ask the manuals; exit code 3 where they have no answer. · 向手册提问；没有答案时退出码为 3。"""
    from app.cli.questions import ask_question  # noqa: PLC0415

    raise typer.Exit(ask_question(terminal(), question, kb, adapter, as_json=json_))


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
def doctor(
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Mend indexes, files and jobs that disagree. · 修复不一致的索引、文件与任务。"),
    ] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read every file too. · 同时校验每个文件。")] = False,
    json_: JsonFlag = False,
) -> None:
    """Check settings, weights, data folder and the running server. · 检查设置、权重、数据文件夹与服务器。"""
    from app.cli.doctor import examine  # noqa: PLC0415

    raise typer.Exit(examine(terminal(), repair=repair, deep=deep, as_json=json_))


@cli.command()
def backup(
    target: Annotated[Path, typer.Argument(help="Folder to make. · 要新建的文件夹。")], json_: JsonFlag = False
) -> None:
    """Write a backup of the running server into a folder. · 将运行中服务器的备份写入文件夹。"""
    from app.cli.backups import write_backup  # noqa: PLC0415

    raise typer.Exit(write_backup(terminal(), target, as_json=json_))


@cli.command()
def restore(
    source: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A backup. · 备份文件夹。")],
    json_: JsonFlag = False,
) -> None:
    """Restore a backup into an empty data folder (MQA_DATA_DIR). · 将备份恢复到空的数据文件夹。"""
    from app.cli.backups import restore_folder  # noqa: PLC0415

    raise typer.Exit(restore_folder(terminal(), source, as_json=json_))


@cli.command()
def migrate(
    to: Annotated[
        Path,
        typer.Option(
            "--to", exists=True, dir_okay=False, help="File with the target's settings. · 目标部署的设置文件。"
        ),
    ],
    questions: Annotated[
        int, typer.Option(min=0, max=10_000, help="Questions asked of both sides. · 向两侧提问的数量。")
    ] = 100,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look and print the plan. · 只检查并显示计划。")] = False,
    json_: JsonFlag = False,
) -> None:
    """Move everything to other parts, and compare both sides. · 将全部内容迁移到其他组件，并比对两侧。"""
    from app.cli.migrate import migrate as move  # noqa: PLC0415 - loads the whole service

    raise typer.Exit(move(terminal(), to, questions=questions, dry_run=dry_run, as_json=json_))


@cli.command()
def mcp(
    http: Annotated[
        bool,
        typer.Option("--http", help="Serve HTTP on this machine, not one agent over stdio. · 在本机提供 HTTP 服务。"),
    ] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of --http. · --http 的端口。")] = 8090,
) -> None:
    """Give agents the manuals as MCP tools: search, ask, read. · 以 MCP 工具向智能体提供手册。"""
    if importlib.util.find_spec("mcp") is None:
        raise ExtraMissing(feature="The MCP server", extra="mcp")
    from app.cli.mcp_server import run_http, run_stdio  # noqa: PLC0415

    if http:
        run_http(terminal(), port)
    else:
        run_stdio(terminal())


@cli.command()
def link(json_: JsonFlag = False) -> None:
    """Print a link that signs a browser on this machine in, once. · 显示一次性登录链接，供本机浏览器使用。"""
    from app.cli.link import print_link  # noqa: PLC0415

    print_link(terminal(), as_json=json_)


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
    json_: JsonFlag = False,
) -> None:
    """Fetch weights, check them, and work offline from then on. · 下载并校验权重，之后可离线运行。"""
    from app.cli.models import pull_models  # noqa: PLC0415

    pull_models(terminal(), names or [], as_json=json_)


@models_cli.command("verify")
def models_verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; by default all that are here. · 模型名称。")
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Check the sha256 of every file. · 校验每个文件的 sha256。"""
    from app.cli.models import verify_models  # noqa: PLC0415

    raise typer.Exit(verify_models(terminal(), names or [], as_json=json_))


@bases_cli.command("list")
def bases_list(json_: JsonFlag = False) -> None:
    """List knowledge bases. · 列出知识库。"""
    from app.cli.bases import list_bases  # noqa: PLC0415

    list_bases(terminal(), as_json=json_)


@bases_cli.command("rebuild")
def bases_rebuild(
    name: Annotated[str, typer.Argument(help="Name of the knowledge base. · 知识库名称。")],
    chunk_size: Annotated[
        int | None, typer.Option(min=100, max=4000, help="Characters of a chunk. · 分块长度。")
    ] = None,
    chunk_overlap: Annotated[int | None, typer.Option(min=0, max=1000, help="Characters shared. · 重叠长度。")] = None,
    embedder: Annotated[str | None, typer.Option(help="Embedding model. · 嵌入模型。")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Show its progress. · 显示进度。")] = True,
    json_: JsonFlag = False,
) -> None:
    """Build the index anew; the present one answers until then. · 重建索引；完成前由现有索引作答。"""
    from app.cli.bases import rebuild_base  # noqa: PLC0415

    given = {"chunk_size": chunk_size, "chunk_overlap": chunk_overlap, "embedder": embedder}
    changes = {key: value for key, value in given.items() if value is not None}
    raise typer.Exit(rebuild_base(terminal(), name, changes, wait=wait, as_json=json_))


@bases_cli.command("delete")
def bases_delete(
    name: Annotated[str, typer.Argument(help="Name of the knowledge base. · 知识库名称。")], json_: JsonFlag = False
) -> None:
    """Delete a knowledge base with its documents. · 删除知识库及其文档。"""
    from app.cli.bases import delete_base  # noqa: PLC0415

    delete_base(terminal(), name, as_json=json_)


@documents_cli.command("list")
def documents_list(
    kb: BaseName = None,
    state: Annotated[DocumentState | None, typer.Option(help="Only in this state. · 仅列出此状态。")] = None,
    json_: JsonFlag = False,
) -> None:
    """List documents and why any of them failed. · 列出文档及失败原因。"""
    from app.cli.documents import list_documents  # noqa: PLC0415

    list_documents(terminal(), kb, state, as_json=json_)


@documents_cli.command("delete")
def documents_delete(
    document: Annotated[str, typer.Argument(help="Id or name of the document. · 文档编号或名称。")],
    kb: BaseName = None,
    json_: JsonFlag = False,
) -> None:
    """Delete a document; no answer draws on it any more. · 删除文档；此后任何回答都不再用到它。"""
    from app.cli.documents import delete_document  # noqa: PLC0415

    delete_document(terminal(), document, kb, as_json=json_)


@jobs_cli.command("list")
def jobs_list(
    kb: BaseName = None,
    state: Annotated[JobState | None, typer.Option(help="Only in this state. · 仅列出此状态。")] = None,
    kind: Annotated[JobKind | None, typer.Option(help="Only of this kind. · 仅列出此类任务。")] = None,
    json_: JsonFlag = False,
) -> None:
    """List jobs, newest first. · 列出任务，最新的在前。"""
    from app.cli.jobs import list_jobs  # noqa: PLC0415

    list_jobs(terminal(), kb, state, kind, as_json=json_)


@jobs_cli.command("watch")
def jobs_watch(
    job_id: Annotated[str | None, typer.Argument(help="Id of a job; by default all open ones. · 任务编号。")] = None,
    kb: BaseName = None,
    json_: JsonFlag = False,
) -> None:
    """Show progress until the jobs have ended. · 显示进度，直到任务结束。"""
    from app.cli.jobs import watch_jobs  # noqa: PLC0415

    raise typer.Exit(watch_jobs(terminal(), job_id, kb, as_json=json_))


@jobs_cli.command("cancel")
def jobs_cancel(job_id: JobId, json_: JsonFlag = False) -> None:
    """Stop a job; nothing half-done stays. · 停止任务，不留下半成品。"""
    from app.cli.jobs import cancel_job  # noqa: PLC0415

    cancel_job(terminal(), job_id, as_json=json_)


@jobs_cli.command("retry")
def jobs_retry(job_id: JobId, json_: JsonFlag = False) -> None:
    """Try again what failed or was cancelled. · 重试失败或已取消的任务。"""
    from app.cli.jobs import retry_job  # noqa: PLC0415

    retry_job(terminal(), job_id, as_json=json_)


@cli.command()
def version() -> None:
    """Print the version. · 显示版本。"""
    sys.stdout.write(__version__ + "\n")


def main() -> NoReturn:
    """Runs the command line."""
    run_commands(cli, "manualqa")


def run_commands(commands: typer.Typer, program: str) -> NoReturn:
    """Runs the commands of this program; every error of ours becomes one sentence and an exit code."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # a server sets its own
    try:
        commands(prog_name=program, standalone_mode=True)
    except ManualqaError as error:
        at = terminal()
        at.err.print(error.message(at.words.language), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(exit_code(error))
    except ValidationError as error:
        sys.stderr.write(bad_setting(error) + "\n")
        sys.exit(USAGE)
    sys.exit(0)
