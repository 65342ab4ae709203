"""What is wrong with a request, or stands against it."""

from __future__ import annotations

from app.errors.base import ManualqaError


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


class DraftIncomplete(InvalidInput):
    """An answerable question needs an answer, one that is not answerable has none, and pages need their document."""

    zh = "可回答的问题需要答案，不可回答的问题没有答案，页码须有所属文档。"


class InvalidName(InvalidInput):
    """The name cannot be used: it must have 1 to {limit} visible characters."""

    zh = "名称不符合要求：须为 1 到 {limit} 个可见字符。"


class AdminKeyLimited(InvalidInput):
    """An admin key is for the whole server. Make it a reader or an editor, or leave the knowledge bases out."""

    zh = "管理员密钥适用于整个服务器。请改用 reader 或 editor 角色，或不指定知识库。"


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


class ParameterUnsupported(InvalidInput):
    """The parameter {parameter} cannot be used here: {reason}."""

    status = 400
    zh = "此处不能使用参数 {parameter}：{reason}。"


class NotFound(ManualqaError):
    """What was asked for does not exist."""

    status = 404
    zh = "请求的对象不存在。"


class KnowledgeBaseNotFound(NotFound):
    """There is no knowledge base {ref}. `GET /v1/knowledge-bases` lists those there are."""

    zh = "没有知识库 {ref}。`GET /v1/knowledge-bases` 可列出现有的知识库。"


class ModelNotFound(NotFound):
    """There is no model {ref} here. `GET /v1/models` lists those that can be asked."""

    zh = "没有模型 {ref}。`GET /v1/models` 可列出可以提问的模型。"


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


class CallNotFound(NotFound):
    """There is no question {ref} on record here, or its words were not kept."""

    zh = "此处没有记录提问 {ref}，或未保留其内容。"


class DraftNotFound(NotFound):
    """There is no draft {ref}."""

    zh = "没有草稿 {ref}。"


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


class BackupRunning(Conflict):
    """A backup is being written already. Try again when it is done."""

    zh = "正在写入一份备份。请等它完成后再试。"


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


class DraftsFull(Conflict):
    """This knowledge base has {limit} drafts already. Export them and delete some."""

    zh = "此知识库已有 {limit} 条草稿。请导出后删除一部分。"


class ConversationFull(Conflict):
    """This conversation has {limit} questions already. Begin a new one, or raise MQA_MAX_TURNS."""

    zh = "此对话已有 {limit} 个提问。请新建对话，或调大 MQA_MAX_TURNS。"
