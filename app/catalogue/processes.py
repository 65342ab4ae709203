"""The processes that work on one database: who is alive, and whose work has to be taken up by another."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from sqlalchemy import delete, select, update

from app.catalogue.database import Sessions
from app.catalogue.tables import ProcessRow, now


@dataclass(frozen=True, slots=True)
class Process:
    """One run of a process; `id` stays when it is started again in the same data folder."""

    id: str
    works: bool
    build: str
    life: str = field(default_factory=lambda: secrets.token_hex(8))


class Processes:
    """Rows of processes. A process is alive as long as its row is there; each says so by changing it."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def join(self, process: Process) -> bool:
        """From now on this one is alive, in place of its run before; whether it is the only one."""
        with self._sessions.begin() as session:
            session.execute(delete(ProcessRow).where(ProcessRow.id == process.id))
            session.add(ProcessRow(id=process.id, life=process.life, works=process.works, build=process.build))
            session.flush()
            return session.scalar(select(ProcessRow.id).where(ProcessRow.id != process.id).limit(1)) is None

    def beat(self, process: Process) -> bool:
        """It lives; False where another took it for dead, or it was started a second time."""
        mine = (ProcessRow.id == process.id) & (ProcessRow.life == process.life)
        with self._sessions.begin() as session:
            if session.scalar(select(ProcessRow.id).where(mine)) is None:
                return False
            session.execute(update(ProcessRow).where(mine).values(beats=ProcessRow.beats + 1, seen_at=now()))
            return True

    def beats(self) -> dict[str, tuple[str, int]]:
        """What changes of each process while it lives, by its id."""
        with self._sessions() as session:
            return {row.id: (row.life, row.beats) for row in session.scalars(select(ProcessRow))}

    def living(self) -> set[str]:
        """The ids of all that are alive."""
        return set(self.beats())

    def workers(self) -> int:
        """How many of them take up jobs."""
        with self._sessions() as session:
            return len(list(session.scalars(select(ProcessRow.id).where(ProcessRow.works))))

    def bury(self, process_id: str, seen: tuple[str, int]) -> bool:
        """Takes one for dead that has not changed since it was seen so; whether it was this call that did."""
        life, beats = seen
        same = (ProcessRow.id == process_id) & (ProcessRow.life == life) & (ProcessRow.beats == beats)
        with self._sessions.begin() as session:
            there = session.scalar(select(ProcessRow.id).where(same)) is not None
            session.execute(delete(ProcessRow).where(same))
            return there

    def leave(self, process: Process) -> None:
        """It ends in good order; what it has left is taken up at once."""
        with self._sessions.begin() as session:
            session.execute(delete(ProcessRow).where(ProcessRow.id == process.id, ProcessRow.life == process.life))
