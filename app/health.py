"""Which parts of a server work: for `/readyz`, the metrics and the page Operations."""

from __future__ import annotations

import shutil

import structlog
from anyio import to_thread
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from app.breakers import Breaker, Watched
from app.catalogue.processes import Processes
from app.embedding import Embedding
from app.errors import BlobStoreUnusable, BlobsUnavailable, ManualqaError
from app.generate.guarded_model import GuardedModel
from app.generate.replicas import ReplicaHost
from app.ingest.files import FileStore
from app.parts import Guards, PartState
from app.settings import Settings

log = structlog.get_logger(__name__)


class Health:
    """Asks each part how it is, and tries what was left alone once that is due."""

    def __init__(
        self,
        database: Engine,
        model: GuardedModel,
        embedding: Embedding,
        guards: Guards,
        files: FileStore,
        replicas: ReplicaHost | None = None,
        processes: Processes | None = None,
    ) -> None:
        self._database = database
        self._model = model
        self._embedding = embedding
        self._guards = guards
        self._files = files
        self._replicas = replicas
        self._processes = processes

    async def parts(self) -> dict[str, PartState]:
        """State of each part."""
        model = await self._model.status()
        workers = {} if self._processes is None else {"workers": await to_thread.run_sync(self._workers_state)}
        replicas = {} if self._replicas is None else {"replicas": replicas_state(self._replicas)}
        return {
            **workers,
            **replicas,
            "catalogue": await to_thread.run_sync(self._catalogue_state),
            **await self._search_states(),
            "model": PartState(model.state, required=False, detail=model.detail),
            "files": await to_thread.run_sync(self._files_state),
        }

    async def _search_states(self) -> dict[str, PartState]:
        """The embedder's, and that of an index on a server; what is left alone is tried here too, once that is due."""
        states = {"embedder": self._embedding.state}
        if self._guards.embedder is not None and self._embedding.state.state == "ready":
            states["embedder"] = await to_thread.run_sync(_state, self._guards.embedder)
        if self._guards.index is not None:
            states["index"] = await to_thread.run_sync(_state, self._guards.index)
        return states

    def breakers(self) -> list[Breaker]:
        """Of the model, and of what search needs where that is on a server."""
        return [self._model.breaker, *(part.breaker for part in self._guards.there())]

    def _catalogue_state(self) -> PartState:
        try:
            with self._database.connect() as connection:
                connection.execute(select(1))
        except SQLAlchemyError as error:
            log.error("catalogue_failed", detail=str(error))
            return PartState("down", required=True)
        return PartState("ready", required=True)

    def _files_state(self) -> PartState:
        """Questions are answered without the originals; documents wait for them."""
        try:
            self._files.check()
        except (BlobsUnavailable, BlobStoreUnusable) as error:
            return PartState("down", required=False, detail=str(error.params["reason"]))
        return PartState("ready", required=False)

    def _workers_state(self) -> PartState:
        """Questions are answered without workers; documents wait for them."""
        try:
            there = self._processes is not None and self._processes.workers() > 0
        except SQLAlchemyError:
            there = False
        return PartState("ready" if there else "down", required=False)


def replicas_state(host: ReplicaHost) -> PartState:
    """As its adapters were last compared: `degraded` where something is wrong with one, `down` where all are away."""
    seen, detail = host.replicas(), host.detail()
    if not seen:
        return PartState("starting", required=False)
    if all(replica.adapters is None for replica in seen):
        return PartState("down", required=False, detail=detail)
    return PartState("ready" if detail is None else "degraded", required=False, detail=detail)


def _state(part: Watched) -> PartState:
    """Of a part that search needs: that of its breaker, and of a trial where one is due."""
    try:
        part.require_there()
    except ManualqaError as error:
        return PartState("down", required=True, detail=str(error.params.get("reason", "")))
    return PartState("ready", required=True)


def free_disk_mb(settings: Settings) -> int:
    """Of the fullest disk that this process writes to."""
    folders = {settings.data_dir, settings.files_dir or settings.data_dir}
    return min(shutil.disk_usage(folder).free for folder in folders if folder.exists()) // 1_000_000
