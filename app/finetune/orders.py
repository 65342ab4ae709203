"""What somebody asks to be trained, as it is kept in the run folder until it is prepared."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from app.finetune.choices import DataChoices, TrainingChoices
from eval.question_sets import Format


class TrainingOrder(BaseModel):
    """Pairs as they were sent, the knowledge base whose passages go with them, and the choices that were made.

    `base` names the weights of the served model; None takes those that the server's settings name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    knowledge_base_id: str
    name: str
    pairs_name: str
    pairs: str
    format: Format
    base: str | None = None
    data: DataChoices = DataChoices()
    training: TrainingChoices = TrainingChoices()
