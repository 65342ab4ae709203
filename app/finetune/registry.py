"""The seam between a training and the registry that its adapter goes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from app.types import PromptKind


@dataclass(frozen=True, slots=True)
class TrainedAdapter:
    """What an adapter comes from; `base_revision` is that of the model as it is served."""

    job_id: str
    base: str
    base_revision: str
    prompt: PromptKind
    context_tokens: int
    data_hash: str
    figures: dict[str, Any]


class Registered(Protocol):
    """An adapter of the registry."""

    @property
    def id(self) -> str: ...


class AdapterRegistry(Protocol):
    """Keeps adapters.

    Law: `register` checks the folder and keeps a copy of it, whole or not at all, also where the process is killed
    midway; it raises what stands against it as a `ManualqaError`. `of_job` finds what `register` has kept for a
    training, so that one that was killed between the two never registers a second.
    """

    def register(self, folder: Path, name: str, source: TrainedAdapter) -> Registered: ...

    def of_job(self, job_id: str) -> Registered | None: ...
