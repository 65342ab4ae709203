"""The `eval` commands and their options; what they do is in the modules beside this one.

Exit codes are those of `manualqa`, and 6 where a `--fail-under` or `--fail-if-worse` condition is not met.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.terminal import terminal

evaluation_cli = typer.Typer(
    no_args_is_help=True,
    help="How good the answers are: evaluations, comparison, calibration. · 评测回答质量：评测、对比与校准。",
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON. · 输出 JSON。")]
BaseName = Annotated[str | None, typer.Option("--kb", help="Knowledge base by name. · 知识库名称。")]
RunId = Annotated[str, typer.Argument(help="Id of the run. · 评测编号。")]
QuestionFile = Annotated[
    Path,
    typer.Argument(metavar="SET", exists=True, dir_okay=False, help="Question set, .jsonl or .csv. · 问题集文件。"),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", file_okay=False, help="Folder for the results; by default by date in eval-results. · 结果文件夹。"
    ),
]
FailUnder = Annotated[
    list[str] | None,
    typer.Option(
        metavar="METRIC=VALUE",
        help="Exit code 6 where the metric is worse, e.g. answer_accuracy=0.85; repeatable. "
        "· 指标不达标时退出码为 6，可重复使用。",
    ),
]
ReportLanguage = Annotated[
    Literal["zh", "en"] | None, typer.Option(help="Language of the report; by default yours. · 报告语言。")
]
Seed = Annotated[int | None, typer.Option(help="Seed of the sample. · 抽样的随机种子。")]
Answerable = Annotated[
    int | None, typer.Option(min=0, help="Questions that have an answer, at most. · 有答案的问题数上限。")
]
Unanswerable = Annotated[
    int | None, typer.Option(min=0, help="Questions that have none, at most. · 无答案的问题数上限。")
]
Parallel = Annotated[int | None, typer.Option(min=1, max=16, help="Questions under way at once. · 同时进行的问题数。")]


@evaluation_cli.command("run")
def run_command(
    questions: QuestionFile,
    kb: BaseName = None,
    pdfs: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of manuals: a knowledge base of them for this run. · 手册文件夹：为本次评测临时建库。",
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the knowledge base of --pdfs. · 保留 --pdfs 的知识库。")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the run. · 评测名称。")] = None,
    retrieval_only: Annotated[
        bool, typer.Option("--retrieval-only", help="Search only, ask no model. · 仅检索，不调用模型。")
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Questions in all, with and without answer as in the set. · 抽样总数，按原比例。"),
    ] = None,
    answerable: Answerable = None,
    unanswerable: Unanswerable = None,
    seed: Seed = None,
    limit: Annotated[int | None, typer.Option(min=1, max=50, help="Passages per question. · 每题的段落数。")] = None,
    threshold: Annotated[
        float | None, typer.Option(min=-1, max=1, help="Least cosine of a passage. · 段落的最低余弦相似度。")
    ] = None,
    language: Annotated[Literal["zh", "en"] | None, typer.Option(help="Language of answers. · 回答语言。")] = None,
    parallel: Parallel = None,
    judge: Annotated[
        bool, typer.Option("--judge", help="Let a language model judge the answers too. · 另用语言模型评判。")
    ] = False,
    adapter: Annotated[
        str | None,
        typer.Option(help="Adapter that is asked, by id or name; base: the model alone. · 评测哪个适配器。"),
    ] = None,
    out: Out = None,
    report_language: ReportLanguage = None,
    fail_under: FailUnder = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start it and return at once. · 启动后立即返回。")] = False,
    json_: JsonFlag = False,
) -> None:
    """Ask a question set; report what is right, wrong, refused and why. · 用问题集评测，报告对错、拒答及原因。"""
    from app.cli.evaluate_runs import Wanted, run_evaluation  # noqa: PLC0415 - loads the evaluation core
    from eval.records import RunSettings  # noqa: PLC0415

    if kb is not None and pdfs is not None:
        raise typer.BadParameter("Give --kb or --pdfs, not both. · --kb 与 --pdfs 只能选一个。")
    if sample is not None and (answerable is not None or unanswerable is not None):
        raise typer.BadParameter(
            "--sample splits by itself; leave out --answerable and --unanswerable. "
            "· --sample 会自动分配，不能再给 --answerable 或 --unanswerable。"
        )
    if keep and pdfs is None:
        raise typer.BadParameter("--keep goes with --pdfs. · --keep 须与 --pdfs 一起使用。")
    given = {
        "answerable": answerable,
        "unanswerable": unanswerable,
        "seed": seed,
        "limit": limit,
        "threshold": threshold,
        "language": language,
        "parallel": parallel,
        "adapter": adapter,
    }
    settings = RunSettings.model_validate(
        {
            **{key: value for key, value in given.items() if value is not None},
            "mode": "retrieval" if retrieval_only else "answers",
            "judge": judge,
        }
    )
    wanted = Wanted(questions, kb, pdfs, keep, name, settings, sample, out, report_language, tuple(fail_under or ()))
    raise typer.Exit(run_evaluation(terminal(), wanted, detach=detach, as_json=json_))


@evaluation_cli.command("list")
def list_command(kb: BaseName = None, json_: JsonFlag = False) -> None:
    """List runs, newest first. · 列出评测，最新的在前。"""
    from app.cli.evaluate_list import list_runs  # noqa: PLC0415

    list_runs(terminal(), kb, as_json=json_)


@evaluation_cli.command("show")
def show_command(run_id: RunId, json_: JsonFlag = False) -> None:
    """Show a run's figures, also while it is under way. · 显示评测的各项指标，进行中也可查看。"""
    from app.cli.evaluate_list import show_run  # noqa: PLC0415

    show_run(terminal(), run_id, as_json=json_)


@evaluation_cli.command("watch")
def watch_command(
    run_id: RunId,
    out: Out = None,
    report_language: ReportLanguage = None,
    fail_under: FailUnder = None,
    json_: JsonFlag = False,
) -> None:
    """Show progress until the run has ended, then report as `run` does. · 显示进度，结束后给出报告。"""
    from app.cli.evaluate_runs import watch_run  # noqa: PLC0415

    raise typer.Exit(watch_run(terminal(), run_id, out, report_language, tuple(fail_under or ()), as_json=json_))


@evaluation_cli.command("cancel")
def cancel_command(run_id: RunId, json_: JsonFlag = False) -> None:
    """Stop a run; what it has found stays. · 停止评测，已有结果保留。"""
    from app.cli.evaluate_list import cancel_run  # noqa: PLC0415

    cancel_run(terminal(), run_id, as_json=json_)


@evaluation_cli.command("resume")
def resume_command(
    run_id: RunId,
    detach: Annotated[bool, typer.Option("--detach", help="Start it and return at once. · 启动后立即返回。")] = False,
    out: Out = None,
    report_language: ReportLanguage = None,
    fail_under: FailUnder = None,
    json_: JsonFlag = False,
) -> None:
    """Ask what a stopped run has not asked, and what failed. · 继续已停止的评测：补问未问及出错的问题。"""
    from app.cli.evaluate_runs import resume_run  # noqa: PLC0415

    conditions = tuple(fail_under or ())
    raise typer.Exit(resume_run(terminal(), run_id, out, report_language, conditions, detach=detach, as_json=json_))


@evaluation_cli.command("delete")
def delete_command(run_id: RunId, json_: JsonFlag = False) -> None:
    """Delete a run with its records. · 删除评测及其记录。"""
    from app.cli.evaluate_list import delete_run  # noqa: PLC0415

    delete_run(terminal(), run_id, as_json=json_)


@evaluation_cli.command("report")
def report_command(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Id of a run, or a saved run.json. · 评测编号或 run.json。")
    ],
    out: Out = None,
    report_language: ReportLanguage = None,
    fail_under: FailUnder = None,
    json_: JsonFlag = False,
) -> None:
    """Write report.html, run.json and questions.csv of a run. · 生成评测的 report.html、run.json 与 questions.csv。"""
    from app.cli.evaluate_results import report_run  # noqa: PLC0415

    raise typer.Exit(report_run(terminal(), run, out, report_language, tuple(fail_under or ()), as_json=json_))


@evaluation_cli.command("compare")
def compare_command(
    before: Annotated[str, typer.Argument(metavar="A", help="Run before: id or run.json. · 之前的评测。")],
    after: Annotated[str, typer.Argument(metavar="B", help="Run after: id or run.json. · 之后的评测。")],
    out: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, help="File for an HTML page. · HTML 对比页文件。")
    ] = None,
    fail_if_worse: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC",
            help="Exit code 6 where the metric is worse with p < 0.05; repeatable. · 指标显著变差时退出码为 6。",
        ),
    ] = None,
    report_language: ReportLanguage = None,
    json_: JsonFlag = False,
) -> None:
    """Show what got better and worse between two runs, question by question. · 逐题对比两次评测的变化。"""
    from app.cli.evaluate_compare import compare_runs  # noqa: PLC0415

    worse = tuple(fail_if_worse or ())
    raise typer.Exit(compare_runs(terminal(), before, after, out, worse, report_language, as_json=json_))


@evaluation_cli.command("init")
def init_command(
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="File to write, .jsonl or .csv. · 写入的文件。")],
    kb: BaseName = None,
    count: Annotated[int, typer.Option(min=1, max=500, help="Questions. · 问题数。")] = 30,
    seed: Seed = None,
    language: Annotated[
        Literal["zh", "en"] | None, typer.Option(help="Language of the questions. · 提问语言。")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file. · 覆盖已有文件。")] = False,
    json_: JsonFlag = False,
) -> None:
    """Draft a starter set from the passages of a knowledge base; review it. · 由知识库段落起草问题集，须人工审核。"""
    from app.cli.evaluate_drafts import draft_questions  # noqa: PLC0415

    if out.exists() and not force:
        raise typer.BadParameter(f"{out} exists; --force replaces it. · {out} 已存在，--force 可覆盖。")
    raise typer.Exit(draft_questions(terminal(), kb, out, count, seed, language, as_json=json_))


@evaluation_cli.command("calibrate")
def calibrate_command(
    questions: Annotated[
        Path | None,
        typer.Argument(metavar="[SET]", exists=True, dir_okay=False, help="Question set. · 问题集文件。"),
    ] = None,
    kb: BaseName = None,
    most_false_refusals: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of answerable questions that may be refused. · 允许的误拒率。"),
    ] = 0.05,
    retrieval_only: Annotated[
        bool, typer.Option("--retrieval-only", help="By search alone, without the model. · 仅依据检索，不调用模型。")
    ] = False,
    run: Annotated[
        str | None, typer.Option("--run", help="Calibrate by this run instead of a new one. · 使用已有评测。")
    ] = None,
    answerable: Answerable = None,
    unanswerable: Unanswerable = None,
    seed: Seed = None,
    parallel: Parallel = None,
    show: Annotated[bool, typer.Option("--show", help="Show what is stored. · 显示已保存的校准。")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Forget it: defaults again. · 清除校准，恢复默认。")] = False,
    json_: JsonFlag = False,
) -> None:
    """Set when to refuse by labelled questions, checked on held-out ones. · 用带标注的问题校准拒答，并留出验证。"""
    from app.cli.evaluate_calibrate import Target, calibrate, clear_calibration, show_calibration  # noqa: PLC0415
    from eval.records import RunSettings  # noqa: PLC0415

    if sum((questions is not None, run is not None, show, clear)) != 1:
        raise typer.BadParameter(
            "Give one of SET, --run, --show and --clear. · 问题集、--run、--show、--clear 须且只能给一个。"
        )
    if show:
        raise typer.Exit(show_calibration(terminal(), kb, as_json=json_))
    if clear:
        raise typer.Exit(clear_calibration(terminal(), kb, as_json=json_))
    given = {"answerable": answerable, "unanswerable": unanswerable, "seed": seed, "parallel": parallel}
    settings = RunSettings.model_validate(
        {
            **{key: value for key, value in given.items() if value is not None},
            "mode": "retrieval" if retrieval_only else "answers",
            "keep_doubtful": True,
        }
    )
    raise typer.Exit(calibrate(terminal(), kb, Target(questions, run, settings, most_false_refusals), as_json=json_))


@evaluation_cli.command("metrics")
def metrics_command(json_: JsonFlag = False) -> None:
    """List the metrics and what they mean. · 列出各项指标及含义。"""
    from app.cli.evaluate_list import list_metrics  # noqa: PLC0415

    list_metrics(terminal(), as_json=json_)
