"""Originals as objects of S3-compatible storage: the one place that knows obstore."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import structlog

from app.errors import BlobStoreUnusable, BlobsUnavailable
from app.ingest.blobs.cache import BlobCache
from app.ingest.blobs.hashes import checked_sha256, is_sha256
from app.ports import Blob

if TYPE_CHECKING:
    from obstore.store import S3Store

log = structlog.get_logger(__name__)

PART_BYTES = 8_000_000
"""Bytes of one request in either direction: a file of any size costs the memory of a few parts, each with its time."""

_PARTS_AT_ONCE = 2
_RETRIES = 2
_PROBE = "probe"
"""A key without an object: the answer to a read of it tells a bucket that can be used from one that cannot."""

_PROBE_SECONDS = 3.0
"""Longest wait of whoever only wants to know whether the storage is there."""

_NO_BUCKET = "NoSuchBucket"
_NO_SUCH_BUCKET = "there is no such bucket"
_KEY_REFUSED = "the storage refuses the access key"
_REFUSED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403 Forbidden", "401 Unauthorized")
_DETAIL_CHARACTERS = 500
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket, the prefix of our keys in it, and how to get there; without an endpoint it is Amazon's.

    `connect_seconds` and `request_seconds` bound one request, which moves at most `PART_BYTES`.
    """

    bucket: str
    prefix: str
    region: str
    endpoint: str | None
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    connect_seconds: float
    request_seconds: float


class S3Blobs:
    """Port `BlobStore`. Keys: `<prefix>/<first two letters>/<sha256>`.

    A multipart upload is seen once it is completed, so a blob is whole or not there; parts of one that a kill cut off
    stay hidden in the bucket until its rule for incomplete uploads removes them. Copies for readers are in `cache`.
    """

    def __init__(self, place: S3Place, cache: BlobCache) -> None:
        self._place = place
        self._cache = cache
        self._store = _client(place, place.connect_seconds, place.request_seconds, _RETRIES)
        self._probe = _client(place, _PROBE_SECONDS, _PROBE_SECONDS, 0)

    def stage(self, sha256: str, source: Path) -> None:
        """Puts the object; it is the whole work of `keep` but for a look whether it is still there."""
        key = _key(sha256)
        put = partial(self._store.put, key, source, chunk_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
        if _asked(put) is None:
            raise BlobsUnavailable(f"no bucket {self._place.bucket}", reason=_NO_SUCH_BUCKET)

    def keep(self, sha256: str, source: Path) -> None:
        size = source.stat().st_size
        if self._size(sha256) != size:
            self.stage(sha256, source)
        self._cache.take(sha256, source)

    def local(self, sha256: str) -> AbstractContextManager[Path]:
        checked_sha256(sha256)

        def size() -> int:
            found = self._size(sha256)
            if found is None:
                raise self._absent(sha256)
            return found

        return self._cache.holding(sha256, size, lambda: self._pieces(sha256, size()))

    def digest(self, sha256: str) -> str | None:
        size = self._size(sha256)
        if size is None:
            return None
        digest = hashlib.sha256()
        for piece in self._pieces(sha256, size):
            digest.update(piece)
        return digest.hexdigest()

    def delete(self, sha256: str) -> None:
        _asked(partial(self._store.delete, _key(sha256)))
        self._cache.remove(sha256)

    def all(self) -> Iterator[Blob]:
        now = datetime.now(UTC)
        listing = iter(self._store.list())
        while True:
            some = _asked(lambda: next(listing, []))
            if not some:
                return
            for item in some:
                name = item["path"].rpartition("/")[2]
                if is_sha256(name) and item["path"] == _key(name):
                    yield Blob(name, item["size"], (now - item["last_modified"]).total_seconds())

    def check(self) -> None:
        try:
            self._require_bucket()
        except BlobsUnavailable as error:
            reason = str(error.params["reason"])
            if reason in (_NO_SUCH_BUCKET, _KEY_REFUSED):
                endpoint = self._place.endpoint or "Amazon S3"
                raise BlobStoreUnusable(
                    error.detail, bucket=self._place.bucket, endpoint=endpoint, reason=reason
                ) from error
            raise

    # --- inside -------------------------------------------------------------------------------------------------------

    def _size(self, sha256: str) -> int | None:
        """Bytes of the object, None where there is none; a bucket that is gone is not taken for a missing object."""
        meta = _asked(partial(self._store.head, _key(sha256)))
        if meta is None:
            self._require_bucket()
        return None if meta is None else meta["size"]

    def _require_bucket(self) -> None:
        """Raises `BlobsUnavailable` where the storage, the bucket or our way into it is not there."""
        try:
            self._probe.get(_PROBE)
        except _vendor_errors() as error:
            if not isinstance(error, FileNotFoundError) or _NO_BUCKET in str(error):
                raise _away(error) from error

    def _pieces(self, sha256: str, size: int) -> Iterator[memoryview]:
        for start in range(0, size, PART_BYTES):
            length = min(PART_BYTES, size - start)
            piece = _asked(partial(self._store.get_range, _key(sha256), start=start, length=length))
            if piece is None:
                raise self._absent(sha256)
            yield memoryview(piece)

    def _absent(self, sha256: str) -> FileNotFoundError:
        return FileNotFoundError(f"no original {sha256}")


def _key(sha256: str) -> str:
    return f"{checked_sha256(sha256)[:2]}/{sha256}"


def _client(place: S3Place, connect_seconds: float, request_seconds: float, retries: int) -> S3Store:
    """A client that reads nothing of the environment's; retries end with the time of a request."""
    from obstore.store import S3Store  # noqa: PLC0415 - 15 MB that a folder does not need

    allow_http = (place.endpoint or "").startswith("http://")
    return S3Store(
        place.bucket,
        prefix=place.prefix,
        endpoint=place.endpoint or f"https://s3.{place.region}.amazonaws.com",
        region=place.region,
        access_key_id=place.access_key_id,
        secret_access_key=place.secret_access_key,
        disable_bulk_delete=True,  # some servers answer it wrongly, and we delete one at a time
        client_options={
            "allow_http": allow_http,
            "connect_timeout": timedelta(seconds=connect_seconds),
            "timeout": timedelta(seconds=request_seconds),
        },
        retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=request_seconds)},
    )


def _asked(action: Callable[[], _Result]) -> _Result | None:
    """What the storage answers, None where it says that there is no such object; raises `BlobsUnavailable`."""
    try:
        return action()
    except FileNotFoundError:
        return None
    except _vendor_errors() as error:
        raise _away(error) from error


def _vendor_errors() -> tuple[type[Exception], ...]:
    from obstore.exceptions import BaseError  # noqa: PLC0415

    return (BaseError, OSError, ValueError)


def _away(error: Exception) -> BlobsUnavailable:
    text = str(error)
    if _NO_BUCKET in text:
        reason = _NO_SUCH_BUCKET
    elif any(word in text for word in _REFUSED):
        reason = _KEY_REFUSED
    elif "HTTP error" in text:
        reason = "no connection"
    else:
        reason = "it does not answer as it should"
    return BlobsUnavailable(text[:_DETAIL_CHARACTERS], reason=reason)
