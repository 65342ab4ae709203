"""What is wrong with a document, or happened while it was taken in."""

from __future__ import annotations

from app.errors.base import ManualqaError


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


class BlobDamaged(DocumentError):
    """The stored original of {name} is not what was uploaded: its sha256 is another one. Delete the document and upload it again."""

    status = 500
    zh = "{name} 存储的原始文件与上传时不符（sha256 不同）。请删除该文档并重新上传。"


class PageImageFailed(DocumentError):
    """Page {page} of {name} cannot be shown as an image: {reason}. Show its text."""

    zh = "{name} 第 {page} 页无法显示为图像：{reason}。请显示页面文字。"
