"""The shapes of requests and responses; unknown fields are refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.catalogue.keys import Role
from app.ingest.consistency import Disagreement
from app.types import AnswerMode, DocumentState, JobKind, JobState, Language, RefusalReason, Stage


class Shape(BaseModel):
    """Base of all: strict about what it is given."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


Name = Annotated[str, Field(min_length=1, max_length=120, examples=["Coffee machines"])]
Threshold = Annotated[
    float | None,
    Field(
        ge=-1,
        le=1,
        description="Least cosine similarity of question and passage; null takes the default.",
        examples=[0.78],
    ),
]
AnswerLanguage = Annotated[
    Language | None, Field(description="Language of the answer; null takes the question's own.", examples=["en"])
]


class Body(Shape):
    """Base of request bodies: nothing is converted, "3" is no number."""

    model_config = ConfigDict(strict=True)


def _whole(text: str) -> str:
    """Half a surrogate pair is no character: nothing could store or send it."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise PydanticCustomError("string_unicode", "Input should be a valid string without lone surrogates")
    return text


QuestionText = Annotated[str, AfterValidator(_whole)]


class KnowledgeBaseIn(Body):
    name: Name
    threshold: Threshold = None
    language: AnswerLanguage = None


class KnowledgeBaseChange(Body):
    """Fields that are left out stay as they are; null takes the default again."""

    name: Name | None = None
    threshold: Threshold = None
    language: AnswerLanguage = None


class FingerprintOut(Shape):
    embedder: str
    dimensions: int
    chunk_size: int
    chunk_overlap: int
    tokens: str


class RebuildIn(Body):
    """What the new index is built with; what is left out stays, but the embedder becomes the server's."""

    chunk_size: int | None = Field(None, ge=100, le=4000)
    chunk_overlap: int | None = Field(None, ge=0, le=1000)
    embedder: Literal["multilingual-e5-small", "all-minilm-l6-v2"] | None = None


class SettingsOut(Shape):
    threshold: float | None
    language: str | None


class KnowledgeBaseOut(Shape):
    id: str = Field(examples=["kb-3f1c9a0d5e7b2468"])
    name: str
    documents: int = Field(description="Documents in any state.")
    ready: int = Field(description="Documents that can be searched.")
    pages: int = Field(description="Pages of the documents that can be searched.")
    settings: SettingsOut
    fingerprint: FingerprintOut = Field(description="What built the index that answers.")
    building: FingerprintOut | None = Field(None, description="What builds the index that will take its place.")
    calibration: Literal["none", "active", "stale"] = Field(
        "none", description="Whether it is calibrated; stale where its index or the model is another than then."
    )
    created_at: datetime


class KnowledgeBaseList(Shape):
    knowledge_bases: list[KnowledgeBaseOut]


class Reason(Shape):
    """Why something failed: a stable code and a sentence in the language asked for."""

    code: str = Field(examples=["needs_ocr"])
    message: str


class DocumentOut(Shape):
    id: str = Field(examples=["doc-9d4e1b7a6c035f28"])
    name: str
    media_type: str
    sha256: str
    bytes: int
    state: DocumentState
    pages: int | None
    chunks: int | None
    pages_without_text: int | None = Field(None, description="Scanned pages that could not be read.")
    pages_recognised: int | None = Field(None, description="Scanned pages that were read by OCR.")
    pages_with_hidden_text: list[int] | None = Field(
        None, description="Numbers of pages with words that no reader sees; those words were left out."
    )
    error: Reason | None = None
    created_at: datetime
    ready_at: datetime | None


class DocumentList(Shape):
    documents: list[DocumentOut]
    total: int = Field(description="How many there are that fit what was asked for.")


class JobOut(Shape):
    """One ingestion or rebuild. Rates are those of its present stage."""

    id: str = Field(examples=["job-0a1b2c3d4e5f6789"])
    kind: JobKind
    knowledge_base_id: str
    document_id: str | None
    document_name: str | None
    state: JobState
    stage: Stage
    pages_done: int
    pages_total: int | None
    chunks_done: int
    chunks_total: int | None
    documents_done: int = Field(description="Of a rebuild: documents that are in the new index.")
    documents_total: int | None
    pages_per_second: float | None = Field(description="While pages are read.")
    chunks_per_second: float | None = Field(description="While chunks are embedded.")
    seconds_left: float | None = Field(description="Estimate; none while there is nothing to go by.")
    attempts: int = Field(description="Processes that took it up since its last finished step.")
    error: Reason | None = None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class JobList(Shape):
    jobs: list[JobOut]


class Uploaded(Shape):
    document: DocumentOut
    job: JobOut
    created: bool = Field(description="False where the same bytes were there already.")


class ChunkOut(Shape):
    id: str
    ordinal: int
    page_start: int
    page_end: int
    heading_path: list[str]
    text: str


class ChunkList(Shape):
    chunks: list[ChunkOut]


AdapterChoice = Annotated[
    str | None,
    Field(
        max_length=40,
        description="Id of the adapter that is to answer, or `base` for the model alone; by default what the knowledge "
        "base has been given.",
        examples=["ad-3f1c9a0d5e7b2468"],
    ),
]


class SearchIn(Body):
    question: QuestionText = Field(examples=["What does error E-04 mean?"])
    limit: int | None = Field(None, ge=1, le=50)
    threshold: Threshold = None


class ScoresOut(Shape):
    """Why the hit stands where it stands; the threshold is about `cosine` alone."""

    rank: int
    cosine: float
    passed: bool
    bm25: float | None
    bm25_rank: int | None
    vector_rank: int | None
    fused: float


class HitOut(Shape):
    document_id: str
    document_name: str
    chunk: ChunkOut
    scores: ScoresOut


class SearchOut(Shape):
    hits: list[HitOut]
    rejected: list[HitOut] = Field(description="The nearest passages that did not reach the threshold.")
    threshold: float
    seconds: float
    also: list[str] = Field(description="Other wordings searched with: the question in the manuals' other language.")


class AskIn(Body):
    question: QuestionText = Field(
        examples=["How often must the water filter be changed?", "错误代码 E-04 是什么意思？"]
    )
    language: AnswerLanguage = None
    limit: int | None = Field(None, ge=1, le=50)
    threshold: Threshold = None
    adapter: AdapterChoice = None
    stream: bool = Field(False, description="Send server-sent events: `sources`, then `token`s, then `done`.")


class BatchIn(Body):
    questions: list[QuestionText] = Field(min_length=1)
    language: AnswerLanguage = None
    adapter: AdapterChoice = None


class CitationOut(Shape):
    document_id: str
    document_name: str
    chunk_id: str
    page: int
    quote: str = Field(description="Exact text of that page.")


class SentenceOut(Shape):
    text: str
    citations: list[CitationOut]


class TimingsOut(Shape):
    """Seconds since the question came in."""

    sources: float
    first_token: float | None
    total: float


class AnswerOut(Shape):
    question: str
    language: Language
    text: str = Field(description="The answer, or the sentence that says why there is none.")
    mode: AnswerMode
    refused: bool
    reason: RefusalReason | None
    degraded: str | None = Field(description="Why the model did not write this, where `mode` is `extractive`.")
    model: str | None
    adapter: str | None = Field(
        None, description="Id of the adapter that the model wrote with; null for the model alone."
    )
    promotion: str | None = Field(None, description="Id of the promotion that chose, where the asker did not.")
    call_id: str | None = Field(None, description="Id under which the question and its answer were recorded.")
    sentences: list[SentenceOut]
    citations: list[CitationOut]
    withheld: list[str] = Field(description="Sentences of the model that the passages do not carry.")
    prompt_tokens: int | None
    completion_tokens: int | None
    timings: TimingsOut


class BatchItem(Shape):
    """One of `answer` and `error` is there."""

    question: str
    answer: AnswerOut | None = None
    error: Reason | None = None


class BatchOut(Shape):
    items: list[BatchItem]


class BackupOut(Shape):
    """A backup that was written: its id is its folder's name."""

    id: str
    created_at: datetime
    files: int
    bytes: int
    knowledge_bases: int
    documents: int
    ready: int
    originals_left_out: list[str] = Field(description="Originals that were missing or damaged already, by sha256.")


class CheckIn(Body):
    repair: bool = Field(False, description="Mend what can be mended.")
    deep: bool = Field(False, description="Read every file and compare its hash; takes long.")


class FindingOut(Shape):
    """One thing that does not agree."""

    kind: Disagreement
    knowledge_base_id: str | None
    document_id: str | None
    message: str
    count: int
    repaired: bool = Field(description="Mended, or its mending has begun.")


class CheckedOut(Shape):
    knowledge_bases: int
    documents: int
    chunks: int


class CheckOut(Shape):
    findings: list[FindingOut]
    checked: CheckedOut


class KeyIn(Body):
    name: Name
    role: Annotated[Role, Field(strict=False)] = Role.READER
    knowledge_base_ids: (
        Annotated[list[Annotated[str, Field(max_length=60)]], Field(min_length=1, max_length=1000)] | None
    ) = Field(default=None, description="The only ones it may use, as a reader or an editor; by default all.")
    requests_per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="More are refused with 429, for as long as `Retry-After` says; by default never."
    )
    questions_per_day: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        default=None, description="Questions in a day of UTC; more are refused with 429 until midnight. By default any."
    )
    expires_in_days: Annotated[int, Field(ge=1, le=3650)] | None = Field(
        default=None, description="Days from now after which it is refused; by default never."
    )


class KeyRotationIn(Body):
    overlap_hours: Annotated[int, Field(ge=0, le=720)] = Field(
        default=24, description="How long the secret so far is good beside the new one."
    )


class KeyOut(Shape):
    id: str
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None
    knowledge_base_ids: list[str] | None = Field(description="The only ones it may use; null for all.")
    requests_per_minute: int | None
    questions_per_day: int | None
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="Some minutes late.")


class NewKeyOut(KeyOut):
    secret: str = Field(description="Shown this once; only its hash is kept.")


class KeyList(Shape):
    keys: list[KeyOut]


class AuditEntryOut(Shape):
    """One change."""

    id: str
    at: datetime
    key_id: str
    key_name: str
    action: str = Field(examples=["DELETE /v1/keys/{key_id}"], description="Method and route.")
    target: dict[str, str] = Field(description="The values in the address.")
    request_id: str = Field(description="As in the header `X-Request-Id` and in the log.")


class AuditList(Shape):
    changes: list[AuditEntryOut]


class Part(Shape):
    """State of one part of the server."""

    state: Literal["ready", "starting", "degraded", "down", "off"]
    required: bool
    detail: str | None = None


class Readiness(Shape):
    status: Literal["ready", "degraded", "starting"]
    version: str
    parts: dict[str, Part]


class Alive(Shape):
    status: Literal["alive"] = "alive"


class Problem(BaseModel):
    """RFC 9457 problem details; `code` is stable, `title` is for people in the language of the request."""

    type: str = Field(examples=["urn:manualqa:error:question_empty"])
    title: str
    status: int
    code: str
    errors: list[dict[str, Any]] | None = Field(None, description="Fields that were refused, where there are any.")
