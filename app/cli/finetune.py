"""The `finetune` commands and their options; what they do is in the modules beside this one.

Exit codes are those of `manualqa`; `watch`, and `run` and `resume` with `--watch`, give 1 where the training failed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.cli.terminal import terminal

finetune_cli = typer.Typer(
    no_args_is_help=True,
    help="Train an adapter on your own questions and answers. · 用自己的问答对训练适配器。",
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON. · 输出 JSON。")]
BaseName = Annotated[str | None, typer.Option("--kb", help="Knowledge base by name. · 知识库名称。")]
TrainingId = Annotated[str, typer.Argument(metavar="ID", help="Id of the training. · 训练任务编号。")]
PairFile = Annotated[
    Path,
    typer.Argument(metavar="PAIRS", exists=True, dir_okay=False, help="Pairs, .jsonl or .csv. · 问答对文件。"),
]
Drafts = Annotated[
    bool, typer.Option("--drafts", help="Take drafts that nobody has reviewed, too. · 也使用未经审核的草稿。")
]
HeldoutShare = Annotated[
    float | None, typer.Option(min=0, max=0.9, help="Share of the pairs that is held out. · 留出比例。")
]
WithheldShare = Annotated[
    float | None,
    typer.Option(min=0, max=0.9, help="Share that becomes refusals, the proof taken out. · 抽去依据改为拒答的比例。"),
]
SplitBy = Annotated[
    Literal["document", "question"] | None, typer.Option(help="What is held out as a whole. · 按文档或问题留出。")
]
Weights = Annotated[
    str | None, typer.Option("--base", help="Another packing of the served model. · 所用模型的另一种打包。")
]
Rank = Annotated[int | None, typer.Option(min=1, max=256, help="Rank of the adapter. · 适配器的秩。")]
Targets = Annotated[
    Literal["attention", "attention+mlp"] | None, typer.Option(help="Projections that learn. · 训练哪些投影层。")
]
LearningRate = Annotated[float | None, typer.Option(min=0, max=1, help="Highest learning rate. · 最高学习率。")]
Epochs = Annotated[float | None, typer.Option(min=0, max=100, help="Times each example is seen. · 训练轮数。")]
BatchSize = Annotated[int | None, typer.Option(min=1, max=256, help="Examples at once. · 批大小。")]
Accumulate = Annotated[int | None, typer.Option(min=1, max=256, help="Batches of one step. · 每步累积的批数。")]
MaxTokens = Annotated[
    int | None, typer.Option(min=32, max=32_768, help="Longest example; longer ones are left out. · 样本长度上限。")
]
ContextTokens = Annotated[
    int | None, typer.Option(min=100, max=16_384, help="Passages' share of a prompt. · 段落部分的 token 数。")
]
Checkpointing = Annotated[
    bool | None,
    typer.Option("--gradient-checkpointing", help="Less memory, a third more time. · 节省内存，用时增加三分之一。"),
]
FourBit = Annotated[
    bool | None, typer.Option("--four-bit", help="Hold the base in 4 bits, on CUDA only. · 以 4 位加载，仅限 CUDA。")
]
Patience = Annotated[
    int | None, typer.Option(min=0, max=100, help="Evaluations without gain before it ends; 0 never. · 早停耐心。")
]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of split, order and dropout. · 随机种子。")]
Watch = Annotated[bool, typer.Option("--watch", help="Show the curves until it has ended. · 显示进度直到结束。")]


def _choices(**given: Any) -> dict[str, Any]:  # noqa: ANN401 - the options' own
    return {name: value for name, value in given.items() if value is not None}


@finetune_cli.command("prepare")
def prepare_command(
    pairs: PairFile,
    kb: BaseName = None,
    drafts: Drafts = False,
    heldout_share: HeldoutShare = None,
    withheld_share: WithheldShare = None,
    split_by: SplitBy = None,
    max_tokens: MaxTokens = None,
    context_tokens: ContextTokens = None,
    seed: Seed = None,
    json_: JsonFlag = False,
) -> None:
    """Show what would be learned from the pairs; nothing is kept. · 预览将要学习的样本，不保存任何内容。"""
    from app.cli.finetune_data import Order, show_data  # noqa: PLC0415

    data = _choices(drafts=drafts, heldout_share=heldout_share, withheld_share=withheld_share, split_by=split_by)
    training = _choices(max_tokens=max_tokens, context_tokens=context_tokens, seed=seed)
    show_data(terminal(), Order(pairs, kb, None, None, data, training), as_json=json_)


@finetune_cli.command("estimate")
def estimate_command(
    pairs: PairFile,
    kb: BaseName = None,
    base: Weights = None,
    drafts: Drafts = False,
    heldout_share: HeldoutShare = None,
    rank: Rank = None,
    targets: Targets = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    accumulate: Accumulate = None,
    max_tokens: MaxTokens = None,
    context_tokens: ContextTokens = None,
    gradient_checkpointing: Checkpointing = None,
    four_bit: FourBit = None,
    json_: JsonFlag = False,
) -> None:
    """Show time, memory and disk of a training; exit code 1 where it cannot fit. · 估算时间、内存与磁盘。"""
    from app.cli.finetune_data import Order, show_estimate  # noqa: PLC0415

    training = _choices(
        rank=rank,
        targets=targets,
        epochs=epochs,
        batch_size=batch_size,
        accumulate=accumulate,
        max_tokens=max_tokens,
        context_tokens=context_tokens,
        gradient_checkpointing=gradient_checkpointing,
        four_bit=four_bit,
    )
    data = _choices(drafts=drafts, heldout_share=heldout_share)
    raise typer.Exit(show_estimate(terminal(), Order(pairs, kb, None, base, data, training), as_json=json_))


@finetune_cli.command("run")
def run_command(
    pairs: PairFile,
    kb: BaseName = None,
    name: Annotated[str | None, typer.Option(help="Name of the adapter. · 适配器名称。")] = None,
    base: Weights = None,
    drafts: Drafts = False,
    heldout_share: HeldoutShare = None,
    withheld_share: WithheldShare = None,
    split_by: SplitBy = None,
    rank: Rank = None,
    alpha: Annotated[int | None, typer.Option(min=1, max=1024, help="Strength, by default 32. · 缩放系数。")] = None,
    dropout: Annotated[float | None, typer.Option(min=0, max=0.99, help="Dropout of the adapter. · 丢弃率。")] = None,
    targets: Targets = None,
    learning_rate: LearningRate = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    accumulate: Accumulate = None,
    max_tokens: MaxTokens = None,
    context_tokens: ContextTokens = None,
    gradient_checkpointing: Checkpointing = None,
    four_bit: FourBit = None,
    patience: Patience = None,
    evaluate_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between two evaluations. · 评测间隔。")
    ] = None,
    seed: Seed = None,
    watch: Watch = False,
    json_: JsonFlag = False,
) -> None:
    """Train an adapter in the background. · 在后台训练适配器。"""
    from app.cli.finetune_data import Order  # noqa: PLC0415
    from app.cli.finetune_runs import run_training  # noqa: PLC0415

    training = _choices(
        rank=rank,
        alpha=alpha,
        dropout=dropout,
        targets=targets,
        learning_rate=learning_rate,
        epochs=epochs,
        batch_size=batch_size,
        accumulate=accumulate,
        max_tokens=max_tokens,
        context_tokens=context_tokens,
        gradient_checkpointing=gradient_checkpointing,
        four_bit=four_bit,
        patience=patience,
        evaluate_every=evaluate_every,
        seed=seed,
    )
    data = _choices(drafts=drafts, heldout_share=heldout_share, withheld_share=withheld_share, split_by=split_by)
    raise typer.Exit(run_training(terminal(), Order(pairs, kb, name, base, data, training), watch=watch, as_json=json_))


@finetune_cli.command("list")
def list_command(kb: BaseName = None, json_: JsonFlag = False) -> None:
    """List trainings, newest first. · 列出训练任务，最新的在前。"""
    from app.cli.finetune_runs import list_trainings  # noqa: PLC0415

    list_trainings(terminal(), kb, as_json=json_)


@finetune_cli.command("show")
def show_command(training_id: TrainingId, json_: JsonFlag = False) -> None:
    """Show a training with its curve on held-out examples. · 显示训练任务及留出损失曲线。"""
    from app.cli.finetune_runs import show_training  # noqa: PLC0415

    show_training(terminal(), training_id, as_json=json_)


@finetune_cli.command("watch")
def watch_command(training_id: TrainingId, json_: JsonFlag = False) -> None:
    """Show losses, speed and time left until it has ended. · 实时显示损失、速度与剩余时间，直到结束。"""
    from app.cli.finetune_runs import watch_training  # noqa: PLC0415

    raise typer.Exit(watch_training(terminal(), training_id, as_json=json_))


@finetune_cli.command("cancel")
def cancel_command(training_id: TrainingId, json_: JsonFlag = False) -> None:
    """Stop a training; it can go on after its last checkpoint. · 停止训练，之后可从最近的检查点继续。"""
    from app.cli.finetune_runs import cancel_training  # noqa: PLC0415

    cancel_training(terminal(), training_id, as_json=json_)


@finetune_cli.command("resume")
def resume_command(training_id: TrainingId, watch: Watch = False, json_: JsonFlag = False) -> None:
    """Go on with a training that failed or was cancelled. · 继续失败或已取消的训练。"""
    from app.cli.finetune_runs import resume_training  # noqa: PLC0415

    raise typer.Exit(resume_training(terminal(), training_id, watch=watch, as_json=json_))


@finetune_cli.command("delete")
def delete_command(training_id: TrainingId, json_: JsonFlag = False) -> None:
    """Delete a training with its folder; its adapter stays. · 删除训练任务及其文件夹，适配器保留。"""
    from app.cli.finetune_runs import delete_training  # noqa: PLC0415

    delete_training(terminal(), training_id, as_json=json_)
