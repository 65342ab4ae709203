"""Generations in the catalogue: the indexes of a knowledge base, of which one answers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, select, update
from sqlalchemy.orm import Session

from app.catalogue.database import Sessions
from app.catalogue.jobs import end_job, new_job, require_open
from app.catalogue.records import Generation
from app.catalogue.tables import DocumentRow, GenerationRow, JobRow, KnowledgeBaseRow, PlacementRow, now
from app.errors import JobCancelled, KnowledgeBaseNotFound, RebuildRunning
from app.types import DocumentState, Fingerprint, GenerationState, JobKind, JobState


class Generations:
    """A new one is built beside the live one and takes its place in one statement, once every document is in it."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def start(self, knowledge_base_id: str, fingerprint: Fingerprint) -> tuple[Generation, str]:
        """A generation to build and the id of its job; raises `KnowledgeBaseNotFound`, `RebuildRunning`."""
        with self._sessions.begin() as session:
            base = session.get(KnowledgeBaseRow, knowledge_base_id)
            if base is None or base.deleting:
                raise KnowledgeBaseNotFound(ref=knowledge_base_id[:60])
            mine = GenerationRow.knowledge_base_id == knowledge_base_id
            if session.scalar(select(func.count()).where(mine, GenerationRow.state == GenerationState.BUILDING)):
                raise RebuildRunning(name=base.name)
            number = (session.scalar(select(func.max(GenerationRow.number)).where(mine)) or 0) + 1
            row = GenerationRow(
                index_id=f"{knowledge_base_id}-g{number}",
                knowledge_base_id=knowledge_base_id,
                number=number,
                fingerprint=fingerprint.as_dict(),
                state=GenerationState.BUILDING,
                created_at=now(),
            )
            session.add(row)
            job_id = new_job(
                session, JobKind.REBUILD, knowledge_base_id, index_id=row.index_id, fingerprint=row.fingerprint
            )
            return generation_of(row), job_id

    def get(self, index_id: str) -> Generation | None:
        """The generation of this index, in any state, or None."""
        with self._sessions() as session:
            row = session.get(GenerationRow, index_id)
            return None if row is None else generation_of(row)

    def building(self, knowledge_base_id: str) -> Generation | None:
        """The generation that is being built beside the live one, if any."""
        mine = GenerationRow.knowledge_base_id == knowledge_base_id
        query = select(GenerationRow).where(mine, GenerationRow.state == GenerationState.BUILDING)
        with self._sessions() as session:
            row = session.scalars(query).one_or_none()
            return None if row is None else generation_of(row)

    def all(self) -> list[Generation]:
        """Every generation there is."""
        with self._sessions() as session:
            return [generation_of(row) for row in session.scalars(select(GenerationRow))]

    # --- what the worker writes -----------------------------------------------------------------------------------

    def waiting(self, index_id: str, job_id: str, limit: int) -> list[str]:
        """Ids of searchable documents that are not in this generation yet; counts both; raises `JobCancelled`."""
        with self._sessions.begin() as session:
            generation = _open_generation(session, index_id, job_id)
            missing = _missing(generation)
            left = session.scalar(select(func.count()).select_from(DocumentRow).where(missing)) or 0
            placed = select(func.count()).select_from(PlacementRow).where(PlacementRow.index_id == index_id)
            done = session.scalar(placed) or 0
            values: dict[str, Any] = {"documents_done": done, "documents_total": done + left}
            session.execute(update(JobRow).where(JobRow.id == job_id).values(**values))
            return list(session.scalars(select(DocumentRow.id).where(missing).order_by(DocumentRow.id).limit(limit)))

    def swap(self, index_id: str, job_id: str) -> bool:
        """Makes the generation the live one in one step; False where a document has come that is not in it yet."""
        with self._sessions.begin() as session:
            generation = _open_generation(session, index_id, job_id)
            if session.scalar(select(exists().where(_missing(generation)))):
                return False
            base = session.get_one(KnowledgeBaseRow, generation.knowledge_base_id)
            session.execute(
                update(GenerationRow)
                .where(GenerationRow.index_id == base.index_id)
                .values(state=GenerationState.RETIRED)
            )
            generation.state = GenerationState.LIVE
            base.index_id, base.fingerprint = generation.index_id, generation.fingerprint
            chunks = (
                select(PlacementRow.chunks)
                .where(PlacementRow.document_id == DocumentRow.id, PlacementRow.index_id == index_id)
                .scalar_subquery()
            )
            ready = (DocumentRow.knowledge_base_id == base.id) & (DocumentRow.state == DocumentState.READY)
            session.execute(update(DocumentRow).where(ready).values(chunks=chunks))
            end_job(session, JobRow.id == job_id, JobState.DONE)
            return True

    def abandon(self, index_id: str) -> None:
        """Takes a generation that was not finished out of the way; the live one stays."""
        with self._sessions.begin() as session:
            session.execute(
                update(GenerationRow)
                .where(GenerationRow.index_id == index_id, GenerationRow.state == GenerationState.BUILDING)
                .values(state=GenerationState.RETIRED)
            )

    def retired(self) -> list[str]:
        """Index ids of generations that can be purged."""
        query = select(GenerationRow.index_id).where(GenerationRow.state == GenerationState.RETIRED)
        with self._sessions() as session:
            return list(session.scalars(query))

    def forget(self, index_id: str) -> None:
        """Removes a retired generation with its chunks."""
        retired = (GenerationRow.index_id == index_id) & (GenerationRow.state == GenerationState.RETIRED)
        with self._sessions.begin() as session:
            session.execute(delete(GenerationRow).where(retired))


def _open_generation(session: Session, index_id: str, job_id: str) -> GenerationRow:
    require_open(session, job_id)
    row = session.get(GenerationRow, index_id)
    if row is None or row.state != GenerationState.BUILDING:
        raise JobCancelled
    base = session.get(KnowledgeBaseRow, row.knowledge_base_id)
    if base is None or base.deleting:
        raise JobCancelled
    return row


def _missing(generation: GenerationRow) -> ColumnElement[bool]:
    """Condition on `DocumentRow`: searchable, and not whole in this generation."""
    placed = exists().where(PlacementRow.document_id == DocumentRow.id, PlacementRow.index_id == generation.index_id)
    mine = DocumentRow.knowledge_base_id == generation.knowledge_base_id
    return mine & (DocumentRow.state == DocumentState.READY) & ~placed


def generation_of(row: GenerationRow) -> Generation:
    """The record of a row."""
    return Generation(
        index_id=row.index_id,
        knowledge_base_id=row.knowledge_base_id,
        number=row.number,
        fingerprint=Fingerprint(**row.fingerprint),
        state=GenerationState(row.state),
        created_at=row.created_at,
    )
