"""The embedders of a running server: its own, loaded beside its start, and those that older indexes were built with."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from app.errors import EmbedderUnavailable, NotReady
from app.parts import PartState
from app.ports import Embedder
from app.retrieve.embedders import Embedders
from app.text.tokens import TOKENS_VERSION
from app.types import Fingerprint

log = structlog.get_logger(__name__)

RETRY_SECONDS = 5.0
_WARM_UP = ("warm up", "warm up " * 10)
"""Questions of the two lengths that most have."""


class Embedding:
    """Until the server's own embedder has answered once, everything that needs one raises `NotReady`."""

    def __init__(self, embedder: Embedder, open_named: Callable[[str], Embedder] | None) -> None:
        self._embedder = embedder
        self.embedders = Embedders(embedder, open_named or _no_other)
        self._state = PartState("starting", required=True)
        self._stopping = threading.Event()
        self.tried = threading.Event()
        """Set when loading it has come to an end for the first time, good or bad."""

    @property
    def state(self) -> PartState:
        """Of the server's own embedder, as its loading ended."""
        return self._state

    def start(self, then: Callable[[], None]) -> None:
        """Loads it in a thread, tries until it works, since an endpoint may come up later, and calls `then`."""
        threading.Thread(target=self._load, args=(then,), name="embedder", daemon=True).start()

    def stop(self) -> None:
        """No more tries."""
        self._stopping.set()

    def _load(self, then: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                for question in _WARM_UP:
                    self._embedder.embed_queries([question])
            except EmbedderUnavailable as error:
                log.warning("embedder_failed", detail=error.detail)
                self._state = PartState("down", required=True, detail=str(error.params.get("reason", "")))
                self.tried.set()
                self._stopping.wait(RETRY_SECONDS)
            else:
                self._state = PartState("ready", required=True)
                self.tried.set()
                then()
                return

    def require(self) -> Embedder:
        """The server's own; raises `NotReady`, `EmbedderUnavailable` while it is not loaded."""
        if self._state.state == "starting":
            raise NotReady
        if self._state.state != "ready":
            raise EmbedderUnavailable(reason=self._state.detail or "?")
        return self._embedder

    def for_index(self, fingerprint: Fingerprint) -> Embedder:
        """See `Embedders.for_index`; raises as `require` too."""
        self.require()
        return self.embedders.for_index(fingerprint)

    def fingerprint(self, chunk_size: int, chunk_overlap: int, embedder: str | None = None) -> Fingerprint:
        """What an index is built with: by the server's own embedder, or one of a known name.

        Raises as `require`, and `WeightsMissing`.
        """
        own = self.require()
        chosen = own if embedder is None else self.embedders.named(embedder)
        return Fingerprint(chosen.fingerprint, chosen.dimensions, chunk_size, chunk_overlap, TOKENS_VERSION)


def _no_other(name: str) -> Embedder:
    raise EmbedderUnavailable(f"no embedder named {name}", reason="its files could not be loaded")
