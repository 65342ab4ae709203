"""`python -m eval`: measures the service on labelled manuals. Without the folder of manuals it says so and stops."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.settings import load_settings
from eval.bench import answers, busy, ingest, large, retrieval, scanned, start, stock

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Measure manualqa. · 评测 manualqa。")
DataOption = Annotated[Path, typer.Option("--data", help="Folder with pdf/ and sets/. · 含 pdf/ 与 sets/ 的文件夹。")]
WorkOption = Annotated[Path, typer.Option("--work", help="Folder for results. · 结果文件夹。")]
WORK = ROOT / "bench-results"


@cli.command("ingest")
def ingest_command(data: DataOption = DATA, work: WorkOption = WORK) -> None:
    """Parse and ingest all manuals: pages per second, peak memory. · 解析与入库速度、内存峰值。"""
    _need(data)
    _show("ingest", work, ingest.measure(data, work))


@cli.command("steps")
def steps_command(data: DataOption = DATA, work: WorkOption = WORK) -> None:
    """Times of the steps, beside a stock LangChain pipeline. · 入库各步耗时，与 LangChain 常规流程对比。"""
    _need(data)
    _show("steps", work, stock.measure(data, work))


@cli.command("large")
def large_command(data: DataOption = DATA, work: WorkOption = WORK) -> None:
    """A manual of 1,600 pages: memory, speed, killed and resumed. · 1600 页手册：内存、速度、中断后续跑。"""
    _need(data)
    _show("large", work, large.measure(data, work))


@cli.command("busy")
def busy_command(data: DataOption = DATA, work: WorkOption = WORK) -> None:
    """Search times while manuals are loaded. · 入库期间的检索耗时。"""
    _need(data)
    _show("busy", work, busy.measure(data, work))


@cli.command("scanned")
def scanned_command(data: DataOption = DATA, work: WorkOption = WORK) -> None:
    """A scanned manual: OCR speed and found questions. · 扫描版手册：OCR 速度与检索命中。"""
    _need(data)
    _show("scanned", work, scanned.measure(data, work))


@cli.command("retrieval")
def retrieval_command(
    data: DataOption = DATA,
    work: WorkOption = WORK,
    sets: Annotated[list[str] | None, typer.Option("--set", help="Question sets. · 问题集。")] = None,
) -> None:
    """Page-level hit@1, hit@5, MRR@10. · 页级检索指标。"""
    _need(data)
    _show("retrieval", work, retrieval.measure(data, work, sets or ["manuals_gold", "manuals_crosslingual"]))


@cli.command("answers")
def answers_command(
    data: DataOption = DATA,
    work: WorkOption = WORK,
    name: Annotated[str, typer.Option("--set", help="Question set. · 问题集。")] = "manuals_gold",
    answerable: Annotated[int, typer.Option(min=0)] = 40,
    unanswerable: Annotated[int, typer.Option(min=0)] = 20,
    seed: Annotated[int, typer.Option()] = 20261123,
) -> None:
    """Answers, refusals, citations and times on a seeded sample. · 抽样评测回答、拒答、引用与耗时。"""
    _need(data)
    model = load_settings().llm_model
    rows, outcomes = answers.measure(data, work, name, (answerable, unanswerable), seed, model)
    details = [{**asdict(outcome), "question": outcome.question.model_dump()} for outcome in outcomes]
    _show("answers", work, rows, {"set": name, "seed": seed, "model": model, "outcomes": details})


@cli.command("start")
def start_command(work: WorkOption = WORK) -> None:
    """Cold start and memory at rest. · 冷启动时间与空闲内存。"""
    _show("start", work, start.measure(work, load_settings().llm_model))


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


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the benchmark's server is stopped too
    cli(prog_name="python -m eval")
