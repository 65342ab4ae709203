"""Parts that are away or full; later it may work."""

from __future__ import annotations

from app.errors.base import ManualqaError


class Unavailable(ManualqaError):
    """A part of the service is not available now. Try again in a moment."""

    status = 503
    zh = "服务的某个部分暂不可用。请稍后再试。"


class ModelUnavailable(Unavailable):
    """The language model does not answer: {reason}."""

    zh = "语言模型没有应答：{reason}。"


class ModelBusy(Unavailable):
    """The language model is busy. Try again in a moment."""

    status = 429
    zh = "语言模型正忙。请稍后再试。"


class QuestionsFull(Unavailable):
    """The server answers and holds as many questions as it can. Try again in a moment."""

    status = 429
    zh = "服务器正在回答和等待的问题已达上限。请稍后再试。"


class UploadsFull(Unavailable):
    """{limit} files are being uploaded already. Try again in a moment."""

    status = 429
    zh = "已有 {limit} 个文件正在上传。请稍后再试。"


class EmbedderUnavailable(Unavailable):
    """The embedding model is not available: {reason}."""

    zh = "嵌入模型不可用：{reason}。"


class OcrUnavailable(Unavailable):
    """Scanned pages cannot be read now: {reason}."""

    zh = "暂时无法识别扫描页面：{reason}。"


class IndexUnavailable(Unavailable):
    """The search index is not available: {reason}."""

    zh = "搜索索引不可用：{reason}。"


class BlobsUnavailable(Unavailable):
    """The storage of the original files is not available: {reason}. What waits for it goes on by itself."""

    zh = "原始文件的存储不可用：{reason}。等待它的任务会自动继续。"


class BackupFailed(Unavailable):
    """The backup could not be written: {reason}. Nothing of it is left."""

    zh = "备份未能写入：{reason}。没有留下任何内容。"


class MoveBroken(Unavailable):
    """The migration broke off: {reason}. Run the same command again; it goes on where it was."""

    zh = "迁移中断：{reason}。请重新运行同一命令，它会从中断处继续。"


class NoticeNotDelivered(Unavailable):
    """The notice of an alarm was not delivered: {reason}. It is tried again for a while."""

    zh = "告警通知未送达：{reason}。稍后会再尝试几次。"


class PagesBusy(Unavailable):
    """Too many pages are being drawn now. Try again in a moment."""

    zh = "正在绘制的页面过多。请稍后再试。"


class EvaluationQueueFull(Unavailable):
    """{limit} evaluations are waiting already. Try again when one of them has ended, or raise MQA_EVALUATION_QUEUE."""

    status = 429
    zh = "已有 {limit} 次评测在等待。请等其中一次结束后再试，或调大 MQA_EVALUATION_QUEUE。"


class EvaluationStopped(Unavailable):
    """The evaluation was stopped: {reason}. What was answered is kept. Put that right and resume it, or start a new one."""

    zh = "评测已停止：{reason}。已有的回答均已保留。请在排除原因后继续，或重新开始一次评测。"


class NotReady(Unavailable):
    """The server is still starting. Try again in a moment; `GET /readyz` says what it waits for."""

    zh = "服务器仍在启动。请稍后再试；`GET /readyz` 会说明正在等待什么。"


class DiskFull(Unavailable):
    """There is not enough free disk space ({free_mb} MB free, {needed_mb} MB needed). Nothing was stored; free some space and try again."""

    status = 507
    zh = "磁盘空间不足（剩余 {free_mb} MB，需要 {needed_mb} MB）。没有保存任何内容；请清理后重试。"
