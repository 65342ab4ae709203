"""The commands under `python -m eval bench`. Without the folder of labelled manuals a benchmark says so and stops.

Each loads its own benchmark, so that one that cannot be loaded does not keep the others from running.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"

bench_cli = typer.Typer(no_args_is_help=True, help="Benchmarks on labelled manuals. · 在带标注的手册上的基准测试。")
DataOption = Annotated[Path, typer.Option("--data", help="Folder with pdf/ and sets/. · 含 pdf/ 与 sets/ 的文件夹。")]
WorkOption = Annotated[Path, typer.Option("--work", help="Folder for results. · 结果文件夹。")]
WORK = ROOT / "bench-results"


@bench_cli.command("ingest")
def ingest_command(data: DataOption = DATA, work: WorkOption = WORK) -> None:
    """Parse and ingest all manuals: pages per second, peak memory. · 解析与入库速度、内存峰值。"""
    from eval.bench import ingest  # noqa: PLC0415

    _need(data)
    _show("ingest", work, ingest.measure(data, work))


@bench_cli.command("steps")
def steps_command(data: DataOption = DATA, work: WorkOption = WORK) -> None:
    """Times of the steps, beside a stock LangChain pipeline. · 入库各步耗时，与 LangChain 常规流程对比。"""
    from eval.bench import stock  # noqa: PLC0415

    _need(data)
    _show("steps", work, stock.measure(data, work))


@bench_cli.command("large")
def large_command(data: DataOption = DATA, work: WorkOption = WORK) -> None:
    """A manual of 1,600 pages: memory, speed, killed and resumed. · 1600 页手册：内存、速度、中断后续跑。"""
    from eval.bench import large  # noqa: PLC0415

    _need(data)
    _show("large", work, large.measure(data, work))


@bench_cli.command("busy")
def busy_command(data: DataOption = DATA, work: WorkOption = WORK) -> None:
    """Search times while manuals are loaded. · 入库期间的检索耗时。"""
    from eval.bench import busy  # noqa: PLC0415

    _need(data)
    _show("busy", work, busy.measure(data, work))


@bench_cli.command("scanned")
def scanned_command(data: DataOption = DATA, work: WorkOption = WORK) -> None:
    """A scanned manual: OCR speed and found questions. · 扫描版手册：OCR 速度与检索命中。"""
    from eval.bench import scanned  # noqa: PLC0415

    _need(data)
    _show("scanned", work, scanned.measure(data, work))


@bench_cli.command("pages")
def pages_command(data: DataOption = DATA, work: WorkOption = WORK) -> None:
    """Page images and boxes: times, quotes found. · 页面图像与位置框：耗时、引文命中。"""
    from eval.bench import pages  # noqa: PLC0415

    _need(data)
    _show("pages", work, pages.measure(data, work))


@bench_cli.command("retrieval")
def retrieval_command(
    data: DataOption = DATA,
    work: WorkOption = WORK,
    sets: Annotated[list[str] | None, typer.Option("--set", help="Question sets. · 问题集。")] = None,
) -> None:
    """Page-level hit@1, hit@5, MRR@10. · 页级检索指标。"""
    from eval.bench import retrieval  # noqa: PLC0415

    _need(data)
    _show("retrieval", work, retrieval.measure(data, work, sets or ["manuals_gold", "manuals_crosslingual"]))


@bench_cli.command("answers")
def answers_command(
    data: DataOption = DATA,
    work: WorkOption = WORK,
    name: Annotated[str, typer.Option("--set", help="Question set. · 问题集。")] = "manuals_gold",
    answerable: Annotated[int, typer.Option(min=0)] = 40,
    unanswerable: Annotated[int, typer.Option(min=0)] = 20,
    seed: Annotated[int, typer.Option()] = 20261123,
) -> None:
    """Answers, refusals, citations and times on a seeded sample. · 抽样评测回答、拒答、引用与耗时。"""
    from eval.bench import answers  # noqa: PLC0415

    _need(data)
    model = load_settings().llm_model
    rows, outcomes = answers.measure(data, work, name, (answerable, unanswerable), seed, model)
    details = [{**asdict(outcome), "question": outcome.question.model_dump()} for outcome in outcomes]
    _show("answers", work, rows, {"set": name, "seed": seed, "model": model, "outcomes": details})


@bench_cli.command("start")
def start_command(work: WorkOption = WORK) -> None:
    """Cold start and memory at rest. · 冷启动时间与空闲内存。"""
    from eval.bench import start  # noqa: PLC0415

    _show("start", work, start.measure(work, load_settings().llm_model))


@bench_cli.command("quality")
def quality_command(
    data: DataOption = DATA,
    work: WorkOption = WORK,
    sets: Annotated[list[str] | None, typer.Option("--set", help="Question sets. · 问题集。")] = None,
    sample: Annotated[
        list[str] | None, typer.Option("--sample", help="rgb_en=15+10, *=15+10, manuals_gold=all. · 各集抽样。")
    ] = None,
    baseline_sample: Annotated[
        list[str] | None, typer.Option("--baseline-sample", help="The same for the baseline. · 基线的抽样。")
    ] = None,
    answers: Annotated[bool, typer.Option("--answers/--no-answers", help="Ask the model. · 是否调用模型。")] = True,
    baseline: Annotated[bool, typer.Option("--baseline/--no-baseline", help="Stock LangChain. · 对比基线。")] = True,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask everything anew. · 全部重新提问。")] = False,
    seed: Annotated[int, typer.Option()] = 20261123,
) -> None:
    """Retrieval and answers on every set, beside stock LangChain. · 各集检索与回答，与 LangChain 对比。"""
    from eval.bench import quality  # noqa: PLC0415

    _need(data)
    try:
        plan = quality.Plan.chosen(sets, sample, baseline_sample)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    plan = replace(plan, answers=answers, baseline=baseline, fresh=fresh, seed=seed)
    _show("quality", work, quality.measure(data, work, plan))


@bench_cli.command("adapter")
def adapter_command(
    data: DataOption = DATA,
    work: WorkOption = WORK,
    base: Annotated[
        str, typer.Option("--base", help="Model to train on. · 基础模型。")
    ] = "qwen2.5-coder-0.5b-instruct",
    name: Annotated[str, typer.Option("--set", help="Question set. · 问题集。")] = "manuals_gold",
    heldout_share: Annotated[float, typer.Option(min=0.05, max=0.9)] = 0.25,
    rank: Annotated[int | None, typer.Option(min=1)] = None,
    epochs: Annotated[float | None, typer.Option(min=0.01)] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0)] = None,
    evaluate_every: Annotated[int | None, typer.Option(min=1)] = None,
    job: Annotated[str | None, typer.Option("--job", help="Take up a training. · 接着一次训练。")] = None,
) -> None:
    """Train an adapter, host it, and compare it on held-out manuals. · 训练适配器并在留出的手册上对比。"""
    from eval.bench import adapter  # noqa: PLC0415

    _need(data)
    chosen = {"rank": rank, "epochs": epochs, "learning_rate": learning_rate, "evaluate_every": evaluate_every}
    training = {field: value for field, value in chosen.items() if value is not None}
    split = {"heldout_share": heldout_share, "split_by": "document"}
    try:
        rows, details = adapter.measure(data, work, adapter.Trial(base, name, split, training, job))
    except adapter.TrialFailed as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from error
    _show("adapter", work, rows, details)


@bench_cli.command("scale")
def scale_command(
    work: WorkOption = WORK,
    most: Annotated[
        int, typer.Option("--most", min=1000, max=1_000_000, help="Chunks of the largest size. · 最多片段数。")
    ] = 100_000,
    stock: Annotated[bool, typer.Option("--stock/--no-stock", help="Stock LangChain. · 对比 LangChain。")] = True,
) -> None:
    """Search times as a knowledge base grows, at rest and while filling. · 知识库增大时的检索耗时。"""
    from eval.bench import scale  # noqa: PLC0415

    _show("scale", work, scale.measure(work, load_settings(), most, stock=stock))


@bench_cli.command("vectors")
def vectors_command(
    work: WorkOption = WORK,
    most: Annotated[
        int, typer.Option("--most", min=10_000, max=1_000_000, help="Vectors of the largest size. · 最多向量数。")
    ] = 100_000,
) -> None:
    """The vector stores alone, embedded and a real Milvus server. · 仅向量存储：内嵌与真实 Milvus 服务器。"""
    from eval.bench import vectors  # noqa: PLC0415

    _show("vectors", work, vectors.measure(work, load_settings(), most))


@bench_cli.command("traffic")
def traffic_command(
    work: WorkOption = WORK,
    seconds: Annotated[int, typer.Option("--seconds", min=30, help="How long. · 持续多久。")] = 600,
) -> None:
    """20 questions, 5 searches, 2 uploads a second; the overhead over the model. · 并发负载；相对模型服务器的开销。"""
    from eval.bench import traffic  # noqa: PLC0415

    _show("traffic", work, traffic.measure(seconds))


@bench_cli.command("company")
def company_command(
    data: DataOption = DATA,
    work: WorkOption = WORK,
    documents: Annotated[
        int, typer.Option("--documents", min=20, max=400, help="Documents to cut the manuals into. · 切成的文档数。")
    ] = 200,
) -> None:
    """Several processes, one killed, beside one process; moved there and back. · 多进程部署与单进程对比及往返迁移。"""
    from eval.bench import company  # noqa: PLC0415
    from eval.bench.claims import BenchmarkFailed  # noqa: PLC0415
    from eval.bench.company_stores import is_postgres_there  # noqa: PLC0415

    _need(data)
    if not is_postgres_there():
        sys.stderr.write("Left out: Postgres is not installed here (`make postgres`). · 未安装 Postgres。\n")
        raise typer.Exit(0)
    try:
        found = company.measure(data, work, documents)
    except BenchmarkFailed as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from error
    _show("company", work, found.rows)
    if not found.all_met:
        raise typer.Exit(1)


@bench_cli.command("poison")
def poison_command(
    work: WorkOption = WORK,
    cases: Annotated[int, typer.Option("--cases", min=1, help="So many of 216. · 取 216 例中的多少例。")] = 216,
    seed: Annotated[int, typer.Option()] = 20261129,
) -> None:
    """Poisoned manuals: what leaks, is obeyed or goes wrong. · 投毒手册：泄露、服从与出错。"""
    from eval.bench import poison  # noqa: PLC0415

    model = load_settings().llm_model
    rows, outcomes = poison.measure(work, seed, cases, model)
    _show("poison", work, rows, {"seed": seed, "model": model, "outcomes": outcomes})


def _need(data: Path) -> None:
    if not (data / "pdf").is_dir():
        sys.stderr.write(
            f"Left out: no labelled manuals in {data} (give their folder with --data). · 未找到带标注的手册。\n"
        )
        raise typer.Exit(0)


def _show(name: str, work: Path, rows: list[dict[str, Any]], more: dict[str, Any] | None = None) -> None:
    """Prints the rows and keeps them, with the time, beside earlier results."""
    table = Table(title=name)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*("" if row.get(column) is None else str(row[column]) for column in columns))
    Console(width=200 if not sys.stdout.isatty() else None).print(table)
    work.mkdir(parents=True, exist_ok=True)
    made = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    kept = {"made": made, "rows": rows, **(more or {})}
    (work / f"{name}-{made}.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
