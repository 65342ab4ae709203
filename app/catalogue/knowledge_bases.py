"""Knowledge bases in the catalogue."""

from __future__ import annotations

import secrets
from dataclasses import asdict

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.jobs import end_job
from app.catalogue.records import KnowledgeBase, KnowledgeBaseSettings
from app.catalogue.tables import DocumentRow, GenerationRow, JobRow, KnowledgeBaseRow
from app.errors import InvalidName, KnowledgeBaseNotFound, NameTaken
from app.types import DocumentState, Fingerprint, GenerationState, JobState

MAX_NAME = 120


class KnowledgeBases:
    """Create, read, change and hide knowledge bases; every other table is reached through one of them."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def create(self, name: str, fingerprint: Fingerprint, settings: KnowledgeBaseSettings) -> KnowledgeBase:
        """A new, empty knowledge base; raises `InvalidName`, `NameTaken`."""
        clean = checked_name(name)
        identity = f"kb-{secrets.token_hex(8)}"
        index_id, built_with = f"{identity}-g1", fingerprint.as_dict()
        row = KnowledgeBaseRow(
            id=identity, name=clean, index_id=index_id, fingerprint=built_with, settings=asdict(settings)
        )
        first = GenerationRow(
            index_id=index_id,
            knowledge_base_id=identity,
            number=1,
            fingerprint=built_with,
            state=GenerationState.LIVE,
        )
        try:
            with self._sessions.begin() as session:
                session.add(row)
                session.flush()
                session.add(first)
        except IntegrityError as error:
            raise NameTaken(name=clean) from error
        return self.get(identity)

    def get(self, knowledge_base_id: str) -> KnowledgeBase:
        """Raises `KnowledgeBaseNotFound`."""
        with self._sessions() as session:
            row = session.get(KnowledgeBaseRow, knowledge_base_id)
            if row is None or row.deleting:
                raise KnowledgeBaseNotFound(ref=knowledge_base_id[:60])
            return _record(session, row)

    def name_of(self, index_id: str) -> str:
        """The name of the knowledge base that has this index; a question mark where none has."""
        mine = GenerationRow.index_id == index_id
        query = select(KnowledgeBaseRow.name).join(
            GenerationRow, GenerationRow.knowledge_base_id == KnowledgeBaseRow.id
        )
        with self._sessions() as session:
            return session.scalar(query.where(mine)) or "?"

    def all(self, name: str | None = None) -> list[KnowledgeBase]:
        """All of them by name, or the one with exactly this name."""
        query = select(KnowledgeBaseRow).where(KnowledgeBaseRow.deleting.is_(False)).order_by(KnowledgeBaseRow.name)
        if name is not None:
            query = query.where(KnowledgeBaseRow.name == name)
        with self._sessions() as session:
            return [_record(session, row) for row in session.scalars(query)]

    def change(self, knowledge_base_id: str, name: str | None, settings: KnowledgeBaseSettings) -> KnowledgeBase:
        """Sets the name (unless None) and the settings; raises `KnowledgeBaseNotFound`, `InvalidName`, `NameTaken`."""
        clean = self.get(knowledge_base_id).name if name is None else checked_name(name)
        values = {"name": clean, "settings": asdict(settings)}
        try:
            with self._sessions.begin() as session:
                session.execute(
                    update(KnowledgeBaseRow).where(KnowledgeBaseRow.id == knowledge_base_id).values(**values)
                )
        except IntegrityError as error:
            raise NameTaken(name=clean) from error
        return self.get(knowledge_base_id)

    def hide(self, knowledge_base_id: str) -> list[str]:
        """Takes it out of every answer at once and frees its name; returns the ids of its documents, to be purged."""
        self.get(knowledge_base_id)
        with self._sessions.begin() as session:
            session.execute(
                update(KnowledgeBaseRow)
                .where(KnowledgeBaseRow.id == knowledge_base_id)
                .values(deleting=True, name=f"deleted:{secrets.token_hex(16)}")
            )
            mine = DocumentRow.knowledge_base_id == knowledge_base_id
            session.execute(update(DocumentRow).where(mine).values(state=DocumentState.DELETING))
            end_job(session, JobRow.knowledge_base_id == knowledge_base_id, JobState.CANCELLED)
            return list(session.scalars(select(DocumentRow.id).where(mine)))

    def hidden(self) -> list[str]:
        """Ids of those that are hidden and not purged yet."""
        with self._sessions() as session:
            return list(session.scalars(select(KnowledgeBaseRow.id).where(KnowledgeBaseRow.deleting.is_(True))))

    def hidden_contents(self, knowledge_base_id: str) -> tuple[list[str], list[str]]:
        """(document ids, index ids) that a hidden knowledge base still has."""
        with self._sessions() as session:
            row = session.get(KnowledgeBaseRow, knowledge_base_id)
            if row is None or not row.deleting:
                return [], []
            documents = select(DocumentRow.id).where(DocumentRow.knowledge_base_id == knowledge_base_id)
            generations = select(GenerationRow.index_id).where(GenerationRow.knowledge_base_id == knowledge_base_id)
            return list(session.scalars(documents)), list(session.scalars(generations))

    def forget(self, knowledge_base_id: str) -> None:
        """Removes the row of a hidden knowledge base whose documents are gone."""
        with self._sessions.begin() as session:
            row = session.get(KnowledgeBaseRow, knowledge_base_id)
            if row is not None and row.deleting:
                session.execute(delete(GenerationRow).where(GenerationRow.knowledge_base_id == knowledge_base_id))
                session.delete(row)


def checked_name(name: str) -> str:
    """The name with outer blanks removed; raises `InvalidName` where it is empty, too long or not printable."""
    clean = name.strip()
    if not clean or len(clean) > MAX_NAME or not clean.isprintable():
        raise InvalidName(limit=MAX_NAME)
    return clean


def _record(session: Session, row: KnowledgeBaseRow) -> KnowledgeBase:
    mine = (DocumentRow.knowledge_base_id == row.id) & (DocumentRow.state != DocumentState.DELETING)
    documents = session.scalar(select(func.count()).where(mine)) or 0
    ready = mine & (DocumentRow.state == DocumentState.READY)
    count, pages, last = session.execute(
        select(func.count(), func.coalesce(func.sum(DocumentRow.pages), 0), func.max(DocumentRow.ready_at)).where(ready)
    ).one()
    return KnowledgeBase(
        id=row.id,
        name=row.name,
        index_id=row.index_id,
        fingerprint=Fingerprint(**row.fingerprint),
        settings=KnowledgeBaseSettings(**row.settings),
        created_at=row.created_at,
        documents=documents,
        ready=count,
        pages=pages or 0,
        last_ready_at=last,
    )
