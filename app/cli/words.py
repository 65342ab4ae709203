"""What the command line says, in English and Chinese."""

from __future__ import annotations

import locale
from typing import Literal

from app.cli.finetune_words import FINETUNE_WORDS
from app.cli.migrate_words import MIGRATE_WORDS
from app.types import Language

WORDS: dict[str, tuple[str, str]] = {
    "uploading": ("uploading", "正在上传"),
    "waiting": ("waiting", "等待处理"),
    "parsing": ("reading", "正在读取"),
    "recognising": ("recognising scanned pages", "正在识别扫描页"),
    "chunking": ("splitting", "正在分块"),
    "embedding": ("embedding", "正在计算向量"),
    "publishing": ("publishing", "正在发布"),
    "done": ("ready", "就绪"),
    "failed": ("failed", "失败"),
    "duplicate": ("already in the knowledge base", "知识库中已有"),
    "replaces": ("a new version; it takes the place of {name} once ready", "新版本；就绪后替换 {name}"),
    "gone": ("deleted or replaced meanwhile", "处理期间已被删除或替换"),
    "comma": (", ", "，"),
    "alarm_ok": ("well   ", "正常"),
    "alarm_pending": ("pending", "超限"),
    "alarm_firing": ("FIRING ", "告警"),
    "alarm_off": ("off    ", "关闭"),
    "alarm_at_most": ("at most", "上限"),
    "alarm_at_least": ("at least", "下限"),
    "alarm_fired_at": ("fired {moment}", "触发于 {moment}"),
    "alarm_recovered_at": ("recovered {moment}", "恢复于 {moment}"),
    "alarm_no_way": (
        "Nobody is told of alarms: set MQA_ALARM_WEBHOOK_URL or MQA_ALARM_MAIL_TO.",
        "没有设置告警通知方式：请设置 MQA_ALARM_WEBHOOK_URL 或 MQA_ALARM_MAIL_TO。",
    ),
    "alarm_sent": ("delivered", "已送达"),
    "alarm_not_sent": ("not delivered: {reason}", "未送达：{reason}"),
    "alarm_way_webhook": ("webhook", "网络回调"),
    "alarm_way_mail": ("mail", "邮件"),
    "doing": ("{stage} {done}", "{stage} {done}"),
    "hidden_text": ("words that no reader sees left out on page {pages}", "已略去第 {pages} 页中读者看不见的文字"),
    "count_pages": ("{pages} pages", "{pages} 页"),
    "of_pages": ("{done}/{total} pages", "{done}/{total} 页"),
    "of_chunks": ("{done}/{total} chunks", "{done}/{total} 块"),
    "of_documents": ("{done}/{total} documents", "{done}/{total} 个文档"),
    "pages_per_second": ("{speed} pages/s", "每秒 {speed} 页"),
    "chunks_per_second": ("{speed} chunks/s", "每秒 {speed} 块"),
    "time_left": ("{time} left", "剩余 {time}"),
    "ready_with": ("ready, {pages} pages", "就绪，{pages} 页"),
    "state_queued": ("waiting", "等待处理"),
    "state_running": ("running", "正在处理"),
    "state_done": ("done", "已完成"),
    "state_failed": ("failed", "失败"),
    "state_cancelled": ("cancelled", "已取消"),
    "document_queued": ("waiting", "等待处理"),
    "document_processing": ("processing", "正在处理"),
    "document_ready": ("ready", "就绪"),
    "document_failed": ("failed", "失败"),
    "document_cancelled": ("cancelled", "已取消"),
    "kind_ingest": ("document", "文档"),
    "kind_rebuild": ("rebuild", "重建"),
    "index_of": ("index of {name}", "{name} 的索引"),
    "rebuilding": ("index being rebuilt: {note}", "正在重建索引：{note}"),
    "no_open_jobs": ("No job is waiting or running.", "没有等待中或正在执行的任务。"),
    "connection_lost": (
        "the connection is lost; the work goes on once the server is back ...",
        "连接已断开；服务器恢复后继续……",
    ),
    "left_running": (
        "{count} jobs go on in the server; see them with `manualqa jobs watch`.",
        "{count} 个任务仍在服务器中继续；可用 `manualqa jobs watch` 查看。",
    ),
    "left_running_in": (
        'Stopped sending; {count} documents go on in the server. Watch them with `manualqa jobs watch --kb "{base}"`.',
        '已停止上传；{count} 个文档仍在服务器中继续处理。可用 `manualqa jobs watch --kb "{base}"` 查看。',
    ),
    "no_such_document": (
        "There is no document {name} in {base}; `manualqa documents list` shows those there are.",
        "{base} 中没有文档 {name}；`manualqa documents list` 可列出现有的文档。",
    ),
    "several_documents": (
        "Several documents are named {name}; give the id of one: {ids}",
        "有多个文档名为 {name}；请指定其中一个的编号：{ids}",
    ),
    "place": ("{name}, p. {page}", "{name}，第 {page} 页"),
    "sources": ("Sources", "出处"),
    "refused": ("No answer in the manuals", "手册中没有答案"),
    "nearest": ("Nearest passages", "最接近的段落"),
    "extractive": ("Extract from the manuals (the model did not answer)", "手册摘录（模型未能作答）"),
    "answer": ("Answer", "回答"),
    "ready_in": ("Ready: {url}  (started in {seconds:.1f} s)", "已就绪：{url}（启动用时 {seconds:.1f} 秒）"),
    "listening": ("Listening on {url}; loading the models ...", "正在监听 {url}，模型加载中……"),
    "secret_made": ("{name}: made", "{name}：已生成"),
    "secret_kept": ("{name}: was there, left as it is", "{name}：已存在，未改动"),
    "secrets_in": (
        "The secrets are in {folder}; keep a copy of the folder, and show it to nobody.",
        "密钥文件位于 {folder}；请备份该文件夹，切勿外泄。",
    ),
    "serving_model": ("Serving {name} on {host}:{port}", "正在 {host}:{port} 提供模型 {name}"),
    "first_key": (
        "API key (shown only once; keep it safe): {secret}",
        "API 密钥（仅显示这一次，请妥善保存）：{secret}",
    ),
    "sign_in_link": (
        "Open in a browser on this machine (works once, within an hour): {url}",
        "请在本机浏览器中打开（一小时内有效，仅可使用一次）：{url}",
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
    "name_base": (
        "There are several knowledge bases; name one: {names}",
        "有多个知识库；请指明一个：{names}",
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
        "No PDF, Word (.docx), HTML, text or Markdown file found in: {paths}",
        "以下位置没有 PDF、Word（.docx）、HTML、文本或 Markdown 文件：{paths}",
    ),
    "left_out": ("{count} files of other types were left out.", "已略过 {count} 个其他类型的文件。"),
    "left_out_one": ("1 file of another type was left out.", "已略过 1 个其他类型的文件。"),
    "archive_unreadable": (
        "It is not a ZIP file that can be opened. Pack it again.",
        "不是可以打开的 ZIP 文件。请重新打包。",
    ),
    "archive_too_many": (
        "The ZIP file has {count} entries; at most {limit} are accepted. Unpack it and pass the folder.",
        "该 ZIP 文件有 {count} 个条目，最多接受 {limit} 个。请解压后导入文件夹。",
    ),
    "archive_too_large": (
        "The ZIP file unpacks to more than {limit} GB; the rest of it was not read. Unpack it and pass the folder.",
        "该 ZIP 文件解压后超过 {limit} GB，其余内容未读取。请解压后导入文件夹。",
    ),
    "member_is_archive": (
        "It is an archive inside a ZIP file, which is not opened. Unpack it and pass the folder.",
        "ZIP 文件中的压缩包不会打开。请解压后导入文件夹。",
    ),
    "member_encrypted": (
        "It is protected by a password inside the ZIP file. Pack it without the password.",
        "它在 ZIP 文件中受密码保护。请去掉密码后重新打包。",
    ),
    "member_too_large": (
        "It is larger than the limit of {limit} MB (MQA_MAX_UPLOAD_MB).",
        "它超过 {limit} MB 的上限（MQA_MAX_UPLOAD_MB）。",
    ),
    "member_bomb": (
        "It would unpack to more than {times} times its size, as no manual does; it was not read.",
        "它解压后超过原大小的 {times} 倍，不像是手册，未读取。",
    ),
    "member_broken": (
        "It is damaged inside the ZIP file. Pack it again.",
        "它在 ZIP 文件中已损坏。请重新打包。",
    ),
    "working": ("Working as {process}.", "正在以 {process} 处理任务。"),
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
    "backup_written": (
        "Backup written: {folder} ({files} files, {size} MB; {documents} documents, {ready} of them ready)",
        "备份已写入：{folder}（{files} 个文件，{size} MB；{documents} 个文档，其中 {ready} 个就绪）",
    ),
    "backup_elsewhere": (
        "The backup lies in the data folder of the server, in backups/{id}.",
        "备份位于服务器数据文件夹的 backups/{id} 中。",
    ),
    "backup_left_out": (
        "{count} original files were missing or damaged already and are not in it.",
        "{count} 个原始文件此前已缺失或损坏，未包含在备份中。",
    ),
    "restoring_checking": ("comparing every file with its hash ...", "正在逐个核对文件的哈希……"),
    "restoring_originals": ("original files ...", "正在恢复原始文件……"),
    "restoring_vectors": ("vectors ...", "正在恢复向量……"),
    "restoring_keywords": ("keyword index ...", "正在重建关键词索引……"),
    "restoring_folders": ("adapters and trainings ...", "正在恢复适配器与训练……"),
    "restoring_comparing": ("counting and comparing ...", "正在清点与比对……"),
    "restored": (
        "Restored into {folder}: {documents} documents, {chunks} chunks. Start it with `manualqa serve`.",
        "已恢复到 {folder}：{documents} 个文档，{chunks} 个块。请用 `manualqa serve` 启动。",
    ),
    "check_files": ("original files", "原始文件"),
    "check_consistency": ("consistency", "一致性"),
    "agrees": (
        "all agree: {knowledge_bases} knowledge bases, {documents} documents, {chunks} chunks",
        "数据一致：{knowledge_bases} 个知识库，{documents} 个文档，{chunks} 个块",
    ),
    "repaired": ("repaired, or its repair has begun", "已修复或已开始修复"),
    "repairable": ("mend it with `manualqa doctor --repair`", "可用 `manualqa doctor --repair` 修复"),
    "check_model": ("language model", "语言模型"),
    "line": ("{name}: {text}", "{name}：{text}"),
    "with_detail": ("{text} ({detail})", "{text}（{detail}）"),
    "disk_free": ("{free} MB free in {folder}", "{folder} 剩余 {free} MB"),
    "draft_corrected": ("corrected", "已修正"),
    "draft_open": ("to be corrected", "待修正"),
    "drafts_exported": ("{count} drafts written to {file}", "已将 {count} 条草稿写入 {file}"),
    "questions_not_kept": (
        "This server keeps no words of new questions (MQA_KEEP_QUESTIONS is off); they cannot be reviewed.",
        "此服务器不保留新提问的内容（MQA_KEEP_QUESTIONS 已关闭），无法审核。",
    ),
    "key_active": ("active", "有效"),
    "key_revoked": ("revoked", "已吊销"),
    "key_for_all": ("all knowledge bases", "全部知识库"),
    "key_until": ("until {day}", "有效至 {day}"),
    "key_quota": ("{count} questions a day", "每天 {count} 个问题"),
    "llm": ("language model", "语言模型"),
    "embedder": ("embedding model", "嵌入模型"),
    "of_questions": ("{done}/{total} questions", "{done}/{total} 题"),
    "right_so_far": ("{right} of {judged} right so far", "目前 {judged} 题中 {right} 题正确"),
    "found_so_far": ("right page among the first five for {share} so far", "目前 {share} 的正确页排在前五"),
    "better_higher": ("higher is better", "越高越好"),
    "better_lower": ("lower is better", "越低越好"),
    "results_in": ("Report, run and table: {folder}", "报告、记录与表格：{folder}"),
    "condition_failed": ("Not met: {text}", "未达标：{text}"),
    "with_interval": ("{text} (95% interval {interval}, n = {n})", "{text}（95% 置信区间 {interval}，n = {n}）"),
    "nothing_answered": (
        "Every question ended in an error; the report says which.",
        "所有问题都因出错而没有结果；原因见报告。",
    ),
    "no_run_in_file": (
        "{file} holds no run; it must be a run.json that `manualqa eval run` or `report` wrote",
        "{file} 中没有评测记录；须是 `manualqa eval run` 或 `report` 写出的 run.json",
    ),
    "starting_own_server": (
        "No service is running; starting one for this run in {folder} ...",
        "没有运行中的服务；正在 {folder} 为本次评测启动一个……",
    ),
    "nothing_loaded": ("no manual in {folder} could be read", "{folder} 中没有可读取的手册"),
    "not_removed": (
        "The temporary knowledge base {name} could not be removed: {reason}",
        "临时知识库 {name} 未能删除：{reason}",
    ),
    "base_stays": (
        'The temporary knowledge base stays; remove it afterwards with `manualqa bases delete "{name}"`.',
        '临时知识库会保留；用完后可用 `manualqa bases delete "{name}"` 删除。',
    ),
    "detach_needs_service": (
        "--detach needs a running service; start one with `manualqa serve`",
        "--detach 需要运行中的服务；请先用 `manualqa serve` 启动",
    ),
    "evaluation_goes_on": (
        "{done} of {total} questions are done; the service goes on with the rest.",
        "已完成 {done}/{total} 题，其余由服务继续进行。",
    ),
    "come_back": (
        "Come back with `manualqa eval watch {id}`, or stop it with `manualqa eval cancel {id}` (then: `resume`).",
        "查看进度：`manualqa eval watch {id}`；停止：`manualqa eval cancel {id}`（之后可用 `resume` 继续）。",
    ),
    "evaluation_broken_off": (
        "Stopping: the service of this run ends with it. What is done is kept in the report.",
        "正在停止：本次评测自带的服务随之结束，已完成的部分会写入报告。",
    ),
    "go_on_with_own_server": (
        "To go on: `MQA_DATA_DIR={folder} manualqa serve`, then `MQA_DATA_DIR={folder} manualqa eval resume {id}`.",
        "要继续：先 `MQA_DATA_DIR={folder} manualqa serve`，再 `MQA_DATA_DIR={folder} manualqa eval resume {id}`。",
    ),
    "evaluation_stopped": (
        "The run stopped after {done} of {total} questions: {reason} `manualqa eval resume {id}` asks the rest.",
        "评测在完成 {done}/{total} 题后停止：{reason} 可用 `manualqa eval resume {id}` 继续其余问题。",
    ),
    "no_such_metric": ("{name} is no metric; known are {names}", "没有指标 {name}；已知指标：{names}"),
    "nothing_shared": ("the two runs share no question", "两次评测没有相同的问题"),
    "compared": ("{before} → {after}", "{before} → {after}"),
    "compared_counts": (
        "{shared} questions in both; only before: {before}, only after: {after}",
        "共有问题 {shared} 个；仅之前有 {before} 个，仅之后有 {after} 个",
    ),
    "metric": ("Metric", "指标"),
    "before": ("before", "之前"),
    "after": ("after", "之后"),
    "difference": ("difference [95%]", "差值 [95%]"),
    "p_value": ("p", "p 值"),
    "got_worse": ("Worse: {count}", "变差：{count}"),
    "got_better": ("Better: {count}", "变好：{count}"),
    "more_changes": (
        "... and {count} more, all of them in the page (--out) and in --json",
        "……另有 {count} 个，全部列在 HTML 页面（--out）与 --json 中",
    ),
    "became_worse": (
        "{metric} went from {before} to {after} ({interval}, n = {n}, p = {p})",
        "{metric} 由 {before} 变为 {after}（{interval}，n = {n}，p = {p}）",
    ),
    "drafted": ("{count} of {wanted} drafts written to {file}", "已起草 {count}/{wanted} 个问题，写入 {file}"),
    "review_drafts": (
        "Drafts of a model: correct or delete each question and answer, set `draft` to false, then run the set.",
        "这些是模型起草的问题：请逐条核对、修改或删除，并把 `draft` 改为 false，再用于评测。",
    ),
    "interrupted": ("Interrupted.", "已中断。"),
    "calibrate_later": (
        "The run goes on in the service; when it is done: `manualqa eval calibrate --run {id}`.",
        "评测会在服务中继续；完成后执行：`manualqa eval calibrate --run {id}`。",
    ),
    "calibration_cleared": ("Forgotten: the defaults hold again.", "已清除校准，恢复默认值。"),
    "calibration": ("Calibration", "校准"),
    "calibration_value": ("value", "取值"),
    "calibration_stays": ("as it is", "保持不变"),
    "calibration_held_out": ("On held-out questions ({folds} folds)", "留出问题上的结果（{folds} 折）"),
    "calibration_false_refusals": ("false refusals", "误拒率"),
    "calibration_refusal_recall": ("refused of the unanswerable", "无答案问题拒答率"),
    "calibration_mrr": ("MRR@10", "MRR@10"),
    "calibration_hit": ("hit@5", "hit@5"),
    "tuning_threshold": ("threshold (cosine)", "阈值（余弦相似度）"),
    "tuning_keyword_weight": ("keyword weight", "关键词权重"),
    "tuning_most_doubt": ("most doubt of the model", "模型疑虑上限"),
    "tuning_most_doubt_strange": ("most doubt, names missing", "名称缺失时的疑虑上限"),
    "curve_cosine": (
        "Risk by coverage, surest by cosine first: share answered, share of it not right",
        "风险-覆盖曲线（按余弦相似度由高到低）：作答比例与其中不正确的比例",
    ),
    "curve_doubt": (
        "Risk by coverage, least doubt first: share answered, share of it not right",
        "风险-覆盖曲线（按模型疑虑由低到高）：作答比例与其中不正确的比例",
    ),
    "no_such_adapter": (
        "There is no adapter {name}. Existing ones: {names}",
        "没有适配器 {name}。现有适配器：{names}",
    ),
    "no_adapter_in": (
        "{folder} holds no adapter: adapter_config.json and adapter_model.safetensors are missing",
        "{folder} 中没有适配器：缺少 adapter_config.json 和 adapter_model.safetensors",
    ),
    "adapter_trained": ("trained", "已训练"),
    "adapter_checked": ("checked", "已检查"),
    "adapter_promoted": ("promoted", "已启用"),
    "adapter_retired": ("retired", "已停用"),
    "adapter_hosted": ("hosted", "托管中"),
    "adapter_wanted": ("to be hosted", "等待托管"),
    "exported": ("Written to {file}", "已写入 {file}"),
    "proof_goes_on": (
        "Both runs go on in the service. Then: `manualqa eval compare {base} {adapter}`, `manualqa adapters promote`.",
        "两次评测在服务中继续；之后可用 `manualqa eval compare {base} {adapter}` 和 `manualqa adapters promote`。",
    ),
    "base_model": ("the base model", "基础模型"),
    "answers_now": ("{base} is answered by {who}.", "{base} 由 {who} 作答。"),
    "stands_in": (
        "It is not hosted at this moment; the base model stands in.",
        "它目前没有托管，暂由基础模型作答。",
    ),
    "shared": ("{first} ({share}%) and {rest} ({other}%)", "{first}（{share}%）和 {rest}（{other}%）"),
    "arm": ("{name}: {answers} answers, {up} up, {down} down", "{name}：{answers} 个回答，{up} 个赞，{down} 个踩"),
    "kind_promote": ("promoted", "启用"),
    "kind_rollback": ("rolled back", "回退"),
    "was_forced": ("(forced)", "（强制）"),
    "page_in": ("Page: {file}", "页面：{file}"),
    "cosine": ("cosine", "余弦相似度"),
    "bm25": ("BM25", "BM25"),
    "vector_rank": ("vector #", "向量名次"),
    "bad_setting": ("The setting cannot be used: {reason}", "设置无效：{reason}"),
    **FINETUNE_WORDS,
    **MIGRATE_WORDS,
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
