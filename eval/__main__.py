"""`python -m eval`: the commands of `manualqa eval`, and under `bench` the benchmarks on labelled manuals."""

from __future__ import annotations

import signal
import sys

import typer

from app.cli.evaluate import evaluation_cli
from app.cli.main import run_commands
from eval.bench.commands import bench_cli

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Measure manualqa. · 评测 manualqa。")
cli.add_typer(evaluation_cli)
cli.add_typer(bench_cli, name="bench")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a server of the command's own is stopped too
    run_commands(cli, "python -m eval")
