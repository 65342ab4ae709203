"""The parts of a server that settings choose, and what stands between it and those that are on servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

from app.breakers import Breaker, Watched
from app.errors import EmbedderUnavailable, IndexUnavailable
from app.generate.engine import LocalEngine
from app.generate.guarded_model import GuardedModel
from app.generate.hosting import AdapterHost
from app.generate.model_queue import ModelQueue
from app.generate.replicas import ReplicaHost
from app.ingest.pipeline import Reading
from app.ports import Embedder, KeywordIndex, LanguageModel, VectorStore
from app.settings import Settings

ENDPOINT_REQUESTS = 32
"""Calls at once to an endpoint, which has a queue of its own: vLLM writes that many side by side on one card."""


@dataclass(frozen=True, slots=True)
class PartState:
    """State of one part, as `/readyz` shows it."""

    state: str
    required: bool
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that a setting chooses; tests hand in their own. Without a `judge` the model judges."""

    embedder: Embedder
    model: LanguageModel
    engine: LocalEngine | None = None
    open_embedder: Callable[[str], Embedder] | None = None
    reading: Reading | None = None
    judge: LanguageModel | None = None
    adapter_host: AdapterHost | None = None
    replicas: ReplicaHost | None = None
    vectors: VectorStore | None = None
    keywords: KeywordIndex | None = None


def guarded(parts: Parts, settings: Settings) -> GuardedModel:
    """The model of these parts behind its queue: as many at once as the local server has slots for."""
    own = settings.llm_slots if parts.engine is not None else ENDPOINT_REQUESTS
    queue = ModelQueue(settings.model_requests or own, settings.model_queue_seconds)
    return GuardedModel(parts.model, queue, Breaker("model", settings.breaker_failures, settings.breaker_seconds))


@dataclass(frozen=True, slots=True)
class Guards:
    """Index and embedder, as far as they are on a server; what is in this process fails for one call alone."""

    index: Watched | None
    embedder: Watched | None

    @classmethod
    def of(cls, settings: Settings, vectors: VectorStore, embedder: Embedder) -> Guards:
        limits = (settings.breaker_failures, settings.breaker_seconds)
        index = embedding = None
        if settings.vector_store != "chroma":
            index = Watched(Breaker("index", *limits), IndexUnavailable, vectors.indexes)
        if settings.embedder_base_url:
            ask = partial(embedder.embed_queries, ["ready?"])
            embedding = Watched(Breaker("embedder", *limits), EmbedderUnavailable, ask)
        return cls(index, embedding)

    def there(self) -> tuple[Watched, ...]:
        """Those that there are."""
        return tuple(part for part in (self.index, self.embedder) if part is not None)

    @contextmanager
    def searching(self) -> Iterator[None]:
        """The block is a search: its errors are failures of the part that they are of."""
        with _guarding(self.index), _guarding(self.embedder):
            yield


def _guarding(part: Watched | None) -> AbstractContextManager[None]:
    return nullcontext() if part is None else part.breaker.guarding(part.kind)
