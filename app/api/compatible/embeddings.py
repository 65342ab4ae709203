"""Embeddings: texts as vectors of the service's own embedding model."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import numpy as np
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response

from app.api.compatible.faults import FAULT_RESPONSES
from app.api.compatible.schemas import EmbeddingOut, EmbeddingsIn, EmbeddingsOut, EmbeddingUsage
from app.api.deps import ServicesDep, reader
from app.errors import EmbedderUnavailable, InvalidInput, ModelNotFound, ParameterUnsupported
from app.ports import Embedder, Vectors
from app.services import Services
from app.settings import Settings

router = APIRouter(prefix="/v1/embeddings", tags=["openai"], dependencies=[reader], responses=FAULT_RESPONSES)

MOST_WAITING = 16
"""Requests that wait for the one that is embedded; with the default limits each may take half a minute."""

JSON = "application/json"


def _limiter(request: Request) -> CapacityLimiter:
    """What `create_app` has made so that one request is embedded at a time: users' questions need the same model."""
    limiter: CapacityLimiter = request.app.state.embedding_limiter
    return limiter


@router.post("", response_model=EmbeddingsOut)
async def embed(
    body: EmbeddingsIn, services: ServicesDep, limiter: Annotated[CapacityLimiter, Depends(_limiter)]
) -> Response:
    """Vectors of length 1, in the order of the texts, behind the prefix that the model wants for `input_type`."""
    texts = _texts(body, services.settings)
    embedder = await to_thread.run_sync(_embedder, services, body)
    if limiter.statistics().tasks_waiting >= MOST_WAITING:
        raise EmbedderUnavailable(reason="too many requests wait for it")
    made = await to_thread.run_sync(partial(_embedded, services, embedder, body, texts), limiter=limiter)
    return Response(made, media_type=JSON)


def _texts(body: EmbeddingsIn, settings: Settings) -> list[str]:
    given = [body.input] if isinstance(body.input, str) else body.input
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) < len(given):
        raise ParameterUnsupported(parameter="input", reason="texts are embedded, not the ids of tokens")
    most = settings.max_embedding_texts
    if len(texts) > most:
        raise InvalidInput(reason=f"{len(texts)} texts are more than the {most} allowed (MQA_MAX_EMBEDDING_TEXTS)")
    longest, limit = max(map(len, texts)), settings.max_embedding_characters
    if longest > limit:
        raise InvalidInput(
            reason=f"a text of {longest} characters is longer than the {limit} allowed (MQA_MAX_EMBEDDING_CHARACTERS)"
        )
    return texts


def _embedder(services: Services, body: EmbeddingsIn) -> Embedder:
    """The model that was asked for; raises as `Services.embedder`, `ModelNotFound` and `ParameterUnsupported`."""
    embedder = services.embedding.require()
    if body.model != embedder.fingerprint.rpartition("@")[0]:
        raise ModelNotFound(ref=body.model[:60])
    if body.dimensions not in (None, embedder.dimensions):
        raise ParameterUnsupported(
            parameter="dimensions", reason=f"vectors of this model have {embedder.dimensions} numbers"
        )
    return embedder


def _embedded(services: Services, embedder: Embedder, body: EmbeddingsIn, texts: Sequence[str]) -> bytes:
    """The response, made in this thread."""
    vectors = _vectors(embedder, texts, services.settings.embed_batch, as_passages=body.input_type == "passage")
    tokens = 0 if services.settings.embedder_base_url else sum(embedder.count_tokens(texts))
    out = EmbeddingsOut(
        data=[
            EmbeddingOut(index=index, embedding=_base64(row) if body.encoding_format == "base64" else row.tolist())
            for index, row in enumerate(vectors)
        ],
        model=body.model,
        usage=EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens),
    )
    return out.model_dump_json().encode()


def _vectors(embedder: Embedder, texts: Sequence[str], batch: int, *, as_passages: bool) -> Vectors:
    """Questions in small batches, so that those of users come between."""
    if as_passages:
        return embedder.embed_passages(texts)
    batches = [texts[start : start + batch] for start in range(0, len(texts), batch)]
    return np.concatenate([embedder.embed_queries(some) for some in batches])


def _base64(row: Vectors) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()
