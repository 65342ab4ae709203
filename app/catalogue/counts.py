"""How many documents and jobs there are in each state, for the metrics."""

from __future__ import annotations

from sqlalchemy import func, select

from app.catalogue.database import Sessions
from app.catalogue.tables import DocumentRow, JobRow
from app.types import DocumentState, JobState


class Counts:
    """Reads indexes alone, never rows: 100,000 entries take some milliseconds."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def documents(self) -> dict[DocumentState, int]:
        """Of every state, also those that no document is in."""
        with self._sessions() as session:
            found = dict(session.execute(select(DocumentRow.state, func.count()).group_by(DocumentRow.state)).all())
        return {state: found.get(state, 0) for state in DocumentState}

    def jobs(self) -> dict[JobState, int]:
        """Of every state, also those that no job is in."""
        with self._sessions() as session:
            found = dict(session.execute(select(JobRow.state, func.count()).group_by(JobRow.state)).all())
        return {state: found.get(state, 0) for state in JobState}
