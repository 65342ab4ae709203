"""The tables of the catalogue, as SQLAlchemy classes. A change here needs a migration beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Double, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import DateTime, TypeDecorator

from app.types import (
    AdapterState,
    CallOutcome,
    Channel,
    DocumentState,
    DraftKind,
    GenerationState,
    JobKind,
    JobState,
    Label,
    PromptKind,
    Stage,
    TrainingStage,
    TurnState,
)


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time; SQLite forgets the zone, so it is stored as UTC and comes back as UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC)


def name_of(length: int) -> String:
    """A text that is compared and ordered by its code points, as SQLite does, and not by a server's language."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


class Table(DeclarativeBase):
    """Base of all tables."""


class KnowledgeBaseRow(Table):
    """A closed set of documents with its settings; `index_id` and `fingerprint` are those of its live generation."""

    __tablename__ = "knowledge_bases"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(name_of(200), unique=True)
    index_id: Mapped[str] = mapped_column(String(60))
    fingerprint: Mapped[dict[str, Any]] = mapped_column(JSON)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    deleting: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class GenerationRow(Table):
    """One index of a knowledge base, with what built it."""

    __tablename__ = "generations"

    index_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"), index=True)
    number: Mapped[int] = mapped_column(Integer)
    fingerprint: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[GenerationState] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class DocumentRow(Table):
    """One file of a knowledge base; the same bytes are there once (unless the older is being deleted)."""

    __tablename__ = "documents"
    __table_args__ = (
        Index(
            "one_document_per_bytes",
            "knowledge_base_id",
            "sha256",
            unique=True,
            sqlite_where=text("state != 'deleting'"),
            postgresql_where=text("state != 'deleting'"),
        ),
        Index("documents_by_state", "state"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id"), index=True)
    name: Mapped[str] = mapped_column(name_of(300))
    media_type: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    bytes: Mapped[int] = mapped_column(Integer)
    state: Mapped[DocumentState] = mapped_column(String(20), default=DocumentState.QUEUED)
    pages: Mapped[int | None] = mapped_column(Integer, default=None)
    chunks: Mapped[int | None] = mapped_column(Integer, default=None)
    outline: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    error_code: Mapped[str | None] = mapped_column(String(60), default=None)
    error_params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    accepted_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    replaces: Mapped[bool] = mapped_column(default=True)
    pages_without_text: Mapped[int | None] = mapped_column(Integer, default=None)
    pages_recognised: Mapped[int | None] = mapped_column(Integer, default=None)
    pages_with_hidden_text: Mapped[list[int] | None] = mapped_column(JSON, default=None)
    ready_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class PlacementRow(Table):
    """A document is whole in a generation's index, with so many chunks."""

    __tablename__ = "placements"

    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    index_id: Mapped[str] = mapped_column(
        ForeignKey("generations.index_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    chunks: Mapped[int] = mapped_column(Integer)


class PageRow(Table):
    """The text of one page; `scanned` and not `recognised` means that only OCR could read it.

    `lines` are [text, left, top, right, bottom] of an OCR page, in fractions of its width and height. `hidden_text`
    means that words which no reader sees were left out.
    """

    __tablename__ = "pages"

    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    scanned: Mapped[bool] = mapped_column(default=False)
    recognised: Mapped[bool] = mapped_column(default=False)
    lines: Mapped[list[list[Any]] | None] = mapped_column(JSON, default=None)
    hidden_text: Mapped[bool] = mapped_column(default=False)


class ChunkRow(Table):
    """One chunk of a document in one generation; `page_starts` as in `app.types.Chunk`."""

    __tablename__ = "chunks"
    __table_args__ = (Index("chunks_of_a_document", "document_id", "index_id", "ordinal"),)

    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    index_id: Mapped[str] = mapped_column(ForeignKey("generations.index_id", ondelete="CASCADE"), index=True)
    ordinal: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)
    start: Mapped[int] = mapped_column(Integer)
    page_starts: Mapped[list[list[int]]] = mapped_column(JSON)
    heading_path: Mapped[list[str]] = mapped_column(JSON)
    table_header: Mapped[str] = mapped_column(Text, default="")


class JobRow(Table):
    """One ingestion or rebuild as people watch it; the durable workflow behind it has the same id.

    `steps` counts finished steps, `attempts` the starts of the process since the last of them, so that a job which
    kills every process that takes it up ends. `stage_from` is what was done when the stage began at `stage_started_at`,
    for its speed.
    """

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    kind: Mapped[JobKind] = mapped_column(String(20), default=JobKind.INGEST)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id", ondelete="CASCADE"), index=True)
    document_id: Mapped[str | None] = mapped_column(
        ForeignKey("documents.id", ondelete="CASCADE"), index=True, default=None
    )
    index_id: Mapped[str | None] = mapped_column(String(60), default=None)
    fingerprint: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    state: Mapped[JobState] = mapped_column(String(20), default=JobState.QUEUED, index=True)
    stage: Mapped[Stage] = mapped_column(String(20), default=Stage.WAITING)
    stage_started_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    stage_from: Mapped[int] = mapped_column(Integer, default=0)
    pages_done: Mapped[int] = mapped_column(Integer, default=0)
    pages_total: Mapped[int | None] = mapped_column(Integer, default=None)
    chunks_done: Mapped[int] = mapped_column(Integer, default=0)
    chunks_total: Mapped[int | None] = mapped_column(Integer, default=None)
    documents_done: Mapped[int] = mapped_column(Integer, default=0)
    documents_total: Mapped[int | None] = mapped_column(Integer, default=None)
    steps: Mapped[int] = mapped_column(Integer, default=0)
    steps_at_start: Mapped[int] = mapped_column(Integer, default=-1)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    error_code: Mapped[str | None] = mapped_column(String(60), default=None)
    error_params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class EvaluationRow(Table):
    """A question set put to a knowledge base: what is asked, how far it is, and what it was asked of.

    `questions` are JSON lines in the order in which they are asked; `done` counts records, `failed` those with an
    error, and `revision` every change that a reader could see. `queued_at` orders the queue, and `claimed_by` is the
    process that asks, where there are several.
    """

    __tablename__ = "evaluations"

    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    question_set: Mapped[str] = mapped_column(String(200))
    set_hash: Mapped[str] = mapped_column(String(64))
    questions: Mapped[str] = mapped_column(Text, deferred=True)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[JobState] = mapped_column(String(20), default=JobState.QUEUED, index=True)
    total: Mapped[int] = mapped_column(Integer)
    done: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    revision: Mapped[int] = mapped_column(Integer, default=0)
    fingerprint: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    model: Mapped[str | None] = mapped_column(String(300), default=None)
    versions: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    error_code: Mapped[str | None] = mapped_column(String(60), default=None)
    error_params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    claimed_by: Mapped[str | None] = mapped_column(String(40), default=None)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class EvaluationRecordRow(Table):
    """What came of one question of an evaluation, as JSON; `failed` says that it is an error."""

    __tablename__ = "evaluation_records"

    evaluation_id: Mapped[str] = mapped_column(ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    failed: Mapped[bool] = mapped_column(default=False)
    record: Mapped[str] = mapped_column(Text)


class CalibrationRow(Table):
    """The values that an evaluation found for a knowledge base, which has at most one; `tuning` as in `app.types`."""

    __tablename__ = "calibrations"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id", ondelete="CASCADE"), unique=True)
    evaluation_id: Mapped[str | None] = mapped_column(String(60), default=None)
    fingerprint: Mapped[dict[str, Any]] = mapped_column(JSON)
    model: Mapped[str | None] = mapped_column(String(300), default=None)
    tuning: Mapped[dict[str, Any]] = mapped_column(JSON)
    target: Mapped[dict[str, Any]] = mapped_column(JSON)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class KeyRow(Table):
    """An API key: only its SHA-256 is kept, which is safe for 256 random bits.

    One that is `limited` reads the knowledge bases of its `KeyScopeRow`s alone. `previous_sha256` is that of the secret
    before the last rotation, good until `previous_until`. `last_used_at` is some minutes late.
    """

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    limited: Mapped[bool] = mapped_column(default=False)
    requests_per_minute: Mapped[int | None] = mapped_column(Integer, default=None)
    questions_per_day: Mapped[int | None] = mapped_column(Integer, default=None)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    previous_sha256: Mapped[str | None] = mapped_column(String(64), index=True, unique=True, default=None)
    previous_until: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class KeyScopeRow(Table):
    """A limited key may use this knowledge base."""

    __tablename__ = "key_scopes"

    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True)
    knowledge_base_id: Mapped[str] = mapped_column(
        ForeignKey("knowledge_bases.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class KeyDayRow(Table):
    """The questions that a key has asked on a day of UTC, such as 2026-11-29; for keys with a quota."""

    __tablename__ = "key_days"

    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    questions: Mapped[int] = mapped_column(Integer)


class AuditRow(Table):
    """A change that somebody made: `action` is a route, `target` what its address names. It outlives all it names."""

    __tablename__ = "audit"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    key_id: Mapped[str] = mapped_column(String(40), index=True)
    key_name: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(200))
    target: Mapped[dict[str, Any]] = mapped_column(JSON)
    request_id: Mapped[str] = mapped_column(String(40))


class WebSessionRow(Table):
    """A browser that is signed in: only the SHA-256 of its cookie is kept. `key_id` may be that of the local user."""

    __tablename__ = "web_sessions"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(40), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ConversationRow(Table):
    """Questions of one key to one knowledge base, in a row. `key_id` may be that of the local user."""

    __tablename__ = "conversations"
    __table_args__ = (Index("conversations_of_a_key", "knowledge_base_id", "key_id", "updated_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id", ondelete="CASCADE"))
    key_id: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class TurnRow(Table):
    """One question of a conversation. `answer` and `sources` are an `Answer` and a `SearchResult` as JSON; `written` is
    what the model had written where there is no answer; `verdict` and `comment` are the asker's; `promotion_id` and
    `adapter_id` are the answer's, to be counted; `process_id` is the process that answers, where there are several."""

    __tablename__ = "turns"
    __table_args__ = (Index("turns_of_a_conversation", "conversation_id", "number", unique=True),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    question: Mapped[str] = mapped_column(Text)
    standalone: Mapped[str | None] = mapped_column(Text, default=None)
    state: Mapped[TurnState] = mapped_column(String(20), default=TurnState.RUNNING, index=True)
    answer: Mapped[str | None] = mapped_column(Text, default=None)
    sources: Mapped[str | None] = mapped_column(Text, default=None)
    written: Mapped[str] = mapped_column(Text, default="")
    error_code: Mapped[str | None] = mapped_column(String(60), default=None)
    error_params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    verdict: Mapped[str | None] = mapped_column(String(10), default=None)
    comment: Mapped[str | None] = mapped_column(Text, default=None)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    rated_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    promotion_id: Mapped[str | None] = mapped_column(String(40), index=True, default=None)
    adapter_id: Mapped[str | None] = mapped_column(String(40), default=None)
    process_id: Mapped[str | None] = mapped_column(String(40), default=None)


CALL_FIGURES = (
    "asked_at",
    "knowledge_base_id",
    "model",
    "adapter_id",
    "outcome",
    "reason",
    "sources_seconds",
    "first_token_seconds",
    "total_seconds",
    "prompt_tokens",
    "completion_tokens",
    "sentences",
    "withheld",
    "verdict",
    "label",
)
"""All that figures of operations read of a call: from the index alone, past the long answers."""


class CallRow(Table):
    """One question that was asked and what it got, kept for `MQA_CALL_DAYS`. `question` and `answer` (an `Answer` as
    JSON) are not kept where `MQA_KEEP_QUESTIONS` is off; `reason` is why it was refused, or the code of an error;
    `sentences` are those that the model wrote, `withheld` those of them that nothing carried; times are in seconds.
    `verdict` and `comment` are the asker's, `label` and `note` those of a reviewer."""

    __tablename__ = "calls"
    __table_args__ = (
        Index("calls_of_a_knowledge_base", "knowledge_base_id", "asked_at"),
        Index("calls_to_review", "knowledge_base_id", "label", "verdict"),
        Index("calls_in_figures", *CALL_FIGURES),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id", ondelete="CASCADE"))
    key_id: Mapped[str] = mapped_column(String(40))
    channel: Mapped[Channel] = mapped_column(String(20))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    question: Mapped[str | None] = mapped_column(Text, default=None)
    answer: Mapped[str | None] = mapped_column(Text, default=None)
    outcome: Mapped[CallOutcome] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(60), default=None)
    model: Mapped[str | None] = mapped_column(String(200), default=None)
    adapter_id: Mapped[str | None] = mapped_column(String(40), default=None)
    promotion_id: Mapped[str | None] = mapped_column(String(40), default=None)
    sources_seconds: Mapped[float | None] = mapped_column(Double, default=None)
    first_token_seconds: Mapped[float | None] = mapped_column(Double, default=None)
    total_seconds: Mapped[float] = mapped_column(Double)
    prompt_tokens: Mapped[int | None] = mapped_column(default=None)
    completion_tokens: Mapped[int | None] = mapped_column(default=None)
    sentences: Mapped[int] = mapped_column(default=0)
    withheld: Mapped[int] = mapped_column(default=0)
    verdict: Mapped[str | None] = mapped_column(String(10), default=None)
    comment: Mapped[str | None] = mapped_column(Text, default=None)
    label: Mapped[Label | None] = mapped_column(String(20), default=None)
    note: Mapped[str | None] = mapped_column(Text, default=None)
    labelled_by: Mapped[str | None] = mapped_column(String(40), default=None)
    labelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class DraftRow(Table):
    """A question with the answer that a person expects, made of a call: for evaluations, or a pair to learn from.

    `answers` are those that count as right, `document` and `pages` where they stand, `quote` the words that state them;
    `reviewed` once a person has corrected it. It outlives its call."""

    __tablename__ = "drafts"
    __table_args__ = (
        Index("drafts_of_a_call", "call_id", "kind", unique=True),
        Index("drafts_of_a_knowledge_base", "knowledge_base_id", "kind", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id", ondelete="CASCADE"))
    call_id: Mapped[str] = mapped_column(String(40))
    kind: Mapped[DraftKind] = mapped_column(String(20))
    question: Mapped[str] = mapped_column(Text)
    answers: Mapped[list[str]] = mapped_column(JSON)
    answerable: Mapped[bool] = mapped_column(default=True)
    document: Mapped[str | None] = mapped_column(Text, default=None)
    pages: Mapped[list[int]] = mapped_column(JSON)
    quote: Mapped[str] = mapped_column(Text)
    reviewed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class FinetuneJobRow(Table):
    """A LoRA training as people watch it; its files are in the run folder, named by the id.

    `config` are the choices of whoever ordered it, and the resolved `TrainingConfig` once it is prepared; `examples`
    the counts and hashes of what it learns from; `step` of `steps` are done; `attempts` counts how often it was taken
    up since it last came on (prepared, a checkpoint, trained). `revision` changes with all that a reader could see.
    `claimed_by` is the process that trains, where there are several.
    """

    __tablename__ = "finetune_jobs"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    knowledge_base_id: Mapped[str | None] = mapped_column(
        ForeignKey("knowledge_bases.id", ondelete="SET NULL"), index=True, default=None
    )
    name: Mapped[str] = mapped_column(String(200))
    base: Mapped[str] = mapped_column(String(300))
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    examples: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[JobState] = mapped_column(String(20), default=JobState.QUEUED, index=True)
    stage: Mapped[TrainingStage] = mapped_column(String(20), default=TrainingStage.WAITING)
    step: Mapped[int] = mapped_column(Integer, default=0)
    steps: Mapped[int | None] = mapped_column(Integer, default=None)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    revision: Mapped[int] = mapped_column(Integer, default=0)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    adapter_id: Mapped[str | None] = mapped_column(String(40), default=None)
    error_code: Mapped[str | None] = mapped_column(String(60), default=None)
    error_params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    claimed_by: Mapped[str | None] = mapped_column(String(40), default=None)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class AdapterRow(Table):
    """A LoRA adapter: its files are in the adapters' folder, named by the id, and never change (`sha256` of them all).

    `prompt` and `context_tokens` are what it was trained with and is served with; `hosted` is what the operator wants,
    not what a model server has at this moment.
    """

    __tablename__ = "adapters"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    base: Mapped[str] = mapped_column(String(300))
    base_revision: Mapped[str] = mapped_column(String(64))
    rank: Mapped[int] = mapped_column(Integer)
    bytes: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    prompt: Mapped[PromptKind] = mapped_column(String(20))
    context_tokens: Mapped[int | None] = mapped_column(Integer, default=None)
    state: Mapped[AdapterState] = mapped_column(String(20), index=True)
    hosted: Mapped[bool] = mapped_column(default=False)
    job_id: Mapped[str | None] = mapped_column(String(40), default=None)
    data_hash: Mapped[str | None] = mapped_column(String(64), default=None)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class PromotionRow(Table):
    """What answers the questions of a knowledge base from a moment on: an adapter, or the base model where it is None.

    `share` is the percentage of questions that the adapter gets; the rest goes to what `previous` names. `forced` says
    that it was promoted although its proof was missing or worse, `proof` what was compared, `by` the key that did it.
    """

    __tablename__ = "promotions"
    __table_args__ = (Index("promotions_of_a_knowledge_base", "knowledge_base_id", "number", unique=True),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    knowledge_base_id: Mapped[str] = mapped_column(ForeignKey("knowledge_bases.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    adapter_id: Mapped[str | None] = mapped_column(ForeignKey("adapters.id"), default=None)
    previous_id: Mapped[str | None] = mapped_column(ForeignKey("adapters.id"), default=None)
    share: Mapped[int] = mapped_column(Integer, default=100)
    kind: Mapped[str] = mapped_column(String(20))
    forced: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str] = mapped_column(Text, default="")
    proof: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    by: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class ProcessRow(Table):
    """A process that works on this database beside others; it is alive as long as its row is there.

    `beats` changes while it lives: where it stands still for too long, another removes the row. `life` is one run of
    the process, whose id stays when it is started again. `works` says whether it takes up jobs.
    """

    __tablename__ = "processes"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    life: Mapped[str] = mapped_column(String(40))
    works: Mapped[bool] = mapped_column(default=False)
    build: Mapped[str] = mapped_column(String(60))
    beats: Mapped[int] = mapped_column(Integer, default=0)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class AlarmStateRow(Table):
    """Where the rule of an alarm stands; `held`, `quiet` and `untold` are seconds, as in `app.alarms.rules`.

    `since` is when it came into its phase, `memory` what its figure is made of beside the catalogue, `alarm_id` the
    alarm that fires.
    """

    __tablename__ = "alarm_states"

    rule: Mapped[str] = mapped_column(String(40), primary_key=True)
    phase: Mapped[str] = mapped_column(String(20))
    held: Mapped[float] = mapped_column(Double, default=0.0)
    quiet: Mapped[float] = mapped_column(Double, default=0.0)
    untold: Mapped[float] = mapped_column(Double, default=0.0)
    figure: Mapped[float | None] = mapped_column(Double, default=None)
    memory: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    alarm_id: Mapped[str | None] = mapped_column(String(40), default=None)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AlarmRow(Table):
    """An alarm from its firing to its recovery, with the figure at both."""

    __tablename__ = "alarms"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    rule: Mapped[str] = mapped_column(String(40))
    limit: Mapped[float] = mapped_column(Double)
    figure: Mapped[float] = mapped_column(Double)
    last_figure: Mapped[float | None] = mapped_column(Double, default=None)
    fired_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    recovered_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class AlarmNoticeRow(Table):
    """A notice of an alarm on one way, webhook or mail: `state` is waiting, sent or failed, `reason` why it last did
    not arrive. It is tried from `due_at` on, which moves on before each try; `number` orders those of an alarm."""

    __tablename__ = "alarm_notices"
    __table_args__ = (Index("alarm_notices_of_an_alarm", "alarm_id", "number"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    alarm_id: Mapped[str] = mapped_column(ForeignKey("alarms.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    happening: Mapped[str] = mapped_column(String(20))
    way: Mapped[str] = mapped_column(String(20))
    figure: Mapped[float | None] = mapped_column(Double, default=None)
    state: Mapped[str] = mapped_column(String(20), index=True)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    reason: Mapped[str | None] = mapped_column(String(200), default=None)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
