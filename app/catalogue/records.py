"""What the catalogue hands out: frozen copies of its rows, free of any session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.types import DocumentState, Fingerprint, Stage


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


@dataclass(frozen=True, slots=True)
class Document:
    """One file of a knowledge base and where it stands."""

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


@dataclass(frozen=True, slots=True)
class Job:
    """One ingestion: `stage` and counts while it runs, `error_code` when it failed."""

    id: str
    document_id: str
    document_name: str
    knowledge_base_id: str
    state: DocumentState
    stage: Stage
    pages_done: int
    pages_total: int | None
    chunks_done: int
    chunks_total: int | None
    error_code: str | None
    error_params: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as far as it is remembered."""

    id: str
    name: str
    role: str
    created_at: datetime
    revoked_at: datetime | None = None
