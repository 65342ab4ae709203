"""A Milvus server, reached through pymilvus: connection, time limits, second tries, and errors that are ours."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import structlog

from app.errors import IndexUnavailable
from app.retrieve.stores.milvus.names import one_of
from app.settings import leave_dotenv_alone

if TYPE_CHECKING:
    from pymilvus import CollectionSchema, MilvusClient
    from pymilvus.milvus_client.index import IndexParams

log = structlog.get_logger(__name__)

MOST_HITS = 16_384
"""What Milvus gives at most in one answer."""

_BATCH = 1000
"""Ids in one request, and so rows in one answer."""

_PAGE = 8000
"""Ids in one answer where all are read."""

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 2.0
_RECONNECT_MILLISECONDS = 2000
"""Longest pause between two attempts of the connection to come about again; gRPC's own grows to two minutes."""

_NOT_CONNECTED = 2
_COLLECTION_MISSING = 100
_NOT_LOADED = 101
_INDEX_MISSING = 700
_DATABASE_MISSING = 800
_PERMANENT = frozenset({6, _COLLECTION_MISSING, _DATABASE_MISSING, 1100, 1101, 1102, 1400, 1401, 1402})
"""Codes of what stays wrong however often it is asked: unknown names, bad arguments, no right to do it."""

Consistency = Literal["Strong", "Bounded"]
Row = Mapping[str, Any]
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class MilvusConfig:
    """Where the server is and how long any call may take, its second tries included."""

    uri: str
    token: str = field(default="", repr=False)
    database: str = ""
    timeout_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Collection:
    """What a collection is made of: `schema` and `indexes` are called with the client, once it is needed."""

    schema: Callable[[MilvusClient], CollectionSchema]
    indexes: Callable[[MilvusClient], IndexParams]


class CollectionMissingError(Exception):
    """There is no such collection; caught by the two stores, for which it is an empty index."""


class MilvusServer:
    """Connects at the first call, loads what is not loaded, and tries again what may pass.

    Every request ends within `timeout_seconds`, its second tries included; then it is `IndexUnavailable`. All of them
    may be repeated and end in the same state, so a second try is never wrong. Those that name a collection raise
    `CollectionMissingError` where there is none. May be called by several threads.
    """

    def __init__(self, config: MilvusConfig) -> None:
        self._config = config
        self._client: MilvusClient | None = None
        self._connecting = threading.Lock()
        self._whole: set[str] = set()

    def version(self) -> str:
        """What the server calls its version, such as "2.5.4"."""
        return str(self._call("", lambda client, seconds: client.get_server_version(timeout=seconds)))

    def names(self) -> set[str]:
        """The collections of the database."""
        return set(self._call("", lambda client, seconds: client.list_collections(timeout=seconds)))

    def describe(self, name: str) -> dict[str, Any]:
        """Fields and properties of a collection."""
        described: dict[str, Any] = self._call(
            name, lambda client, seconds: client.describe_collection(name, timeout=seconds)
        )
        return described

    def create(self, name: str, collection: Collection) -> None:
        """Makes the collection with its indexes and loads it, as far as that was not done."""
        if name in self._whole:
            return

        def make(client: MilvusClient, seconds: float) -> None:
            if not client.has_collection(name, timeout=seconds):
                # one shard, since BM25 counts words within each
                client.create_collection(name, schema=collection.schema(client), num_shards=1, timeout=seconds)
            if not client.list_indexes(name, timeout=seconds):
                client.create_index(name, collection.indexes(client), timeout=seconds)
            client.load_collection(name, timeout=seconds)

        self._call(name, make)
        self._whole.add(name)

    def drop(self, name: str) -> None:
        """Removes the collection, if there is one."""
        self._whole.discard(name)
        self._call(name, lambda client, seconds: client.drop_collection(name, timeout=seconds))

    def upsert(self, name: str, rows: Sequence[Row]) -> None:
        """Puts these rows in place of those with their ids, in one request; see `settle`."""
        self._call(name, lambda client, seconds: client.upsert(name, list(rows), timeout=seconds))

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Removes the rows with these ids, as far as they are there; see `settle`."""
        for start in range(0, len(ids), _BATCH):
            self._delete(name, one_of("id", ids[start : start + _BATCH]))

    def settle(self, name: str) -> None:
        """Returns when what was written before can be read, by one read at level "Strong"."""
        self._query(name, one_of("id", ["settled"]), ["id"], "Strong")

    def rows(self, name: str, ids: Sequence[str], fields: Sequence[str], consistency: Consistency) -> Iterator[Row]:
        """The rows with these ids that are there, in any order."""
        for start in range(0, len(ids), _BATCH):
            yield from self._query(name, one_of("id", ids[start : start + _BATCH]), fields, consistency)

    def ids(self, name: str, among: str = "") -> set[str]:
        """The ids of all rows that the filter `among` takes, read at level "Strong"."""
        found = {str(row["id"]) for row in self._query(name, among, ["id"], "Strong", limit=MOST_HITS)}
        return found if len(found) < MOST_HITS else self._many_ids(name, among)

    def search(
        self, name: str, what: Sequence[Any], column: str, limit: int, parameters: Mapping[str, Any]
    ) -> list[tuple[str, float]]:
        """Ids and values of the nearest rows as the server gives them, best first."""

        def find(client: MilvusClient, seconds: float) -> list[tuple[str, float]]:
            hits = client.search(
                name,
                data=list(what),
                anns_field=column,
                limit=min(limit, MOST_HITS),
                search_params=dict(parameters),
                output_fields=["id"],
                consistency_level="Bounded",
                timeout=seconds,
            )
            return [(str(hit["id"]), float(hit["distance"])) for hit in hits[0]] if len(hits) else []

        return self._call(name, find)

    def close(self) -> None:
        """Ends the connection; the next call makes another."""
        with self._connecting:
            client, self._client = self._client, None
            self._whole.clear()
        if client is not None:
            client.close()

    def _many_ids(self, name: str, among: str) -> set[str]:
        """Ids page by page, all of one moment after the last write.

        Servers before 2.4 do not tell pymilvus that moment, so that it takes this machine's clock, which theirs may be
        seconds ahead of after a crash: what is in one answer is not read this way.
        """

        def read(client: MilvusClient, seconds: float) -> set[str]:
            pages = client.query_iterator(
                name, batch_size=_PAGE, filter=among, output_fields=["id"], timeout=seconds, consistency_level="Strong"
            )
            found: set[str] = set()
            while page := pages.next():
                found.update(str(row["id"]) for row in page)
            pages.close()
            return found

        self.settle(name)
        return self._call(name, read)

    def _delete(self, name: str, among: str) -> None:
        self._call(name, lambda client, seconds: client.delete(name, filter=among, timeout=seconds))

    def _query(
        self, name: str, among: str, fields: Sequence[str], consistency: Consistency, limit: int | None = None
    ) -> list[Row]:
        bound = {} if limit is None else {"limit": limit}

        def read(client: MilvusClient, seconds: float) -> list[Row]:
            return list(
                client.query(
                    name,
                    filter=among,
                    output_fields=list(fields),
                    consistency_level=consistency,
                    timeout=seconds,
                    **bound,
                )
            )

        return self._call(name, read)

    def _call(self, name: str, action: Callable[[MilvusClient, float], _Result]) -> _Result:
        """What `action` gives for the client and the seconds that are left; again, after a wait, what may pass."""
        deadline = time.monotonic() + self._config.timeout_seconds
        wait = _FIRST_WAIT
        while True:
            try:
                return action(self._connected(deadline), _left(deadline))
            except _vendor_errors() as error:
                code = getattr(error, "code", None)
                if code in (_COLLECTION_MISSING, _INDEX_MISSING):
                    self._whole.discard(name)
                    raise CollectionMissingError(name) from error
                if code in _PERMANENT or _left(deadline) <= wait:
                    raise IndexUnavailable(str(error), reason=_why(code, self._config.database)) from error
                log.warning("milvus_retry", collection=name, problem=str(error)[:300], wait_seconds=wait)
                if code == _NOT_LOADED:
                    self._load(name, deadline)
                else:
                    time.sleep(wait)
                    wait = min(2 * wait, _LONGEST_WAIT)

    def _load(self, name: str, deadline: float) -> None:
        """Loads a collection; what fails is told by the next try of what was wanted."""
        try:
            self._connected(deadline).load_collection(name, timeout=_left(deadline))
        except _vendor_errors() as error:
            log.warning("milvus_load_failed", collection=name, problem=str(error)[:300])
            time.sleep(_FIRST_WAIT)

    def _connected(self, deadline: float) -> MilvusClient:
        with self._connecting:
            if self._client is None:
                leave_dotenv_alone()
                from pymilvus import MilvusClient  # noqa: PLC0415 - a second, which only users of Milvus need to wait

                logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # what it tells is told by our errors
                config = self._config
                self._client = MilvusClient(
                    uri=config.uri,
                    token=config.token,
                    db_name=config.database,
                    timeout=_left(deadline),
                    dedicated=True,
                    grpc_options={"grpc.max_reconnect_backoff_ms": _RECONNECT_MILLISECONDS},
                )
            return self._client


def index_of(client: MilvusClient, field: str, kind: str, metric: str, parameters: Mapping[str, float]) -> IndexParams:
    """One index. Its parameters stand in a field of that name: every server reads it, milvus-lite nothing else."""
    indexes = client.prepare_index_params()
    indexes.add_index(field, index_type=kind, metric_type=metric, params={"params": dict(parameters)})
    return indexes


def _why(code: object, database: str) -> str:
    if code == _DATABASE_MISSING:
        return f"Milvus has no database {database}; MQA_MILVUS_DATABASE names it"
    if code == _NOT_CONNECTED:  # pymilvus tells no difference
        return "nothing answers at MQA_MILVUS_URI, or it refuses MQA_MILVUS_TOKEN"
    if code in _PERMANENT:
        return "Milvus refuses the request"
    return "Milvus does not answer"


def _left(deadline: float) -> float:
    """Seconds until then; never none, which pymilvus would take for no limit."""
    return max(deadline - time.monotonic(), 0.01)


def _vendor_errors() -> tuple[type[Exception], ...]:
    import grpc  # noqa: PLC0415
    from pymilvus import MilvusException  # noqa: PLC0415

    return MilvusException, grpc.RpcError, grpc.FutureTimeoutError
