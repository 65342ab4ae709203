"""Models, embedders and readers: which of them a setting means."""

from __future__ import annotations

import importlib.util
from functools import partial

from app.errors import (
    AdapterInvalid,
    ExtraMissing,
    UnknownModel,
    WeightsCorrupt,
    WeightsMissing,
)
from app.finetune.checking import Base
from app.generate.engine import LocalEngine
from app.generate.hosting import EngineHost, VllmHost
from app.generate.llm import Endpoint, FixedEndpoint, OpenAICompatibleModel
from app.generate.model_server import EngineConfig
from app.generate.replicas import ReplicaHost, SpreadEndpoint
from app.ingest import ocr
from app.ingest.media import parser_for
from app.ingest.pipeline import Reading
from app.models.base_shape import shape_of
from app.models.store import ModelStore
from app.parts import Parts
from app.ports import Embedder, LanguageModel, OcrLimits, ParseLimits
from app.retrieve.embed import SentenceTransformerEmbedder
from app.retrieve.embed_remote import RemoteEmbedder
from app.retrieve.prefixes import prefixes_for
from app.settings import Settings


def served_base(settings: Settings) -> Base:
    """The model that adapters are for; raises `AdapterInvalid` where its weights are not here to tell its shape."""
    name = settings.adapter_base or settings.llm_model
    try:
        weights = ModelStore.from_settings(settings).resolve(name)
        return Base(weights.name, weights.revision, shape_of(weights.path))
    except (WeightsMissing, WeightsCorrupt, UnknownModel) as error:
        why = "the weights of its base model are not here to tell its shape; name them in MQA_ADAPTER_BASE"
        raise AdapterInvalid(str(error), reason=why) from error


def reading(settings: Settings) -> Reading:
    """What reads files; without the extra for OCR, scanned pages stay unread and say so."""
    limits = OcrLimits(settings.ocr_pixels, settings.ocr_page_seconds, settings.ocr_memory_mb)
    has_ocr = settings.ocr and ocr.is_available()
    return Reading(
        parser_for, parse_limits(settings), settings.parse_document_seconds, ocr.RapidOcr() if has_ocr else None, limits
    )


def chosen_parts(settings: Settings) -> Parts:
    """The embedder, the model and the judge that the settings name; raises `WeightsMissing`, `UnknownModel`."""
    times = {"first_token_seconds": settings.llm_first_token_seconds, "total_seconds": settings.llm_total_seconds}
    judge = _judge(settings)
    if settings.has_endpoint:
        endpoint, host = _endpoint(settings)
        return Parts(
            _embedder(settings),
            OpenAICompatibleModel(settings.llm_model, endpoint, **times),
            open_embedder=partial(_local_embedder, settings),
            judge=judge,
            adapter_host=host,
            replicas=host if isinstance(host, ReplicaHost) else None,
        )
    if importlib.util.find_spec("xllamacpp") is None:
        raise ExtraMissing(feature="The local model server", extra="local")
    weights = ModelStore.from_settings(settings).resolve(settings.llm_model)
    engine = LocalEngine(
        EngineConfig(
            name=weights.name,
            weights=weights.path,
            logs_dir=settings.logs_dir,
            context_tokens=settings.llm_context_tokens,
            slots=settings.llm_slots,
            threads=settings.llm_threads,
            start_seconds=settings.llm_start_seconds,
            answer_seconds=settings.llm_total_seconds,
        )
    )
    model = OpenAICompatibleModel(weights.name, engine, **times)
    return Parts(
        _embedder(settings),
        model,
        engine,
        partial(_local_embedder, settings),
        judge=judge,
        adapter_host=EngineHost(engine),
    )


def _endpoint(settings: Settings) -> tuple[Endpoint, VllmHost | ReplicaHost]:
    """Where questions go, and where adapters do: to one server, or to several, with a router before them or none."""
    key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else "none"

    def host_at(url: str) -> VllmHost:
        return VllmHost(url, key, settings.vllm_adapters_dir, settings.hosting_seconds)

    one = settings.llm_base_url
    if not settings.replica_urls:
        return FixedEndpoint(one or "", key), host_at(one or "")
    replicas = ReplicaHost([host_at(url) for url in settings.replica_urls])
    return FixedEndpoint(one, key) if one else SpreadEndpoint(settings.replica_urls, key, replicas), replicas


def _judge(settings: Settings) -> LanguageModel | None:
    if not settings.judge_base_url:
        return None
    key = settings.judge_api_key.get_secret_value() if settings.judge_api_key else "none"
    return OpenAICompatibleModel(
        settings.judge_model or settings.llm_model,
        FixedEndpoint(settings.judge_base_url, key),
        first_token_seconds=settings.llm_first_token_seconds,
        total_seconds=settings.llm_total_seconds,
    )


def _embedder(settings: Settings) -> Embedder:
    if settings.embedder_base_url:
        key = settings.embedder_api_key.get_secret_value() if settings.embedder_api_key else None
        return RemoteEmbedder(
            settings.embedder_base_url,
            settings.embedder,
            key,
            prefixes_for(settings.embedder),
            timeout_seconds=settings.embedder_timeout_seconds,
        )
    return _local_embedder(settings, settings.embedder)


def _local_embedder(settings: Settings, name: str) -> Embedder:
    weights = ModelStore.from_settings(settings).resolve(name)
    return SentenceTransformerEmbedder(
        weights.name, weights.revision, weights.path, prefixes_for(name), settings.embed_batch
    )


def check_weights(settings: Settings) -> None:
    """Raises `WeightsMissing` or `UnknownModel` where a model of the settings is not on this machine."""
    store = ModelStore.from_settings(settings)
    if not settings.embedder_base_url:
        store.resolve(settings.embedder)
    if not settings.has_endpoint:
        store.resolve(settings.llm_model)


def parse_limits(settings: Settings) -> ParseLimits:
    """What one parse may cost."""
    return ParseLimits(
        seconds=settings.parse_seconds,
        memory_mb=settings.parse_memory_mb,
        pages=settings.max_pages,
        characters=settings.max_document_characters,
        page_seconds=settings.parse_page_seconds,
        window=settings.parse_window_pages,
    )
