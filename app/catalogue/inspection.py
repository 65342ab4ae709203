"""What the catalogue says should be there, for comparison with files and indexes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from app.catalogue.database import Sessions
from app.catalogue.documents import STOPPED, WORKING
from app.catalogue.jobs import OPEN
from app.catalogue.tables import ChunkRow, DocumentRow, JobRow, KnowledgeBaseRow, PageRow, PlacementRow
from app.types import DocumentState


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """A document and what the catalogue holds of it; `placed` is its number of chunks by its own account."""

    id: str
    knowledge_base_id: str
    name: str
    sha256: str
    state: DocumentState
    pages: int | None
    pages_stored: int
    chunks_stored: int
    placed: int | None
    has_open_job: bool

    @property
    def is_working(self) -> bool:
        return self.state in WORKING

    @property
    def is_stopped(self) -> bool:
        return self.state in STOPPED


class Inspection:
    """Reads of the whole catalogue, each from one state of it."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def documents(self) -> list[DocumentFacts]:
        """Every document; chunks and placement are those in the live generation of its knowledge base."""
        pages = select(func.count()).where(PageRow.document_id == DocumentRow.id).scalar_subquery()
        live = KnowledgeBaseRow.index_id
        chunks = (
            select(func.count()).where(ChunkRow.document_id == DocumentRow.id, ChunkRow.index_id == live)
        ).scalar_subquery()
        placed = (
            select(PlacementRow.chunks)
            .where(PlacementRow.document_id == DocumentRow.id, PlacementRow.index_id == live)
            .scalar_subquery()
        )
        open_job = select(JobRow.id).where(JobRow.document_id == DocumentRow.id, JobRow.state.in_(OPEN)).exists()
        query = select(DocumentRow, pages, chunks, placed, open_job).join(
            KnowledgeBaseRow, KnowledgeBaseRow.id == DocumentRow.knowledge_base_id
        )
        with self._sessions() as session:
            return [
                DocumentFacts(
                    id=row.id,
                    knowledge_base_id=row.knowledge_base_id,
                    name=row.name,
                    sha256=row.sha256,
                    state=DocumentState(row.state),
                    pages=row.pages,
                    pages_stored=pages_stored,
                    chunks_stored=chunks_stored,
                    placed=placement,
                    has_open_job=has_job,
                )
                for row, pages_stored, chunks_stored, placement, has_job in session.execute(query)
            ]

    def searchable_chunks(self, index_id: str) -> dict[str, str]:
        """Chunk id to document id of every document that is whole in this generation and searchable."""
        query = (
            select(ChunkRow.id, ChunkRow.document_id)
            .join(DocumentRow, DocumentRow.id == ChunkRow.document_id)
            .join(
                PlacementRow,
                (PlacementRow.document_id == ChunkRow.document_id) & (PlacementRow.index_id == ChunkRow.index_id),
            )
            .where(ChunkRow.index_id == index_id, DocumentRow.state == DocumentState.READY)
        )
        with self._sessions() as session:
            return {row.id: row.document_id for row in session.execute(query)}

    def all_chunks(self, index_id: str) -> set[str]:
        """Ids of all chunks of this generation, whatever their documents' state."""
        with self._sessions() as session:
            return set(session.scalars(select(ChunkRow.id).where(ChunkRow.index_id == index_id)))
