"""What keeps an adapter from being trained."""

from __future__ import annotations

from app.errors.base import ManualqaError
from app.errors.requests import Conflict, InvalidInput, NotFound
from app.errors.unavailable import Unavailable


class TrainingNotFound(NotFound):
    """There is no training {ref}. `GET /v1/finetune/jobs` lists those there are."""

    zh = "没有训练任务 {ref}。`GET /v1/finetune/jobs` 可列出现有的训练任务。"


class TrainingEnded(Conflict):
    """The training {ref} has ended already; there is nothing to cancel."""

    zh = "训练任务 {ref} 已结束，无需取消。"


class TrainingDone(Conflict):
    """The training {ref} is done and its adapter is registered; there is nothing to resume."""

    zh = "训练任务 {ref} 已完成，适配器已登记，无需继续。"


class TrainingsFull(Conflict):
    """This server keeps {limit} trainings already. Delete some, or raise MQA_MAX_FINETUNES."""

    zh = "服务器已保存 {limit} 个训练任务。请删除一部分，或调大 MQA_MAX_FINETUNES。"


class TrainingQueueFull(Unavailable):
    """{limit} trainings are waiting already. Try again when one of them has ended, or raise MQA_FINETUNE_QUEUE."""

    status = 429
    zh = "已有 {limit} 个训练任务在等待。请等其中一个结束后再试，或调大 MQA_FINETUNE_QUEUE。"


class TrainingGaveUp(ManualqaError):
    """The training ended {attempts} times without coming on ({reason}), and was given up. Its log is kept; put that right and resume it."""

    zh = "训练连续 {attempts} 次中断而没有进展（{reason}），已放弃。日志已保留；请在排除原因后继续。"


class TrainingPairsInvalid(InvalidInput):
    """The training pairs {name} cannot be used: {reason}"""

    zh = "训练问答对 {name} 无法使用：{reason}"


class TrainingSetTooSmall(InvalidInput):
    """There is too little to learn from: {examples} examples to train on and {heldout} held out; at least {least} and {least_heldout} are needed. Add question/answer pairs whose answers stand in the manuals."""

    zh = "可学习的内容太少：训练样本 {examples} 个，留出样本 {heldout} 个；至少需要 {least} 个和 {least_heldout} 个。请补充答案出自手册的问答对。"


class TrainingBaseUnusable(Conflict):
    """The model {name} cannot be trained here: {reason}. Name another one as the base."""

    zh = "无法在此训练模型 {name}：{reason}。请指定其他基础模型。"


class TrainingDoesNotFit(Conflict):
    """This training does not fit: {reason}. Choose a smaller base, batch size or number of epochs, or train on another machine."""

    zh = "训练所需超出本机条件：{reason}。请选择更小的基础模型、批大小或轮数，或换一台机器训练。"


class TrainingDiverged(ManualqaError):
    """The training was stopped at step {step}: the loss is not a number any more. Train again with a lower learning rate."""

    zh = "训练在第 {step} 步停止：损失已不是有效数值。请降低学习率后重新训练。"


class TrainingFailed(ManualqaError):
    """The training failed: {reason}. The log of its run folder has the details."""

    zh = "训练失败：{reason}。详情见训练文件夹中的日志。"
