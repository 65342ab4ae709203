"""The one error tree. A class's docstring is the sentence the user reads in English, `zh` the same in Chinese.

    ManualqaError
    |- InvalidInput (422)       QuestionEmpty, QuestionTooLong, InvalidName, InvalidRequest (400),
    |                           BodyTooLarge (413), UnsupportedType (415), QuestionSetInvalid, TooManyQuestions
    |- NotFound (404)           KnowledgeBaseNotFound, DocumentNotFound, JobNotFound, EvaluationNotFound, CalibrationNotFound,
    |                           ConversationNotFound, TurnNotFound,
    |                           PageNotFound, NoPageImage, RouteNotFound, MethodNotAllowed (405)
    |- Conflict (409)           NameTaken, FingerprintMismatch, KnowledgeBaseFull, RebuildRunning, JobEnded,
    |                           JobCancelled, NothingToRetry, KnowledgeBaseEmpty, EvaluationsFull, EvaluationEnded,
    |                           NothingToResume, EvaluationUnanswered, CalibrationImpossible, ConversationFull
    |- Denied                   KeyMissing (401), KeyInvalid (401), SessionEnded (401), SignInLinkInvalid (401),
    |                           RoleTooLow (403), CrossSite (403)
    |- DocumentError            Unreadable, EmptyFile, NoText, NeedsOcr, Encrypted, TooManyPages, DocumentTooCostly,
    |                           PageImageFailed, IngestFailed, RebuildFailed, GaveUp
    |- Unavailable (503)        ModelUnavailable, ModelBusy (429), EmbedderUnavailable, OcrUnavailable, IndexUnavailable, DiskFull (507),
    |                           NotReady, PagesBusy, EvaluationQueueFull (429), EvaluationStopped
    `- SetupError               DataFolderLocked, DataFolderUnusable, PortInUse, AddressUnusable, WeightsMissing, WeightsCorrupt, UnknownModel, ExtraMissing,
                                ServerNotRunning, OwnServerFailed, MigrationFailed

Text in braces is filled from the keyword arguments, which may be phrases of `app/phrases.py`; `detail` goes to the log and never to a user.
"""

from __future__ import annotations

import inspect
from typing import ClassVar

from app.phrases import PHRASE_PARAMETERS, translated
from app.types import Language


class ManualqaError(Exception):
    """Something went wrong inside manualqa; the log has the details."""

    status: ClassVar[int] = 500
    zh: ClassVar[str] = "manualqa 内部出错；详情见日志。"

    def __init__(self, detail: str | None = None, **params: object) -> None:
        self.detail = detail
        self.params = params
        super().__init__(self.message("en"))

    @classmethod
    def code(cls) -> str:
        """The stable machine name: `DataFolderLocked` is `data_folder_locked`."""
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")

    def stored_params(self) -> dict[str, int | float | str]:
        """`params` as a database keeps them."""
        return {key: value if isinstance(value, int | float) else str(value) for key, value in self.params.items()}

    def message(self, language: Language) -> str:
        """The sentence for people, in the language asked for."""
        template = self.zh if language == "zh" else " ".join((inspect.getdoc(type(self)) or "").split())
        return template.format_map(
            _Blanks({name: _shown(name, value, language) for name, value in self.params.items()})
        )


def _shown(name: str, value: object, language: Language) -> object:
    return translated(value, language) if name in PHRASE_PARAMETERS and isinstance(value, str) else value


class _Blanks(dict[str, object]):
    """A missing parameter must not hide the error that is being reported."""

    def __missing__(self, key: str) -> str:
        return "?"


# --- input -----------------------------------------------------------------------------------------------------------


class InvalidInput(ManualqaError):
    """The request is not valid: {reason}"""

    status = 422
    zh = "请求无效：{reason}"


class InvalidRequest(InvalidInput):
    """The request is malformed: {reason}"""

    status = 400
    zh = "请求格式有误：{reason}"


class QuestionEmpty(InvalidInput):
    """The question is empty; write what you want to know."""

    zh = "问题为空；请写下想知道的内容。"


class QuestionTooLong(InvalidInput):
    """The question has {length} characters; at most {limit} are allowed. Ask for one thing at a time."""

    zh = "问题有 {length} 个字符，最多允许 {limit} 个。请一次只问一件事。"


class InvalidName(InvalidInput):
    """The name cannot be used: it must have 1 to {limit} visible characters."""

    zh = "名称不符合要求：须为 1 到 {limit} 个可见字符。"


class BodyTooLarge(InvalidInput):
    """What was sent is larger than the limit of {limit_mb} MB. Send it in smaller parts, or raise {setting}."""

    status = 413
    zh = "发送的内容超过 {limit_mb} MB 的上限。请拆分后再发送，或调大 {setting}。"


class UnsupportedType(InvalidInput):
    """Files of the type of {name} cannot be read. Send one of these: {allowed}."""

    status = 415
    zh = "不支持文件 {name} 的类型。支持的类型：{allowed}。"


class QuestionSetInvalid(InvalidInput):
    """The question set {name} cannot be used: {reason}"""

    zh = "问题集 {name} 无法使用：{reason}"


class TooManyQuestions(InvalidInput):
    """There are {count} questions to ask; one evaluation may have {limit}. Draw a sample, or raise MQA_EVALUATION_QUESTIONS."""

    zh = "共有 {count} 个问题，一次评测最多 {limit} 个。请抽样，或调大 MQA_EVALUATION_QUESTIONS。"


# --- not found, conflict, denied --------------------------------------------------------------------------------------


class NotFound(ManualqaError):
    """What was asked for does not exist."""

    status = 404
    zh = "请求的对象不存在。"


class KnowledgeBaseNotFound(NotFound):
    """There is no knowledge base {ref}. `GET /v1/knowledge-bases` lists those there are."""

    zh = "没有知识库 {ref}。`GET /v1/knowledge-bases` 可列出现有的知识库。"


class DocumentNotFound(NotFound):
    """There is no document {ref} in this knowledge base."""

    zh = "此知识库中没有文档 {ref}。"


class JobNotFound(NotFound):
    """There is no job {ref}."""

    zh = "没有任务 {ref}。"


class EvaluationNotFound(NotFound):
    """There is no evaluation {ref}. `GET /v1/evaluations` lists those there are."""

    zh = "没有评测 {ref}。`GET /v1/evaluations` 可列出现有的评测。"


class PageNotFound(NotFound):
    """The document {name} has no page {page}."""

    zh = "文档 {name} 没有第 {page} 页。"


class NoPageImage(NotFound):
    """The document {name} has no page images; only PDF files have. Show the text of its pages."""

    zh = "文档 {name} 没有页面图像，只有 PDF 文件才有。请显示页面文字。"


class ConversationNotFound(NotFound):
    """There is no conversation {ref} of this key."""

    zh = "此密钥没有对话 {ref}。"


class TurnNotFound(NotFound):
    """There is no question {ref} in a conversation of this key."""

    zh = "此密钥的对话中没有提问 {ref}。"


class RouteNotFound(NotFound):
    """There is nothing at this address. `GET /openapi.json` lists every route."""

    zh = "此地址不存在。`GET /openapi.json` 可列出全部接口。"


class MethodNotAllowed(ManualqaError):
    """This address does not take {method}. `GET /openapi.json` lists what it takes."""

    status = 405
    zh = "此地址不支持 {method} 方法。`GET /openapi.json` 可列出支持的方法。"


class Conflict(ManualqaError):
    """The request does not fit the present state."""

    status = 409
    zh = "请求与当前状态冲突。"


class NameTaken(Conflict):
    """There is already a knowledge base named {name}. Choose another name, or use that one."""

    zh = "已有名为 {name} 的知识库。请换一个名称，或直接使用已有的知识库。"


class FingerprintMismatch(Conflict):
    """This knowledge base was indexed with {built_with}, which this server does not have; it runs {running}. Rebuild the
    index with `manualqa bases rebuild`, or fetch that model again with `manualqa models pull`."""

    zh = "此知识库的索引由 {built_with} 建立，而本服务器没有该模型，当前使用 {running}。请用 `manualqa bases rebuild` 重建索引，或用 `manualqa models pull` 重新下载该模型。"


class KnowledgeBaseFull(Conflict):
    """The knowledge base {name} is full: it may hold {limit}. Delete documents, use another knowledge base, or raise {setting}."""

    zh = "知识库 {name} 已满：最多容纳 {limit}。请删除部分文档、改用其他知识库，或调大 {setting}。"


class RebuildRunning(Conflict):
    """The index of {name} is being rebuilt already. Wait for that job, or cancel it."""

    zh = "{name} 的索引正在重建。请等待该任务完成，或先取消它。"


class JobEnded(Conflict):
    """The job {ref} has ended already; there is nothing to cancel."""

    zh = "任务 {ref} 已结束，无需取消。"


class JobCancelled(Conflict):
    """The job was cancelled."""

    zh = "任务已取消。"


class NothingToRetry(Conflict):
    """The document {name} is ready; there is nothing to try again."""

    zh = "文档 {name} 已就绪，无需重试。"


class CalibrationNotFound(NotFound):
    """The knowledge base {ref} is not calibrated. `POST` an evaluation to the same address to calibrate it."""

    zh = "知识库 {ref} 尚未校准。向同一地址 `POST` 一次评测即可校准。"


class CalibrationImpossible(Conflict):
    """The evaluation {ref} cannot be used for calibration: {reason}."""

    zh = "评测 {ref} 不能用于校准：{reason}。"


class KnowledgeBaseEmpty(Conflict):
    """The knowledge base {name} has no document that is ready, so there is nothing to evaluate. Upload manuals and wait until they are ready."""

    zh = "知识库 {name} 中没有已就绪的文档，无从评测。请先上传手册，等待其就绪。"


class EvaluationsFull(Conflict):
    """The knowledge base {name} has {limit} evaluations already. Delete some, or raise MQA_MAX_EVALUATIONS."""

    zh = "知识库 {name} 已有 {limit} 次评测。请删除一部分，或调大 MQA_MAX_EVALUATIONS。"


class EvaluationEnded(Conflict):
    """The evaluation {ref} has ended already; there is nothing to cancel."""

    zh = "评测 {ref} 已结束，无需取消。"


class NothingToResume(Conflict):
    """Every question of the evaluation {ref} has been answered; there is nothing to resume."""

    zh = "评测 {ref} 的问题都已有回答，无需继续。"


class EvaluationUnanswered(Conflict):
    """The evaluation {ref} has no answers yet, so there is nothing to report. Wait until it has begun."""

    zh = "评测 {ref} 还没有任何回答，无法生成报告。请等它开始之后再试。"


class ConversationFull(Conflict):
    """This conversation has {limit} questions already. Begin a new one, or raise MQA_MAX_TURNS."""

    zh = "此对话已有 {limit} 个提问。请新建对话，或调大 MQA_MAX_TURNS。"


class Denied(ManualqaError):
    """This key may not do that."""

    status = 403
    zh = "此密钥无权执行该操作。"


class KeyMissing(Denied):
    """An API key is needed. Send it as `Authorization: Bearer <key>`."""

    status = 401
    zh = "需要 API 密钥。请放在请求头 `Authorization: Bearer <密钥>` 中。"


class KeyInvalid(Denied):
    """The API key is not valid. Check it, or make a new one with `manualqa keys create`."""

    status = 401
    zh = "API 密钥无效。请检查密钥，或用 `manualqa keys create` 新建一个。"


class RoleTooLow(Denied):
    """This key has the role {role}; {needed} is needed."""

    zh = "此密钥的角色是 {role}，该操作需要 {needed}。"


class SessionEnded(Denied):
    """You are signed out: the session has ended. Sign in again."""

    status = 401
    zh = "登录已失效，请重新登录。"


class SignInLinkInvalid(Denied):
    """This sign-in link was used already, is older than an hour, or was opened on another machine. Make a new one with `manualqa link`, or sign in with an API key."""

    status = 401
    zh = "此登录链接已被使用、已超过一小时，或不是在服务器本机打开的。请用 `manualqa link` 生成新链接，或使用 API 密钥登录。"


class CrossSite(Denied):
    """The request came from another site and was refused. Open the page again and repeat it there."""

    zh = "请求来自其他网站，已被拒绝。请重新打开本页面后再操作。"


# --- documents -------------------------------------------------------------------------------------------------------


class DocumentError(ManualqaError):
    """The document could not be read."""

    status = 422
    zh = "无法读取该文档。"


class EmptyFile(DocumentError):
    """The file {name} is empty (0 bytes). Upload it again from the original."""

    zh = "文件 {name} 为空（0 字节）。请用原始文件重新上传。"


class Unreadable(DocumentError):
    """The file {name} is damaged or not what its type says: {reason}. Open it in a viewer, save it again and upload the new file."""

    zh = "文件 {name} 已损坏，或与其类型不符：{reason}。请用阅读器打开并另存，再上传新文件。"


class NoText(DocumentError):
    """The file {name} has no text in it, so nothing could be answered from it."""

    zh = "文件 {name} 中没有文字，无法据此回答问题。"


class NeedsOcr(DocumentError):
    """The file {name} has page images but no text layer: it needs OCR. Run it through an OCR program and upload the result."""

    zh = "文件 {name} 只有页面图像而没有文字层，需要 OCR。请先用 OCR 软件识别，再上传识别后的文件。"


class Encrypted(DocumentError):
    """The file {name} is protected by a password. Save a copy without the password and upload that."""

    zh = "文件 {name} 受密码保护。请另存一份无密码的副本再上传。"


class TooManyPages(DocumentError):
    """The file {name} has {pages} pages; at most {limit} are accepted. Split it, or raise MQA_MAX_PAGES."""

    zh = "文件 {name} 有 {pages} 页，最多接受 {limit} 页。请拆分，或调大 MQA_MAX_PAGES。"


class DocumentTooCostly(DocumentError):
    """Reading the file {name} went over the limit of {limit} and was stopped. It may be damaged or hostile. Save it again and upload the new file, or raise {setting}."""

    zh = "读取文件 {name} 超过上限（{limit}），已停止。文件可能已损坏或含恶意内容。请另存后上传新文件，或调大 {setting}。"


class IngestFailed(DocumentError):
    """The file {name} could not be processed because of a fault inside the server. Upload it again; the log has the details."""

    status = 500
    zh = "文件 {name} 因服务器内部故障未能处理。请重新上传；详情见日志。"


class RebuildFailed(DocumentError):
    """The index of {name} could not be built anew because of a fault inside the server. The old one goes on answering; try again, the log has the details."""

    status = 500
    zh = "{name} 的索引因服务器内部故障未能重建。原索引继续使用；请重试，详情见日志。"


class GaveUp(DocumentError):
    """The server stopped {times} times while it worked on the file {name}, so it was put aside. Save it again and upload the new file; the log has the details."""

    status = 500
    zh = "处理文件 {name} 时服务器已停止 {times} 次，因此不再处理。请另存后上传新文件；详情见日志。"


class PageImageFailed(DocumentError):
    """Page {page} of {name} cannot be shown as an image: {reason}. Show its text."""

    zh = "{name} 第 {page} 页无法显示为图像：{reason}。请显示页面文字。"


# --- parts that are away ----------------------------------------------------------------------------------------------


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


class EmbedderUnavailable(Unavailable):
    """The embedding model is not available: {reason}."""

    zh = "嵌入模型不可用：{reason}。"


class OcrUnavailable(Unavailable):
    """Scanned pages cannot be read now: {reason}."""

    zh = "暂时无法识别扫描页面：{reason}。"


class IndexUnavailable(Unavailable):
    """The search index is not available: {reason}."""

    zh = "搜索索引不可用：{reason}。"


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


# --- starting up ------------------------------------------------------------------------------------------------------


class SetupError(ManualqaError):
    """The program cannot start as it is set up."""

    zh = "按当前设置，程序无法启动。"


class DataFolderLocked(SetupError):
    """The data folder {folder} is in use by another manualqa ({owner}). Stop that one, or choose another folder with MQA_DATA_DIR."""

    zh = "数据文件夹 {folder} 正被另一个 manualqa 使用（{owner}）。请先停止它，或用 MQA_DATA_DIR 选择其他文件夹。"


class DataFolderUnusable(SetupError):
    """The data folder {folder} cannot be used: {reason}. Choose a folder that this user may write to with MQA_DATA_DIR."""

    zh = "数据文件夹 {folder} 无法使用：{reason}。请用 MQA_DATA_DIR 选择当前用户可写入的文件夹。"


class PortInUse(SetupError):
    """The address {host}:{port} is in use by another program. Stop it, or choose another port with MQA_PORT or --port."""

    zh = "地址 {host}:{port} 已被其他程序占用。请停止该程序，或用 MQA_PORT 或 --port 换一个端口。"


class AddressUnusable(SetupError):
    """The server cannot listen on {host}:{port}. Choose an address of this machine with MQA_HOST or --host, and a port above 1023 with MQA_PORT or --port."""

    zh = "服务器无法监听 {host}:{port}。请用 MQA_HOST 或 --host 选择本机地址，用 MQA_PORT 或 --port 选择大于 1023 的端口。"


class UnknownModel(SetupError):
    """There is no model named {name}. Known names: {known}. A folder, a .gguf file or a model hub id (owner/name) works too."""

    zh = "没有名为 {name} 的模型。已知名称：{known}。也可使用文件夹、.gguf 文件或模型库 ID（owner/name）。"


class WeightsMissing(SetupError):
    """The weights of {name} are not on this machine ({reason}). With a network, run `manualqa models pull {name}`; without one, copy the model folder from another machine to {folder}."""

    zh = "本机没有 {name} 的权重（{reason}）。有网络时请运行 `manualqa models pull {name}`；没有网络时，请从其他机器把模型文件夹复制到 {folder}。"


class WeightsCorrupt(SetupError):
    """The file {file} of {name} does not have the expected sha256 and was refused. Run `manualqa models pull {name}` again."""

    zh = "{name} 的文件 {file} 与预期的 sha256 不符，已拒绝。请重新运行 `manualqa models pull {name}`。"


class ExtraMissing(SetupError):
    """{feature} needs an optional part: install it with `pip install 'manualqa[{extra}]'`."""

    zh = "{feature} 需要可选组件：请运行 `pip install 'manualqa[{extra}]'`。"


class ServerNotRunning(SetupError):
    """No manualqa server answers at {url}. Start one with `manualqa serve`, or set MQA_URL."""

    zh = "{url} 上没有运行中的 manualqa 服务器。请用 `manualqa serve` 启动，或设置 MQA_URL。"


class OwnServerFailed(SetupError):
    """The temporary server of this command did not start; it said: {said}"""

    zh = "本命令的临时服务器未能启动，其最后的输出为：{said}"


class MigrationFailed(SetupError):
    """The database in {folder} could not be upgraded to this version: {reason}. It was left as it was; a newer manualqa may have written it."""

    zh = "{folder} 中的数据库无法升级到当前版本：{reason}。数据保持原样；它可能是由更新版本的 manualqa 写入的。"


def errors_by_code() -> dict[str, type[ManualqaError]]:
    """Every class of this module by its code; what the command line makes of a server's error has no code of its own."""
    found: dict[str, type[ManualqaError]] = {}
    rest: list[type[ManualqaError]] = [ManualqaError]
    while rest:
        kind = rest.pop()
        found[kind.code()] = kind
        rest += [child for child in kind.__subclasses__() if child.__module__ == __name__]
    return found
