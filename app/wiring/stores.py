"""Where things are kept: which back end a setting means, opened."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass

from app.catalogue.contents import Contents
from app.catalogue.database import Sessions
from app.catalogue.documents import Documents
from app.catalogue.generations import Generations
from app.catalogue.jobs import Jobs
from app.catalogue.knowledge_bases import KnowledgeBases
from app.errors import (
    BlobStoreUnusable,
    BlobsUnavailable,
    ExtraMissing,
    MilvusAddressMissing,
)
from app.ingest.blobs.cache import BlobCache
from app.ingest.blobs.folder import FolderBlobs
from app.ingest.blobs.s3 import S3Blobs, S3Place
from app.ingest.files import FileStore
from app.ingest.indexing import Stores
from app.ingest.rendering.cache import ImageCache
from app.ports import BlobStore, KeywordIndex, VectorStore
from app.retrieve.keyword import TantivyKeywordIndex
from app.retrieve.stores.chroma import ChromaVectorStore
from app.retrieve.stores.milvus.keywords import MilvusKeywordIndex
from app.retrieve.stores.milvus.server import MilvusConfig, MilvusServer
from app.retrieve.stores.milvus.vectors import Hnsw, MilvusVectorStore
from app.settings import Settings


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


def shares_indexes(settings: Settings) -> bool:
    """Whether vectors and keywords are on a server that several processes can use."""
    return settings.vector_store != "chroma"
