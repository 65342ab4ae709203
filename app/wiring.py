"""Puts the parts together: which back end a setting means."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import Engine

from app import __version__
from app.alarms.alarming import Alarming, pause_seconds
from app.alarms.mail import Mail, MailServer
from app.alarms.rules import limits as alarm_limits
from app.alarms.sending import Sender, Way
from app.alarms.watching import Sources, Watcher
from app.alarms.webhook import Webhook
from app.catalogue.contents import Contents
from app.catalogue.database import Locks, Sessions, open_database
from app.catalogue.documents import Documents
from app.catalogue.folder import DataFolder
from app.catalogue.generations import Generations
from app.catalogue.inspection import Inspection
from app.catalogue.jobs import Jobs
from app.catalogue.knowledge_bases import KnowledgeBases
from app.catalogue.moves import require_whole
from app.catalogue.processes import Process, Processes
from app.conversing import Conversing
from app.errors import (
    AdapterInvalid,
    BlobStoreUnusable,
    BlobsUnavailable,
    EmbedderUnavailable,
    ExtraMissing,
    MilvusAddressMissing,
    MoveUnfinished,
    ProcessesNotShared,
    UnknownModel,
    WeightsCorrupt,
    WeightsMissing,
)
from app.evaluation.courtesy import Courtesy
from app.evaluation.runs import Runs
from app.finetune.adapters import Adapters, Room
from app.finetune.checking import Base, Limits
from app.finetune.hosting import Hosting
from app.finetune.jobs import TrainingJobs, TrainingParts
from app.finetune.leftovers import ALONE
from app.finetune.preparation import Preparation
from app.finetune.promoting import Hosts, Promoting
from app.generate.engine import LocalEngine
from app.generate.hosting import EngineHost, VllmHost
from app.generate.llm import Endpoint, FixedEndpoint, OpenAICompatibleModel
from app.generate.model_server import EngineConfig
from app.generate.replicas import ReplicaHost, SpreadEndpoint
from app.health import free_disk_mb
from app.ingest import ocr
from app.ingest.backup.restoring import Restore, check_backup, copy_databases, prepare_folder
from app.ingest.blobs.cache import BlobCache
from app.ingest.blobs.folder import FolderBlobs
from app.ingest.blobs.s3 import S3Blobs, S3Place
from app.ingest.consistency import Consistency, Report
from app.ingest.durable import JobPlace
from app.ingest.files import FileStore
from app.ingest.indexing import Indexing, Stores
from app.ingest.media import parser_for
from app.ingest.pipeline import Reading
from app.ingest.rendering.cache import ImageCache
from app.models.base_shape import shape_of
from app.models.store import ModelStore
from app.parts import Parts
from app.ports import BlobStore, Embedder, KeywordIndex, LanguageModel, OcrLimits, ParseLimits, VectorStore
from app.retrieve.embed import SentenceTransformerEmbedder
from app.retrieve.embed_remote import RemoteEmbedder
from app.retrieve.keyword import TantivyKeywordIndex
from app.retrieve.prefixes import prefixes_for
from app.retrieve.stores.chroma import ChromaVectorStore
from app.retrieve.stores.milvus.keywords import MilvusKeywordIndex
from app.retrieve.stores.milvus.server import MilvusConfig, MilvusServer
from app.retrieve.stores.milvus.vectors import Hnsw, MilvusVectorStore
from app.services import Company, Services
from app.settings import Settings, has_standard_collector
from app.tracing import collected_by
from app.types import Fingerprint, Language

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Indexes:
    """Both sides of a search, which one setting chooses."""

    vectors: VectorStore
    keywords: KeywordIndex


def _embedded_indexes(settings: Settings) -> Indexes:
    return Indexes(
        ChromaVectorStore(settings.index_dir / "chroma", settings.index_batch),
        TantivyKeywordIndex(settings.index_dir / "keywords"),
    )


def _milvus_indexes(settings: Settings) -> Indexes:
    """One connection for both, made at the first call; raises `MilvusAddressMissing`, `ExtraMissing`."""
    if settings.milvus_uri is None:
        raise MilvusAddressMissing
    if importlib.util.find_spec("pymilvus") is None:
        raise ExtraMissing(feature="The Milvus store", extra="scale")
    token = settings.milvus_token.get_secret_value() if settings.milvus_token else ""
    server = MilvusServer(
        MilvusConfig(settings.milvus_uri, token, settings.milvus_database, settings.milvus_timeout_seconds)
    )
    hnsw = Hnsw(settings.milvus_hnsw_m, settings.milvus_hnsw_ef_construction, settings.milvus_hnsw_ef)
    return Indexes(MilvusVectorStore(server, hnsw), MilvusKeywordIndex(server))


VECTOR_STORES: Mapping[str, Callable[[Settings], Indexes]] = {
    "chroma": _embedded_indexes,
    "milvus": _milvus_indexes,
}


BLOB_STORES: Mapping[str, Callable[[Settings], BlobStore]] = {
    "folder": lambda settings: FolderBlobs(settings.uploads_dir),
    "s3": lambda settings: _s3_blobs(settings),
}


class Duty(StrEnum):
    """What a process does: everything, or only answering, or only the work of queues."""

    BOTH = "both"
    API = "api"
    WORKER = "worker"


def build_services(
    settings: Settings, run_token: str, parts: Parts | None = None, duty: Duty = Duty.BOTH, process_id: str = "local"
) -> Services:
    """The services of a process that owns `settings.data_dir`; raises `SetupError`s.

    `process_id` tells it from others on the same database.
    """
    shares_index = shares_indexes(settings) or (parts is not None and parts.vectors is not None)
    if duty is not Duty.BOTH:
        _require_shared(settings, shares_index=shares_index)
    database = _open_whole_database(settings)
    sessions = Sessions(database)
    company = _company(settings, database, Process(process_id, duty is not Duty.API, __version__))
    if company is not None and not shares_index and company.processes.living() - {process_id}:
        why = "another one works on this database, and the index is in one's data folder: set MQA_VECTOR_STORE=milvus"
        raise ProcessesNotShared(reason=why)
    chosen = parts or chosen_parts(settings)
    exclusive = None if company is None else partial(company.locks.of, "files")
    own = None if chosen.vectors is None or chosen.keywords is None else Indexes(chosen.vectors, chosen.keywords)
    stores = open_stores(settings, sessions, own, exclusive)
    return Services(
        settings, stores, database, sessions, chosen, chosen.reading or reading(settings), run_token, company
    )


def _open_whole_database(settings: Settings) -> Engine:
    """The catalogue, unless it is being moved there still."""
    database = open_database(settings.data_dir, settings.database_url, settings.database_connections)
    try:
        require_whole(database)
    except MoveUnfinished:
        database.dispose()
        raise
    return database


def open_stores(
    settings: Settings,
    sessions: Sessions,
    indexes: Indexes | None = None,
    exclusive: Callable[[], AbstractContextManager[object]] | None = None,
) -> Stores:
    """Everything that documents leave traces in; raises `SetupError`s."""
    indexes = indexes or VECTOR_STORES[settings.vector_store](settings)
    return Stores(
        bases=KnowledgeBases(sessions),
        documents=Documents(sessions),
        generations=Generations(sessions),
        jobs=Jobs(sessions),
        contents=Contents(sessions),
        files=open_files(settings, exclusive),
        vectors=indexes.vectors,
        keywords=indexes.keywords,
        images=ImageCache(settings.page_images_dir, settings.page_image_cache_mb, settings.min_free_disk_mb),
    )


def open_files(settings: Settings, exclusive: Callable[[], AbstractContextManager[object]] | None = None) -> FileStore:
    """The originals; raises `BlobStoreUnusable` where their storage refuses us, and none where it is only away."""
    blobs = BLOB_STORES[settings.blob_store](settings)
    with suppress(BlobsUnavailable):
        blobs.check()
    grace_seconds = 0.0 if settings.blob_store == "folder" else settings.blob_grace_minutes * 60
    return FileStore(
        settings.uploads_dir,
        settings.max_upload_mb,
        settings.min_free_disk_mb,
        blobs,
        exclusive=exclusive,
        grace_seconds=grace_seconds,
    )


def _s3_blobs(settings: Settings) -> BlobStore:
    if importlib.util.find_spec("obstore") is None:
        raise ExtraMissing(feature="Object storage", extra="scale")
    bucket, key_id, secret = settings.s3_bucket, settings.s3_access_key_id, settings.s3_secret_access_key
    if not bucket or key_id is None or secret is None:
        raise BlobStoreUnusable(
            bucket=bucket or "?",
            endpoint=settings.s3_endpoint or "?",
            reason="MQA_S3_BUCKET, MQA_S3_ACCESS_KEY_ID and MQA_S3_SECRET_ACCESS_KEY have to be set",
        )
    place = S3Place(
        bucket,
        settings.s3_prefix,
        settings.s3_region,
        settings.s3_endpoint,
        key_id.get_secret_value(),
        secret.get_secret_value(),
        settings.s3_connect_seconds,
        settings.s3_request_seconds,
    )
    return S3Blobs(place, BlobCache(settings.blob_cache_dir, settings.blob_cache_mb, settings.min_free_disk_mb))


def restore_backup(settings: Settings, backup: Path, told: Callable[[str], None]) -> Report:
    """Restores a backup into the empty data folder, which this process owns; what does not agree afterwards.

    `told` gets the name of each part before it is restored. Raises `BackupInvalid`, `RestoreRefused`, and what opening
    the stores raises. Broken off, the folder is of no use to a server, and the next restore begins anew.
    """
    told("checking")
    manifest = check_backup(backup)
    folder = DataFolder(settings.data_dir)
    prepare_folder(settings.data_dir, again=folder.is_restoring())
    folder.begin_restoring()
    copy_databases(backup, settings.data_dir)
    database = open_database(settings.data_dir)
    sessions = Sessions(database)
    stores = open_stores(settings, sessions)
    facts = Inspection(sessions)
    try:
        restore = Restore(backup, manifest, stores, Indexing(stores, _no_embedder), facts)
        told("originals")
        restore.originals(settings.uploads_dir)
        told("vectors")
        restore.vectors()
        told("keywords")
        restore.keywords()
        told("folders")
        restore.folders(settings.adapters_dir, settings.finetune_dir)
        told("comparing")
        restore.compare()
        report = Consistency(stores, facts, None).check()
    finally:
        stores.keywords.close()
        stores.vectors.close()
        database.dispose()
    folder.end_restoring()
    return report


def _no_embedder(fingerprint: Fingerprint) -> Embedder:
    raise EmbedderUnavailable(f"asked for {fingerprint.embedder}", reason="its files could not be loaded")


def shares_indexes(settings: Settings) -> bool:
    """Whether vectors and keywords are on a server that several processes can use."""
    return settings.vector_store != "chroma"


def _require_shared(settings: Settings, *, shares_index: bool) -> None:
    """Raises `ProcessesNotShared` where one of several processes has something to itself that all need."""
    if settings.database_url is None:
        raise ProcessesNotShared(reason="they need one database: set MQA_DATABASE_URL")
    if not shares_index:
        why = "the index is in this process's data folder: set MQA_VECTOR_STORE=milvus"
        raise ProcessesNotShared(reason=why)
    if settings.files_dir is None and settings.blob_store == "folder":
        why = "uploads are in this process's data folder: set MQA_BLOB_STORE=s3, or MQA_FILES_DIR to a folder of all"
        raise ProcessesNotShared(reason=why)


def _company(settings: Settings, database: Engine, process: Process) -> Company | None:
    """What is shared with others on a Postgres database, whose tables of jobs are there when this returns."""
    if settings.database_url is None:
        return None
    locks = Locks(database)
    with locks.of("tables of jobs"):
        JobPlace(settings.data_dir, settings.database_url).migrate()
    return Company(settings.database_url, Processes(Sessions(database)), process, locks)


def build_conversing(services: Services) -> Conversing:
    """The conversations of a server, over its services."""
    return Conversing(services)


def build_runs(services: Services) -> Runs:
    """The evaluations of a server, over its services."""
    return Runs(services)


def build_alarms(services: Services) -> Alarming:
    """What watches over a server and tells its operator."""
    settings = services.settings
    on, ways = alarm_limits(settings), _ways(settings)
    sources = Sources(services.operations, services.movement, partial(free_disk_mb, settings), services.living)
    pause = pause_seconds(settings)
    watcher = Watcher(
        services.alarms,
        sources,
        on,
        [way.name for way in ways],
        least_calls=settings.alarm_calls,
        window_seconds=settings.alarm_minutes * 60,
        pause_seconds=pause,
        process_id=services.process_id or "local",
    )
    page = settings.public_url and f"{settings.public_url.rstrip('/')}/operations"
    return Alarming(services.alarms, watcher, Sender(services.alarms, ways, page=page), on, pause)


def _ways(settings: Settings) -> list[Way]:
    ways: list[Way] = []
    languages: list[Language] = ["en", "zh"] if settings.language == "auto" else [settings.language]
    if settings.alarm_webhook_url is not None:
        ways.append(Webhook(settings.alarm_webhook_url, settings.alarm_webhook_secret, languages))
    if settings.alarm_mail_to is not None:
        server = MailServer(
            settings.alarm_smtp_host,
            settings.alarm_smtp_port,
            settings.alarm_smtp_security,
            settings.alarm_smtp_user,
            settings.alarm_smtp_password,
        )
        recipients = [one.strip() for one in settings.alarm_mail_to.split(",")]
        ways.append(Mail(server, settings.alarm_mail_from, recipients, languages))
    return ways


def build_adapters(services: Services) -> Adapters:
    """The registry of adapters of a server."""
    settings = services.settings
    limits = Limits(settings.max_lora_rank, settings.max_adapter_mb * 1_000_000)
    room = Room(settings.max_stored_adapters, limits, settings.min_free_disk_mb * 1_000_000)
    maker = services.process_id or ALONE
    return Adapters(services.adapters, settings.adapters_dir, partial(served_base, settings), room, maker)


def served_base(settings: Settings) -> Base:
    """The model that adapters are for; raises `AdapterInvalid` where its weights are not here to tell its shape."""
    name = settings.adapter_base or settings.llm_model
    try:
        weights = ModelStore.from_settings(settings).resolve(name)
        return Base(weights.name, weights.revision, shape_of(weights.path))
    except (WeightsMissing, WeightsCorrupt, UnknownModel) as error:
        why = "the weights of its base model are not here to tell its shape; name them in MQA_ADAPTER_BASE"
        raise AdapterInvalid(str(error), reason=why) from error


def build_trainings(services: Services, adapters: Adapters, courtesy: Courtesy) -> TrainingJobs:
    """The trainings of a server, whose adapters go to its registry."""
    preparation = Preparation(services, partial(served_base, services.settings), courtesy)
    return TrainingJobs(services, TrainingParts(preparation, adapters))


def build_hosting(services: Services, adapters: Adapters) -> Hosting:
    """What has adapters hosted by the server of the language model."""
    settings = services.settings
    return Hosting(
        services.adapters,
        adapters.verify,
        services.adapter_host,
        most=settings.max_adapters,
        check_seconds=settings.hosting_check_seconds,
    )


def build_promoting(services: Services, runs: Runs, adapters: Adapters, hosts: Hosts) -> Promoting:
    """What proves and promotes adapters, over the other parts of a server."""
    return Promoting(services, runs, adapters, hosts)


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


@contextmanager
def traces(settings: Settings) -> Iterator[None]:
    """Sends spans to the collector of the settings, or of OpenTelemetry's own variables, as long as the block lasts.

    Raises `ExtraMissing` where our setting asks for it and its libraries are not here; for those variables, which may
    stand in the environment of everything on a machine, that is no fault.
    """
    if settings.otlp_endpoint is None and not has_standard_collector():
        yield
        return
    if not _has_otel():
        if settings.otlp_endpoint is not None:
            raise ExtraMissing(feature="Tracing", extra="otel")
        log.warning("traces_off", missing="otel")
        yield
        return
    from app.open_telemetry import tracing_to  # noqa: PLC0415 - only where it is asked for

    with tracing_to(settings.otlp_endpoint, __version__) as tracer, collected_by(tracer):
        yield


def _has_otel() -> bool:
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


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
