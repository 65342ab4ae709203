"""What the catalogue hands out: frozen copies of its rows, free of any session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.types import DocumentState, Fingerprint, GenerationState, JobKind, JobState, Stage


@dataclass(frozen=True, slots=True)
class KnowledgeBaseSettings:
    """A knowledge base's own choices; None means the server's setting."""

    threshold: float | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """A closed set of documents and the index that belongs to it."""

    id: str
    name: str
    index_id: str
    fingerprint: Fingerprint
    settings: KnowledgeBaseSettings
    created_at: datetime
    documents: int = 0
    ready: int = 0
    pages: int = 0
    last_ready_at: datetime | None = None

    def answers_like(self, other: KnowledgeBase) -> bool:
        """Whether the same documents, in the same generation, are searchable in both states of one knowledge base."""
        return (self.index_id, self.ready, self.last_ready_at) == (other.index_id, other.ready, other.last_ready_at)


@dataclass(frozen=True, slots=True)
class Generation:
    """One index of a knowledge base, with what built it."""

    index_id: str
    knowledge_base_id: str
    number: int
    fingerprint: Fingerprint
    state: GenerationState
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Document:
    """One file of a knowledge base and where it stands.

    `pages_without_text` counts pages that could not be read (scans, without OCR), `pages_recognised` those that OCR
    has read. On `pages_with_hidden_text` are words that no reader sees, which were left out.
    """

    id: str
    knowledge_base_id: str
    name: str
    media_type: str
    sha256: str
    bytes: int
    state: DocumentState
    pages: int | None
    chunks: int | None
    error_code: str | None
    error_params: dict[str, Any]
    created_at: datetime
    ready_at: datetime | None
    pages_without_text: int | None = None
    pages_recognised: int | None = None
    pages_with_hidden_text: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One ingestion or rebuild: `stage` and counts while it runs, `error_code` when it failed.

    A rebuild has no document but the index that it makes and what it makes it with, and counts documents beside the
    chunks of the one it is at.
    """

    id: str
    kind: JobKind
    knowledge_base_id: str
    document_id: str | None
    document_name: str | None
    index_id: str | None
    fingerprint: Fingerprint | None
    state: JobState
    stage: Stage
    stage_started_at: datetime | None
    stage_from: int
    pages_done: int
    pages_total: int | None
    chunks_done: int
    chunks_total: int | None
    documents_done: int
    documents_total: int | None
    attempts: int
    error_code: str | None
    error_params: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as far as it is remembered; `knowledge_base_ids` None stands for all there are and will be."""

    id: str
    name: str
    role: str
    created_at: datetime
    revoked_at: datetime | None = None
    knowledge_base_ids: frozenset[str] | None = None
    requests_per_minute: int | None = None
    questions_per_day: int | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
