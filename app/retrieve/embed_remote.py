"""The embedder behind an OpenAI-compatible endpoint (`POST {base_url}/embeddings`)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence

import httpx
import numpy as np
import structlog

from app.errors import EmbedderUnavailable
from app.ports import Vectors
from app.retrieve.prefixes import Prefixes

log = structlog.get_logger(__name__)

_WIDE = re.compile("[\u0e00-\u0e7f\u1100-\u11ff\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff]")
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})


class RemoteEmbedder:
    """Port `Embedder`. One call sends at most `batch` texts and waits at most `timeout_seconds`.

    A busy or broken endpoint is tried again after each of `waits` (seconds), one that took all that time is not; then
    it is `EmbedderUnavailable`. The endpoint does not tell how it counts tokens, so `count_tokens` is an estimate, high
    for most. What it does with a text longer than it reads is its affair: `max_tokens` must not be more than it takes.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None,
        prefixes: Prefixes,
        *,
        max_tokens: int = 512,
        batch: int = 32,
        timeout_seconds: float = 60.0,
        waits: Sequence[float] = (0.5, 2.0),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._url = base_url.rstrip("/") + "/embeddings"
        self._client = httpx.Client(headers=headers, timeout=timeout_seconds, transport=transport)
        self._model = model
        self._prefixes = prefixes
        self._max_tokens = max_tokens
        self._batch = batch
        self._waits = tuple(waits)
        self._asking = threading.Lock()
        self._dimensions: int | None = None

    @property
    def fingerprint(self) -> str:
        return f"{self._model}@endpoint{self._prefixes.mark}"

    @property
    def dimensions(self) -> int:
        """Length of a vector; the endpoint is asked once."""
        with self._asking:
            if self._dimensions is None:
                self._dimensions = self._post(["length"]).shape[1]
            return self._dimensions

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [_at_most(self._prefixes.passage + text) for text in texts]

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._embed([self._prefixes.query + text for text in texts])

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return self._embed([self._prefixes.passage + text for text in texts])

    def close(self) -> None:
        self._client.close()

    def _embed(self, texts: Sequence[str]) -> Vectors:
        parts = [np.zeros((0, self.dimensions), np.float32)]
        parts += [self._post(texts[start : start + self._batch]) for start in range(0, len(texts), self._batch)]
        if any(part.shape[1] != self.dimensions for part in parts):
            raise EmbedderUnavailable("vectors of different lengths", reason="the endpoint changed its model")
        return np.concatenate(parts)

    def _post(self, texts: Sequence[str]) -> Vectors:
        waits = iter(self._waits)
        while True:
            try:
                return self._post_once(texts)
            except _BusyOrAwayError as error:
                wait = next(waits, None)
                if wait is None:
                    raise EmbedderUnavailable(error.problem, reason="the endpoint is busy or away") from error
                log.warning("embedder_retry", problem=error.problem, wait_seconds=wait)
                time.sleep(wait)

    def _post_once(self, texts: Sequence[str]) -> Vectors:
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]  # no lone surrogates
        body = {"model": self._model, "input": clean, "encoding_format": "float"}
        try:
            response = self._client.post(self._url, json=body)
        except httpx.ReadTimeout as error:
            raise EmbedderUnavailable(repr(error), reason="the endpoint does not answer in time") from error
        except httpx.TransportError as error:
            raise _BusyOrAwayError(repr(error)) from error
        return _vectors(response, len(texts))


class _BusyOrAwayError(Exception):
    """Trying again may help; never leaves this module."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


def _vectors(response: httpx.Response, count: int) -> Vectors:
    """The rows of an answer, in the order of the texts, each of length 1."""
    if response.status_code in _RETRIED:
        raise _BusyOrAwayError(f"status {response.status_code}")
    if response.status_code != 200:
        raise EmbedderUnavailable(response.text[:500], reason=f"the endpoint answered {response.status_code}")
    try:
        data = sorted(response.json()["data"], key=lambda item: int(item["index"]))
        rows = np.asarray([item["embedding"] for item in data], np.float32)
    except (ValueError, KeyError, TypeError) as error:
        raise EmbedderUnavailable(repr(error), reason="the endpoint's answer is not a list of embeddings") from error
    if rows.ndim != 2 or len(rows) != count:
        raise EmbedderUnavailable(f"shape {rows.shape} for {count} texts", reason="the endpoint left texts out")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or (norms == 0).any():
        raise EmbedderUnavailable("a vector without length or not a number", reason="it gave an unusable vector")
    unit: Vectors = rows / norms
    return unit


def _at_most(text: str) -> int:
    """One token a wide character or sign, one for two letters or digits of a word, two around: e5's need fewer."""
    wide = len(_WIDE.findall(text))
    words = _WORD.findall(_WIDE.sub(" ", text))
    return 2 + wide + sum((len(word) + 1) // 2 for word in words)
