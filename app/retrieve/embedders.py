"""Embedders by what built an index: the one of the settings, and those that older indexes still need."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from app.errors import EmbedderUnavailable, FingerprintMismatch, ManualqaError
from app.ports import Embedder
from app.text.tokens import TOKENS_VERSION
from app.types import Fingerprint

log = structlog.get_logger(__name__)


class Embedders:
    """Gives each index the very embedder that built it, so that two are never mixed.

    `running` builds what is new. Another one is opened by name when an index first needs it, so that it keeps
    answering until it is rebuilt; it stays in memory from then on.
    """

    def __init__(self, running: Embedder, open_named: Callable[[str], Embedder]) -> None:
        self.running = running
        self._open_named = open_named
        self._lock = threading.Lock()
        self._others: dict[str, Embedder] = {}

    def for_index(self, fingerprint: Fingerprint) -> Embedder:
        """The embedder of this fingerprint; raises `FingerprintMismatch` where this server has none like it."""
        if fingerprint.tokens != TOKENS_VERSION:
            built_with = f"{fingerprint.embedder}, {fingerprint.tokens}"
            raise FingerprintMismatch(built_with=built_with, running=TOKENS_VERSION)
        if fingerprint.embedder == self.running.fingerprint:
            return self.running
        with self._lock:
            if fingerprint.embedder not in self._others:
                self._others[fingerprint.embedder] = self._opened(fingerprint)
            return self._others[fingerprint.embedder]

    def named(self, name: str) -> Embedder:
        """An embedder of a known name, loaded; raises `WeightsMissing`, `EmbedderUnavailable`."""
        with self._lock:
            for known in (self.running, *self._others.values()):
                if known.fingerprint.startswith(f"{name}@"):
                    return known
            found = self._open_named(name)
            return self._others.setdefault(found.fingerprint, found)

    def _opened(self, wanted: Fingerprint) -> Embedder:
        mismatch = FingerprintMismatch(built_with=wanted.embedder, running=self.running.fingerprint)
        try:
            found = self._open_named(wanted.embedder.rpartition("@")[0])
            fits = (found.fingerprint, found.dimensions) == (wanted.embedder, wanted.dimensions)
        except EmbedderUnavailable:
            raise
        except ManualqaError as error:
            raise mismatch from error
        if not fits:
            raise mismatch
        log.info("older_embedder_opened", embedder=wanted.embedder)
        return found
