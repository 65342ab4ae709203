"""What keeps an adapter from being trained."""

from __future__ import annotations

from app.errors.base import ManualqaError
from app.errors.requests import Conflict, InvalidInput


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
