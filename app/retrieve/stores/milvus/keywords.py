"""The keyword index in Milvus: its BM25 function (k1 1.2, b 0.75) over our own tokens, a collection per index id."""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import structlog

from app.errors import IndexUnavailable
from app.ports import IndexEntry
from app.retrieve.asides import Asides
from app.retrieve.stores.milvus.names import collection_name, index_id_of, one_of
from app.retrieve.stores.milvus.server import MOST_HITS, Collection, CollectionMissingError, MilvusServer, index_of
from app.text.tokens import index_tokens, query_tokens

if TYPE_CHECKING:
    from pymilvus import CollectionSchema, MilvusClient
    from pymilvus.milvus_client.index import IndexParams

log = structlog.get_logger(__name__)

PREFIX = "mqa_keywords_"
_LEAST_VERSION = (2, 5)
_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_TIES = 32
"""Hits asked for beyond the limit, so that equal scores at its edge can be put in order of id."""

_MOST_BYTES = 65_535
"""The longest text that a field of Milvus holds: 7,281 words of ours, more than the largest chunk has."""

_NO_WORD = "none"
"""Stands in an entry without a word, which some versions refuse; words of ours have eight letters and digits."""

_REQUEST_BYTES = 8_000_000
"""Text in one request, where Milvus takes 64 MB: a manual of some 1,500 passages."""


class MilvusKeywordIndex:
    """Port `KeywordIndex`; see the package for layout and consistency.

    Milvus is not given our tokens but a word of eight letters and digits for each (a hash), which every version's
    tokenizers leave whole; milvus-lite has none that splits at blanks alone. A document goes in with one request, which
    is seen whole or not at all, as long as its words are within 8 MB; a larger one goes in with several, and what it
    had before goes out after them. Scores are the textbook's BM25 but for what Milvus still counts of rows that were
    deleted and not yet compacted; milvus-lite counts words within each of its segments (about 100,000 rows).
    """

    def __init__(self, server: MilvusServer) -> None:
        self._server = server
        self._has_bm25 = False
        self._asides = Asides()

    def replace_document(self, index_id: str, document_id: str, entries: Sequence[IndexEntry]) -> None:
        name = collection_name(PREFIX, index_id)
        self._check_version()
        rows = []
        for entry in {entry.chunk_id: entry for entry in entries}.values():
            rows.append({"id": entry.chunk_id, "document": document_id, "words": _words(entry)})
            self._asides.rest()
        try:
            self._replace(name, document_id, rows)
        except CollectionMissingError:  # dropped since it was last seen
            self._replace(name, document_id, rows)

    def delete_document(self, index_id: str, document_id: str) -> None:
        name = collection_name(PREFIX, index_id)
        try:
            self._delete(name, sorted(self._server.ids(name, one_of("document", [document_id]))))
        except CollectionMissingError:
            return

    def delete(self, index_id: str, chunk_ids: Sequence[str]) -> None:
        name = collection_name(PREFIX, index_id)
        try:
            self._delete(name, list(chunk_ids))
        except CollectionMissingError:
            return

    def search(self, index_id: str, question: str, limit: int) -> list[tuple[str, float]]:
        name = collection_name(PREFIX, index_id)
        self._asides.searched()
        tokens = query_tokens(question)
        if not tokens or limit < 1:
            return []
        self._check_version()
        try:
            return self._ranked(name, " ".join(map(_word, tokens)), min(limit, MOST_HITS))
        except CollectionMissingError:
            return []

    def ids(self, index_id: str) -> set[str]:
        try:
            return self._server.ids(collection_name(PREFIX, index_id))
        except CollectionMissingError:
            return set()

    def indexes(self) -> set[str]:
        return {index_id_of(PREFIX, name) for name in self._server.names() if name.startswith(PREFIX)}

    def drop(self, index_id: str) -> None:
        self._server.drop(collection_name(PREFIX, index_id))

    def close(self) -> None:
        """Ends the connection that both stores share; the next call makes another."""
        self._server.close()

    def _check_version(self) -> None:
        """Raises `IndexUnavailable` where the server has no BM25; asked once."""
        if self._has_bm25:
            return
        version = self._server.version()
        numbers = _VERSION.match(version)
        if numbers and (int(numbers[1]), int(numbers[2])) < _LEAST_VERSION:
            raise IndexUnavailable(version, reason=f"Milvus {version} has no BM25; 2.5 is the oldest that has it")
        self._has_bm25 = True

    def _replace(self, name: str, document_id: str, rows: Sequence[dict[str, str]]) -> None:
        self._server.create(name, Collection(_schema, _indexes))
        before = self._server.ids(name, one_of("document", [document_id]))
        for some in _requests(rows):
            self._server.upsert(name, some)
        self._server.delete(name, sorted(before - {row["id"] for row in rows}))
        self._server.settle(name)

    def _delete(self, name: str, ids: Sequence[str]) -> None:
        if ids:
            self._server.delete(name, ids)
            self._server.settle(name)

    def _ranked(self, name: str, words: str, limit: int) -> list[tuple[str, float]]:
        """The best `limit`, equal scores in order of id even where the limit cuts through them."""
        wanted = limit + _TIES
        hits = self._found(name, words, wanted)
        while len(hits) == wanted < MOST_HITS and hits[limit - 1][1] == hits[-1][1]:
            wanted = min(4 * wanted, MOST_HITS)
            hits = self._found(name, words, wanted)
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:limit]

    def _found(self, name: str, words: str, limit: int) -> list[tuple[str, float]]:
        """Hits with their scores; milvus-lite tells them with the other sign."""
        hits = self._server.search(name, [words], "bm25", limit, {"metric_type": "BM25"})
        return [(chunk_id, abs(score)) for chunk_id, score in hits]


def _words(entry: IndexEntry) -> str:
    words = " ".join(map(_word, index_tokens(entry.text)))
    if len(words) > _MOST_BYTES:
        log.warning("keywords_cut", chunk_id=entry.chunk_id, bytes=len(words))
        words = words[:_MOST_BYTES].rpartition(" ")[0]
    return words or _NO_WORD


@lru_cache(maxsize=100_000)
def _word(token: str) -> str:
    return b32encode(blake2b(token.encode(), digest_size=5).digest()).decode().lower()


def _requests(rows: Sequence[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    """The rows in as few requests as their size allows."""
    some: list[dict[str, str]] = []
    size = 0
    for row in rows:
        if some and size + len(row["words"]) > _REQUEST_BYTES:
            yield some
            some, size = [], 0
        some.append(row)
        size += len(row["words"])
    if some:
        yield some


def _schema(client: MilvusClient) -> CollectionSchema:
    from pymilvus import DataType, Function, FunctionType  # noqa: PLC0415

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=200)
    schema.add_field("document", DataType.VARCHAR, max_length=200)
    analyzer: dict[str, Any] = {"tokenizer": "standard"}
    schema.add_field("words", DataType.VARCHAR, max_length=_MOST_BYTES, enable_analyzer=True, analyzer_params=analyzer)
    schema.add_field("bm25", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_function(
        Function(name="bm25", function_type=FunctionType.BM25, input_field_names=["words"], output_field_names=["bm25"])
    )
    return schema


def _indexes(client: MilvusClient) -> IndexParams:
    return index_of(client, "bm25", "SPARSE_INVERTED_INDEX", "BM25", {"bm25_k1": 1.2, "bm25_b": 0.75})
