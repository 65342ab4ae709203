"""Calibrations of knowledge bases: the values found by an evaluation, and what they hold for."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select

from app.catalogue.database import Sessions
from app.catalogue.tables import CalibrationRow, KnowledgeBaseRow, now
from app.errors import CalibrationNotFound, KnowledgeBaseNotFound
from app.types import Fingerprint, Tuning


class Fault(StrEnum):
    """Why a calibration, or a part of it, does not hold any more."""

    INDEX_CHANGED = "index_changed"
    MODEL_CHANGED = "model_changed"


@dataclass(frozen=True, slots=True)
class NewCalibration:
    """Values to be kept, with the index and the model that they were measured with, the target they were chosen for
    and the figures behind them."""

    knowledge_base_id: str
    evaluation_id: str | None
    fingerprint: Fingerprint
    model: str | None
    tuning: Tuning
    target: dict[str, Any]
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Calibration(NewCalibration):
    """The calibration of a knowledge base; it has at most one."""

    id: str
    created_at: datetime

    def faults(self, live: Fingerprint, model: str) -> list[Fault]:
        """What has changed since it was made that takes values of it out of use; empty where all hold."""
        faults = []
        if self.fingerprint != live:
            faults.append(Fault.INDEX_CHANGED)
        if self._has_doubt() and self.model != model:
            faults.append(Fault.MODEL_CHANGED)
        return faults

    def holding(self, live: Fingerprint, model: str) -> Tuning:
        """The values that hold for this index and this model: none for another index, no limits of doubt for another
        model."""
        faults = self.faults(live, model)
        if Fault.INDEX_CHANGED in faults:
            return Tuning()
        if Fault.MODEL_CHANGED in faults:
            return Tuning(self.tuning.threshold, self.tuning.keyword_weight)
        return self.tuning

    def _has_doubt(self) -> bool:
        return self.tuning.most_doubt is not None or self.tuning.most_doubt_strange is not None


class Calibrations:
    """Keeps one calibration for each knowledge base."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def put(self, new: NewCalibration) -> Calibration:
        """Stores it in place of the one that is there; raises `KnowledgeBaseNotFound`."""
        row = CalibrationRow(
            id=f"cal-{secrets.token_hex(8)}",
            knowledge_base_id=new.knowledge_base_id,
            evaluation_id=new.evaluation_id,
            fingerprint=new.fingerprint.as_dict(),
            model=new.model,
            tuning=asdict(new.tuning),
            target=new.target,
            figures=new.figures,
            created_at=now(),
        )
        with self._sessions.begin() as session:
            base = session.get(KnowledgeBaseRow, new.knowledge_base_id)
            if base is None or base.deleting:
                raise KnowledgeBaseNotFound(ref=new.knowledge_base_id[:60])
            session.execute(delete(CalibrationRow).where(CalibrationRow.knowledge_base_id == new.knowledge_base_id))
            session.add(row)
            session.flush()
            return _record(row)

    def find(self, knowledge_base_id: str) -> Calibration | None:
        """The calibration of a knowledge base; None where it has none."""
        return self.of([knowledge_base_id]).get(knowledge_base_id)

    def of(self, knowledge_base_ids: Sequence[str]) -> dict[str, Calibration]:
        """The calibrations there are, by knowledge base."""
        query = select(CalibrationRow).where(CalibrationRow.knowledge_base_id.in_(knowledge_base_ids))
        with self._sessions() as session:
            return {row.knowledge_base_id: _record(row) for row in session.scalars(query)}

    def get(self, knowledge_base_id: str) -> Calibration:
        """Raises `CalibrationNotFound`."""
        found = self.find(knowledge_base_id)
        if found is None:
            raise CalibrationNotFound(ref=knowledge_base_id[:60])
        return found

    def remove(self, knowledge_base_id: str) -> None:
        """Takes it away, so that the defaults hold again; raises `CalibrationNotFound`."""
        self.get(knowledge_base_id)
        with self._sessions.begin() as session:
            session.execute(delete(CalibrationRow).where(CalibrationRow.knowledge_base_id == knowledge_base_id))


def _record(row: CalibrationRow) -> Calibration:
    return Calibration(
        knowledge_base_id=row.knowledge_base_id,
        evaluation_id=row.evaluation_id,
        fingerprint=Fingerprint(**row.fingerprint),
        model=row.model,
        tuning=Tuning(**row.tuning),
        target=row.target,
        figures=row.figures,
        id=row.id,
        created_at=row.created_at,
    )
