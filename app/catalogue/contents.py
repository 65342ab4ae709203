"""Pages and chunks in the catalogue, from which every index can be built again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Row, delete, func, insert, select, update

from app.catalogue.database import Sessions
from app.catalogue.tables import ChunkRow, DocumentRow, PageRow
from app.ports import Part
from app.types import Chunk, DocumentState, Heading, Page, ParsedDocument

T = TypeVar("T")

_SAMPLED_ORDINALS = (0, 2, 5, 11, 23)
_SAMPLED_CHARACTERS = 400
_MOST_SAMPLED = 5000

ROWS_AT_ONCE = 500  # SQLite takes at most 32,766 parameters in one statement

_CHUNK_COLUMNS = tuple(ChunkRow.__table__.columns)
"""Rows of columns are read in half the time of objects."""

TextLine = tuple[str, float, float, float, float]
"""(text, left, top, right, bottom) in fractions of the page's width and height."""


@dataclass(frozen=True, slots=True)
class ReadPage:
    """What OCR made of a page."""

    number: int
    text: str
    lines: tuple[TextLine, ...]


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page as it is stored: `start` is where its text begins in the document's, `lines` are those of an OCR page."""

    number: int
    text: str
    start: int
    recognised: bool
    lines: tuple[TextLine, ...] | None


class Contents:
    """Writes are one transaction each and can be repeated; search sees chunks of `READY` documents only."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    # --- pages ----------------------------------------------------------------------------------------------------

    def put_part(self, document_id: str, first: int, part: Part) -> None:
        """Stores the pages of a window in place of all from `first` on; a document that is gone stays gone."""
        with self._sessions.begin() as session:
            if session.get(DocumentRow, document_id) is None:
                return
            session.execute(delete(PageRow).where(PageRow.document_id == document_id, PageRow.number >= first))
            values: dict[str, object] = {"pages": part.pages_total}
            if first == 1:
                values["outline"] = [asdict(heading) for heading in part.outline]
            session.execute(update(DocumentRow).where(DocumentRow.id == document_id).values(**values))
            for batch in in_batches(part.pages):
                rows = [
                    {
                        "document_id": document_id,
                        "number": page.number,
                        "text": page.text,
                        "scanned": page.number in part.scanned,
                        "hidden_text": page.number in part.hidden,
                    }
                    for page in batch
                ]
                session.execute(insert(PageRow), rows)

    def put_recognised(self, document_id: str, pages: Iterable[ReadPage]) -> None:
        """Stores what OCR has read, in place of those pages' texts."""
        with self._sessions.begin() as session:
            for page in pages:
                session.execute(
                    update(PageRow)
                    .where(PageRow.document_id == document_id, PageRow.number == page.number)
                    .values(text=page.text, recognised=True, lines=[list(line) for line in page.lines])
                )

    def put_texts(self, document_id: str, texts: Mapping[int, str]) -> None:
        """Sets the texts of pages by number."""
        with self._sessions.begin() as session:
            for number, text in texts.items():
                session.execute(
                    update(PageRow)
                    .where(PageRow.document_id == document_id, PageRow.number == number)
                    .values(text=text)
                )

    def characters(self, document_id: str, before: int) -> int:
        """Length of the texts of all pages before this one."""
        mine = (PageRow.document_id == document_id) & (PageRow.number < before)
        with self._sessions() as session:
            return session.scalar(select(func.coalesce(func.sum(func.length(PageRow.text)), 0)).where(mine)) or 0

    def count_unread(self, document_id: str) -> None:
        """Notes on the document how many of its pages have no text or were read by OCR, and which had hidden text."""
        mine = PageRow.document_id == document_id
        unread = mine & PageRow.scanned & ~PageRow.recognised & (func.length(PageRow.text) == 0)
        with self._sessions.begin() as session:
            hidden = select(PageRow.number).where(mine, PageRow.hidden_text).order_by(PageRow.number)
            counts = {
                "pages_with_hidden_text": list(session.scalars(hidden)),
                "pages_without_text": session.scalar(select(func.count()).select_from(PageRow).where(unread)),
                "pages_recognised": session.scalar(
                    select(func.count()).select_from(PageRow).where(mine, PageRow.recognised)
                ),
            }
            session.execute(update(DocumentRow).where(DocumentRow.id == document_id).values(**counts))

    def scanned_pages(self, document_id: str) -> list[int]:
        """Numbers of the pages that only OCR can read and that it has not read yet."""
        query = select(PageRow.number).where(
            PageRow.document_id == document_id, PageRow.scanned, PageRow.recognised.is_(False)
        )
        with self._sessions() as session:
            return list(session.scalars(query.order_by(PageRow.number)))

    def recognised_texts(self, document_id: str) -> dict[int, str]:
        """Texts of the pages that OCR has read, by number."""
        query = select(PageRow.number, PageRow.text).where(PageRow.document_id == document_id, PageRow.recognised)
        with self._sessions() as session:
            return {row.number: row.text for row in session.execute(query.order_by(PageRow.number))}

    def page_text(self, document_id: str, number: int) -> str | None:
        """The text of one page; None where there is no such page."""
        with self._sessions() as session:
            row = session.get(PageRow, (document_id, number))
            return None if row is None else row.text

    def page(self, document_id: str, number: int) -> StoredPage | None:
        """One page; None where there is no such page."""
        with self._sessions() as session:
            row = session.get(PageRow, (document_id, number))
            if row is None:
                return None
            lines = None if row.lines is None else tuple((str(text), *edges) for text, *edges in row.lines)
            text, recognised = row.text, row.recognised
        start = self.characters(document_id, before=number) + number - 1
        return StoredPage(number, text, start, recognised, lines)

    def parsed(self, document_id: str) -> ParsedDocument:
        """All pages as they are stored, with the outline."""
        with self._sessions() as session:
            row = session.get_one(DocumentRow, document_id)
            pages = session.execute(
                select(PageRow.number, PageRow.text).where(PageRow.document_id == document_id).order_by(PageRow.number)
            )
            return ParsedDocument(
                pages=tuple(Page(number, text) for number, text in pages),
                outline=tuple(Heading(**heading) for heading in row.outline),
            )

    # --- chunks ---------------------------------------------------------------------------------------------------

    def put_chunks(self, document_id: str, index_id: str, chunks: Sequence[Chunk]) -> None:
        """Stores the chunks of a document in a generation, in place of those it had there."""
        with self._sessions.begin() as session:
            if session.get(DocumentRow, document_id) is None:
                return
            session.execute(delete(ChunkRow).where(ChunkRow.document_id == document_id, ChunkRow.index_id == index_id))
            for batch in in_batches(chunks):
                rows = [
                    {
                        "id": chunk.id,
                        "document_id": chunk.document_id,
                        "index_id": index_id,
                        "ordinal": chunk.ordinal,
                        "text": chunk.text,
                        "start": chunk.start,
                        "page_starts": [list(pair) for pair in chunk.page_starts],
                        "heading_path": list(chunk.heading_path),
                        "table_header": chunk.table_header,
                    }
                    for chunk in batch
                ]
                session.execute(insert(ChunkRow), rows)

    def chunks(self, document_id: str, index_id: str, limit: int | None = None, offset: int = 0) -> list[Chunk]:
        """Chunks of a document in a generation, in reading order."""
        mine = (ChunkRow.document_id == document_id) & (ChunkRow.index_id == index_id)
        query = select(*_CHUNK_COLUMNS).where(mine).order_by(ChunkRow.ordinal)
        with self._sessions() as session:
            return [_chunk(row) for row in session.execute(query.limit(limit).offset(offset))]

    def chunks_on(self, page: StoredPage, document_id: str, index_id: str) -> list[Chunk]:
        """Chunks of a document in a generation that have some of this page's text, in reading order."""
        mine = (ChunkRow.document_id == document_id) & (ChunkRow.index_id == index_id)
        here = (ChunkRow.start < page.start + len(page.text)) & (
            ChunkRow.start + func.length(ChunkRow.text) > page.start
        )
        query = select(*_CHUNK_COLUMNS).where(mine, here).order_by(ChunkRow.ordinal)
        with self._sessions() as session:
            return [_chunk(row) for row in session.execute(query)]

    def chunk_ids(self, document_id: str, index_id: str) -> list[str]:
        """Ids of the chunks of a document in a generation, in reading order."""
        mine = (ChunkRow.document_id == document_id) & (ChunkRow.index_id == index_id)
        with self._sessions() as session:
            return list(session.scalars(select(ChunkRow.id).where(mine).order_by(ChunkRow.ordinal)))

    def documents_in(self, index_id: str) -> list[str]:
        """Ids of the documents that have chunks in a generation."""
        with self._sessions() as session:
            return list(session.scalars(select(ChunkRow.document_id).where(ChunkRow.index_id == index_id).distinct()))

    def clear(self, document_id: str) -> None:
        """Removes all pages and chunks of a document."""
        with self._sessions.begin() as session:
            session.execute(delete(ChunkRow).where(ChunkRow.document_id == document_id))
            session.execute(delete(PageRow).where(PageRow.document_id == document_id))

    def sample(self, index_id: str) -> list[str]:
        """Beginnings of a few chunks of each visible document of a generation, to tell its languages by."""
        query = (
            select(func.substr(ChunkRow.text, 1, _SAMPLED_CHARACTERS))
            .join(DocumentRow, ChunkRow.document_id == DocumentRow.id)
            .where(
                ChunkRow.index_id == index_id,
                ChunkRow.ordinal.in_(_SAMPLED_ORDINALS),
                DocumentRow.state == DocumentState.READY,
            )
            .limit(_MOST_SAMPLED)
        )
        with self._sessions() as session:
            return list(session.scalars(query))

    def visible_chunks(
        self, knowledge_base_id: str, index_id: str, chunk_ids: Sequence[str]
    ) -> dict[str, tuple[Chunk, str]]:
        """See `app.ports.ChunkReader`."""
        found: list[Row[Any]] = []
        names: dict[str, str] = {}
        with self._sessions() as session:
            for batch in in_batches(chunk_ids):
                # by primary key alone: with a second condition SQLite reads every chunk of the index
                rows = session.execute(select(*_CHUNK_COLUMNS).where(ChunkRow.id.in_(batch)))
                found += [row for row in rows if row.index_id == index_id]
            for batch in in_batches({row.document_id for row in found}):
                visible = select(DocumentRow.id, DocumentRow.name).where(
                    DocumentRow.id.in_(batch),
                    DocumentRow.knowledge_base_id == knowledge_base_id,
                    DocumentRow.state == DocumentState.READY,
                )
                names.update((row.id, row.name) for row in session.execute(visible))
        return {row.id: (_chunk(row), names[row.document_id]) for row in found if row.document_id in names}


def in_batches(items: Iterable[T]) -> Iterator[list[T]]:
    """The items in their order, at most `ROWS_AT_ONCE` at a time."""
    waiting = iter(items)
    while some := list(islice(waiting, ROWS_AT_ONCE)):
        yield some


def _chunk(row: Row[Any]) -> Chunk:
    return Chunk(
        id=row.id,
        document_id=row.document_id,
        ordinal=row.ordinal,
        text=row.text,
        start=row.start,
        page_starts=tuple((offset, number) for offset, number in row.page_starts),
        heading_path=tuple(row.heading_path),
        table_header=row.table_header,
    )
