"""What the server answers. Fields that a later server adds are left aside, so that old clients go on."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Problem(_Model):
    """Why something failed: a stable code, and a sentence in the client's language."""

    code: str
    message: str


class KnowledgeBaseSettings(_Model):
    """`threshold` is the least cosine of a passage, `language` "zh" or "en"; None takes the server's choice."""

    threshold: float | None
    language: str | None


class KnowledgeBase(_Model):
    """A closed set of documents; `ready` of its `documents` are searched."""

    id: str
    name: str
    documents: int
    ready: int
    pages: int
    settings: KnowledgeBaseSettings
    calibration: str
    created_at: datetime


class Document(_Model):
    """A manual. It is searched once its `state` is "ready"; `error` says why it "failed"."""

    id: str
    name: str
    media_type: str
    sha256: str
    bytes: int
    state: str
    pages: int | None
    chunks: int | None
    pages_without_text: int | None
    pages_recognised: int | None
    pages_with_hidden_text: tuple[int, ...] | None
    error: Problem | None
    created_at: datetime
    ready_at: datetime | None


class Job(_Model):
    """Work on a document or a knowledge base; `state` is queued, running, done, failed or cancelled."""

    id: str
    kind: str
    knowledge_base_id: str
    document_id: str | None
    document_name: str | None
    state: str
    stage: str
    pages_done: int
    pages_total: int | None
    chunks_done: int
    chunks_total: int | None
    seconds_left: float | None
    error: Problem | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class Upload(_Model):
    """A document that was taken, and the job that reads it; `created` is False where the same bytes were there."""

    document: Document
    job: Job
    created: bool


class Chunk(_Model):
    """A passage of a document, from page `page_start` (1-based) to `page_end`."""

    id: str
    ordinal: int
    page_start: int
    page_end: int
    heading_path: tuple[str, ...]
    text: str


class Scores(_Model):
    """Why a hit stands where it stands; the threshold is about `cosine` alone."""

    rank: int
    cosine: float
    passed: bool
    bm25: float | None
    bm25_rank: int | None
    vector_rank: int | None
    fused: float


class Hit(_Model):
    """A passage that was found."""

    document_id: str
    document_name: str
    chunk: Chunk
    scores: Scores


class SearchResult(_Model):
    """`hits`, best first, and the nearest of those that did not reach the threshold; `seconds` is the search's time."""

    hits: tuple[Hit, ...]
    rejected: tuple[Hit, ...]
    threshold: float
    seconds: float
    also: tuple[str, ...]


class Citation(_Model):
    """Proof: `quote` stands word for word on page `page` (1-based) of the document."""

    document_id: str
    document_name: str
    chunk_id: str
    page: int
    quote: str


class Sentence(_Model):
    """A sentence of an answer with its proof."""

    text: str
    citations: tuple[Citation, ...]


class Timings(_Model):
    """Seconds until the sources, the first token and the end."""

    sources: float
    first_token: float | None
    total: float


class Answer(_Model):
    """The checked answer; `refused` with a `reason` where the manuals have none, `mode` is "extractive" with `degraded`
    where the model was away."""

    question: str
    language: str
    text: str
    mode: str
    refused: bool
    reason: str | None
    degraded: str | None
    model: str | None
    adapter: str | None
    promotion: str | None
    call_id: str | None
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    withheld: tuple[str, ...]
    prompt_tokens: int | None
    completion_tokens: int | None
    timings: Timings


class BatchItem(_Model):
    """One question of a batch: `answer`, or the `error` that it met."""

    question: str
    answer: Answer | None
    error: Problem | None
