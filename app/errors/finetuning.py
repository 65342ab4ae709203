"""What stands against a training of an adapter."""

from __future__ import annotations

from app.errors.base import ManualqaError
from app.errors.requests import Conflict, NotFound
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
