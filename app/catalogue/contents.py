"""Pages and chunks in the catalogue, from which every index can be built again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TypeVar

from sqlalchemy import delete, insert, select, update

from app.catalogue.database import Sessions
from app.catalogue.tables import ChunkRow, DocumentRow, PageRow
from app.types import Chunk, DocumentState, Heading, Page, ParsedDocument

T = TypeVar("T")

ROWS_AT_ONCE = 500  # SQLite takes at most 32,766 parameters in one statement


class Contents:
    """Writes replace all that a document had before, in one transaction; search sees `READY` documents only."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def put_pages(self, document_id: str, parsed: ParsedDocument) -> None:
        """Stores what the parser read; a document that is gone meanwhile stays gone."""
        with self._sessions.begin() as session:
            session.execute(delete(PageRow).where(PageRow.document_id == document_id))
            outline = [asdict(heading) for heading in parsed.outline]
            session.execute(
                update(DocumentRow)
                .where(DocumentRow.id == document_id)
                .values(pages=len(parsed.pages), outline=outline)
            )
            for batch in _batches(parsed.pages):
                rows = [{"document_id": document_id, "number": page.number, "text": page.text} for page in batch]
                session.execute(insert(PageRow), rows)

    def parsed(self, document_id: str) -> ParsedDocument:
        """What `put_pages` stored."""
        with self._sessions() as session:
            row = session.get_one(DocumentRow, document_id)
            pages = session.execute(
                select(PageRow.number, PageRow.text).where(PageRow.document_id == document_id).order_by(PageRow.number)
            )
            return ParsedDocument(
                pages=tuple(Page(number, text) for number, text in pages),
                outline=tuple(Heading(**heading) for heading in row.outline),
            )

    def put_chunks(self, document_id: str, chunks: Sequence[Chunk]) -> None:
        """Stores the chunks of a document."""
        with self._sessions.begin() as session:
            session.execute(delete(ChunkRow).where(ChunkRow.document_id == document_id))
            for batch in _batches(chunks):
                rows = [
                    {
                        "id": chunk.id,
                        "document_id": chunk.document_id,
                        "ordinal": chunk.ordinal,
                        "text": chunk.text,
                        "start": chunk.start,
                        "page_starts": [list(pair) for pair in chunk.page_starts],
                        "heading_path": list(chunk.heading_path),
                    }
                    for chunk in batch
                ]
                session.execute(insert(ChunkRow), rows)

    def chunks(self, document_id: str, limit: int | None = None, offset: int = 0) -> list[Chunk]:
        """Chunks of a document in reading order."""
        query = select(ChunkRow).where(ChunkRow.document_id == document_id).order_by(ChunkRow.ordinal)
        with self._sessions() as session:
            return [_chunk(row) for row in session.scalars(query.limit(limit).offset(offset))]

    def visible_chunks(self, knowledge_base_id: str, chunk_ids: Sequence[str]) -> dict[str, tuple[Chunk, str]]:
        """See `app.ports.ChunkReader`."""
        found: dict[str, tuple[Chunk, str]] = {}
        with self._sessions() as session:
            for batch in _batches(chunk_ids):
                query = (
                    select(ChunkRow, DocumentRow.name)
                    .join(DocumentRow, ChunkRow.document_id == DocumentRow.id)
                    .where(
                        ChunkRow.id.in_(batch),
                        DocumentRow.knowledge_base_id == knowledge_base_id,
                        DocumentRow.state == DocumentState.READY,
                    )
                )
                for row, name in session.execute(query):
                    found[row.id] = (_chunk(row), name)
        return found


def _batches(items: Iterable[T]) -> Iterable[list[T]]:
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _chunk(row: ChunkRow) -> Chunk:
    return Chunk(
        id=row.id,
        document_id=row.document_id,
        ordinal=row.ordinal,
        text=row.text,
        start=row.start,
        page_starts=tuple((offset, number) for offset, number in row.page_starts),
        heading_path=tuple(row.heading_path),
    )
