"""What the commands of trainings say, in English and Chinese."""

from __future__ import annotations

FINETUNE_WORDS: dict[str, tuple[str, str]] = {
    "stage_waiting": ("waiting", "等待中"),
    "stage_preparing": ("making examples", "正在准备样本"),
    "stage_training": ("training", "正在训练"),
    "stage_registering": ("registering the adapter", "正在登记适配器"),
    "stage_done": ("done", "已完成"),
    "of_steps": ("step {done}/{total}", "第 {done}/{total} 步"),
    "training_loss": ("loss {loss:.3f}", "损失 {loss:.3f}"),
    "heldout_loss": (
        "held-out {loss:.3f} (perplexity {perplexity:.2f})",
        "留出损失 {loss:.3f}（困惑度 {perplexity:.2f}）",
    ),
    "learning_rate": ("lr {rate:.1e}", "学习率 {rate:.1e}"),
    "tokens_per_second": ("{speed} tokens/s", "每秒 {speed} 个 token"),
    "memory": ("{memory} MB", "{memory} MB"),
    "alarm_loss_exploding": (
        "step {step}: the loss is exploding; train again with a lower learning rate.",
        "第 {step} 步：损失急剧上升；请降低学习率后重新训练。",
    ),
    "alarm_not_a_number": ("step {step}: the loss is not a number any more.", "第 {step} 步：损失已不是有效数值。"),
    "alarm_overfitting": (
        "step {step}: the held-out loss rises while the training goes on: it learns by heart. The best step is kept.",
        "第 {step} 步：训练继续而留出损失上升，模型在死记硬背。保留的是最好的一步。",
    ),
    "training_done": ("Adapter {adapter} is registered.", "适配器 {adapter} 已登记。"),
    "training_gain": (
        "Held-out loss {before} -> {after}, perplexity {ppl_before} -> {ppl_after}, best at step {step}.",
        "留出损失 {before} -> {after}，困惑度 {ppl_before} -> {ppl_after}，第 {step} 步最好。",
    ),
    "training_cost": ("{seconds} s a step, {memory} MB at most.", "每步 {seconds} 秒，内存峰值 {memory} MB。"),
    "training_goes_on": ("The training goes on in the service.", "训练会在服务中继续。"),
    "training_come_back": (
        "See it with `manualqa finetune watch {id}`, stop it with `manualqa finetune cancel {id}`.",
        "查看进度：`manualqa finetune watch {id}`；停止：`manualqa finetune cancel {id}`。",
    ),
    "training_ended": (
        "The training has ended at step {done} of {total}: {reason}. Go on with `manualqa finetune resume {id}`.",
        "训练在第 {done}/{total} 步结束：{reason}。可用 `manualqa finetune resume {id}` 继续。",
    ),
    "data_sides": (
        "{pairs} pairs: {train} examples to learn from, {heldout} held out (apart by {by})",
        "{pairs} 个问答对：训练样本 {train} 个，留出样本 {heldout} 个（按{by}划分）",
    ),
    "by_document": ("document", "文档"),
    "by_question": ("question", "问题"),
    "data_kinds": ("Of these: {counts}", "其中：{counts}"),
    "kind_answered": ("{count} answer", "作答 {count} 个"),
    "kind_unanswerable": ("{count} refuse what no manual says", "拒答手册未说明的问题 {count} 个"),
    "kind_withheld": ("{count} refuse since the proof was taken out", "抽去依据后拒答 {count} 个"),
    "data_left_out": ("Left out: {counts}", "未采用：{counts}"),
    "data_drafts": ("{count} drafts that nobody has reviewed", "未经审核的草稿 {count} 个"),
    "data_repeated": ("{count} that ask what another one asks", "重复提问 {count} 个"),
    "data_leaking": ("{count} that ask what is held out", "与留出问题重复 {count} 个"),
    "data_too_long": ("{count} that are too long", "过长 {count} 个"),
    "left_out_not_found": ("{count} whose answer was not found in the manuals", "手册中找不到答案 {count} 个"),
    "left_out_no_room": ("{count} whose proof has no room among the passages", "依据放不进段落 {count} 个"),
    "left_out_not_grounded": ("{count} whose answer the proof does not carry", "依据不支持答案 {count} 个"),
    "left_out_answer_too_long": ("{count} with too long an answer", "答案过长 {count} 个"),
    "left_out_nothing_found": ("{count} for which search finds nothing", "检索不到任何段落 {count} 个"),
    "left_out_other": ("{count} for another reason ({reason})", "其他原因 {count} 个（{reason}）"),
    "data_brought": (
        "{count} examples hold a proof that search had not shown.",
        "{count} 个样本的依据不在检索结果中，已补入。",
    ),
    "data_shared": (
        "{count} manuals have examples on both sides: what is measured may have been learned.",
        "{count} 本手册两边都有样本：留出结果可能偏高。",
    ),
    "data_tokens": (
        "Tokens of an example: {median} (median), {most} (95%), {longest} (longest)",
        "样本的 token 数：中位数 {median}，95% 不超过 {most}，最长 {longest}",
    ),
    "example_answered": ("An example that answers:", "作答的样本："),
    "example_unanswerable": ("An example that refuses what no manual says:", "拒答手册未说明的问题的样本："),
    "example_withheld": ("An example that refuses since the proof was taken out:", "抽去依据后拒答的样本："),
    "example_learned": ("The loss covers only this:", "只有以下内容计入损失："),
    "estimate": (
        "{steps} steps, about {time}, {memory} MB of memory, {disk} MB of disk",
        "{steps} 步，约需 {time}，内存 {memory} MB，磁盘 {disk} MB",
    ),
    "estimate_guessed": (
        "Reckoned from the pairs alone; `manualqa finetune prepare` makes the examples and counts them.",
        "仅按问答对估算；`manualqa finetune prepare` 会实际生成样本并计数。",
    ),
    "estimate_config": (
        "rank {rank}, {targets}, learning rate {learning_rate}, {epochs} epochs, {batch_size} x {accumulate} a step",
        "秩 {rank}，{targets}，学习率 {learning_rate}，{epochs} 轮，每步 {batch_size} x {accumulate} 个样本",
    ),
    "estimate_fits": ("It fits on this machine.", "可以在本机训练。"),
    "hours_minutes": ("{hours} h {minutes} min", "{hours} 小时 {minutes} 分"),
    "minutes": ("{minutes} min", "{minutes} 分钟"),
}
