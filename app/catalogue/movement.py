"""What is under way in the queues, with a mark of each that changes whenever it comes on."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import String, cast, func, select

from app.catalogue.database import Sessions
from app.catalogue.tables import EvaluationRow, FinetuneJobRow, JobRow
from app.types import JobState

MOST: Final = 1000
"""Of each queue; far more than all workers run at once."""

_QUEUES: Final[tuple[tuple[Any, tuple[Any, ...]], ...]] = (
    (
        JobRow,
        (
            JobRow.stage,
            JobRow.steps,
            JobRow.attempts,
            JobRow.pages_done,
            JobRow.chunks_done,
            JobRow.documents_done,
        ),
    ),
    (EvaluationRow, (EvaluationRow.revision, EvaluationRow.done)),
    (FinetuneJobRow, (FinetuneJobRow.revision, FinetuneJobRow.attempts)),
)
"""Each with the columns that tell how far one is."""


class Movement:
    """Reads documents' jobs, evaluations and trainings."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def marks(self) -> dict[str, str]:
        """Mark by id of all that runs; where something waits and nothing runs, the queue itself stands for it."""
        found: dict[str, str] = {}
        with self._sessions() as session:
            for row, columns in _QUEUES:
                query = select(row.id, *(cast(column, String) for column in columns))
                running = session.execute(query.where(row.state == JobState.RUNNING).order_by(row.id).limit(MOST)).all()
                found |= {id_: ":".join(str(value) for value in values) for id_, *values in running}
                waiting, oldest = session.execute(
                    select(func.count(), func.min(row.created_at)).where(row.state == JobState.QUEUED)
                ).one()
                if waiting and not running:
                    found[row.__tablename__] = f"{waiting}:{oldest}"
        return found
