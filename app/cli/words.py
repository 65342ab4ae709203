"""What the command line says, in English and Chinese."""

from __future__ import annotations

import locale
from typing import Literal

from app.types import Language

WORDS: dict[str, tuple[str, str]] = {
    "uploading": ("uploading", "正在上传"),
    "waiting": ("waiting", "等待处理"),
    "parsing": ("reading", "正在读取"),
    "chunking": ("splitting", "正在分块"),
    "embedding": ("embedding", "正在计算向量"),
    "publishing": ("publishing", "正在发布"),
    "done": ("ready", "就绪"),
    "failed": ("failed", "失败"),
    "duplicate": ("already in the knowledge base", "知识库中已有"),
    "pages": ("pages", "页"),
    "place": ("{name}, p. {page}", "{name}，第 {page} 页"),
    "sources": ("Sources", "出处"),
    "refused": ("No answer in the manuals", "手册中没有答案"),
    "nearest": ("Nearest passages", "最接近的段落"),
    "extractive": ("Extract from the manuals (the model did not answer)", "手册摘录（模型未能作答）"),
    "answer": ("Answer", "回答"),
    "ready_in": ("Ready: {url}  (started in {seconds:.1f} s)", "已就绪：{url}（启动用时 {seconds:.1f} 秒）"),
    "listening": ("Listening on {url}; loading the models ...", "正在监听 {url}，模型加载中……"),
    "first_key": (
        "API key (shown only once; keep it safe): {secret}",
        "API 密钥（仅显示这一次，请妥善保存）：{secret}",
    ),
    "try": ("Try:", "试一试："),
    "loading_sample": ("Loading the sample manuals ...", "正在载入示例手册……"),
    "sample_ready": (
        "Sample knowledge base ready: {documents} manuals, {pages} pages",
        "示例知识库已就绪：{documents} 本手册，{pages} 页",
    ),
    "pick_base": (
        "There are several knowledge bases; choose one with --kb: {names}",
        "有多个知识库；请用 --kb 选择一个：{names}",
    ),
    "no_base": (
        "There is no knowledge base yet; create one with `manualqa ingest FILE --kb NAME`.",
        "还没有知识库；请用 `manualqa ingest 文件 --kb 名称` 创建。",
    ),
    "no_such_base": (
        "There is no knowledge base named {name}. Existing ones: {names}",
        "没有名为 {name} 的知识库。现有知识库：{names}",
    ),
    "nothing_to_ingest": (
        "No PDF, text or Markdown file found in: {paths}",
        "以下位置没有 PDF、文本或 Markdown 文件：{paths}",
    ),
    "stopped": ("Stopped.", "已停止。"),
    "all_well": ("Everything is in order.", "一切正常。"),
    "verified": ("{name}: verified", "{name}：校验通过"),
    "unchecked": ("{name}: your own files, nothing to check against", "{name}：用户自备的文件，没有可供比对的校验值"),
    "present": ("present", "已下载"),
    "missing": ("missing", "未下载"),
    "partial": ("partial", "不完整"),
    "created_base": ("Created the knowledge base {name}.", "已创建知识库 {name}。"),
    "revoked": ("Revoked {id}.", "已吊销 {id}。"),
    "deleted": ("Deleted {name}.", "已删除 {name}。"),
    "check_weights": ("weights", "模型权重"),
    "check_disk": ("disk", "磁盘"),
    "check_server": ("server", "服务器"),
    "check_catalogue": ("catalogue", "目录数据库"),
    "check_embedder": ("embedding model", "嵌入模型"),
    "check_model": ("language model", "语言模型"),
    "line": ("{name}: {text}", "{name}：{text}"),
    "with_detail": ("{text} ({detail})", "{text}（{detail}）"),
    "disk_free": ("{free} MB free in {folder}", "{folder} 剩余 {free} MB"),
    "key_active": ("active", "有效"),
    "key_revoked": ("revoked", "已吊销"),
    "llm": ("language model", "语言模型"),
    "embedder": ("embedding model", "嵌入模型"),
    "cosine": ("cosine", "余弦相似度"),
    "bm25": ("BM25", "BM25"),
    "vector_rank": ("vector #", "向量名次"),
    "bad_setting": ("The setting cannot be used: {reason}", "设置无效：{reason}"),
}


class Words:
    """Looks words up in one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language

    def __call__(self, key: str, **params: object) -> str:
        english, chinese = WORDS[key]
        return (chinese if self.language == "zh" else english).format(**params)


def spoken_language(chosen: Literal["auto", "zh", "en"]) -> Language:
    """The language of the setting, or else of the machine."""
    if chosen != "auto":
        return chosen
    name = locale.getlocale(locale.LC_CTYPE)[0] or ""
    return "zh" if name.lower().startswith(("zh", "chinese")) else "en"
