"""The keyword index: BM25 (k1 1.2, b 0.75) by tantivy over our own tokens, one folder per index."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import structlog
import tantivy

from app.errors import IndexUnavailable
from app.ports import IndexEntry
from app.retrieve.asides import Asides
from app.retrieve.stores.index_ids import checked_index_id
from app.text.tokens import index_tokens, query_tokens

log = structlog.get_logger(__name__)

_WRITER_BYTES = 32_000_000
"""Memory of a writer while a document is put in; beyond it tantivy spills to disk."""

_TIES = 32
"""Hits asked for beyond the limit, so that equal scores at its edge can be put in order of id."""

_Result = TypeVar("_Result")


class TantivyKeywordIndex:
    """Port `KeywordIndex`. Folder layout: `root/<index id>/`, nothing else.

    Only one process may write (the data folder's lock sees to that). A writer is opened for each commit (about 30 ms)
    and closed again, so that nothing is held while idle; a process killed at any moment leaves the last commit.
    Queries are made of term queries, never of tantivy's query language. Tantivy keeps a text's length in one byte, so
    scores differ a little from the textbook's; a test holds the ranking against rank-bm25.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._schema = _schema()
        self._open: dict[str, tantivy.Index] = {}
        self._opening = threading.Lock()
        self._writing = threading.Lock()
        self._asides = Asides()
        self._sweep()

    def replace_document(self, index_id: str, document_id: str, entries: Sequence[IndexEntry]) -> None:
        documents = []
        for entry in entries:
            body = " ".join(index_tokens(entry.text))
            documents.append(tantivy.Document(id=entry.chunk_id, document=document_id, body=body))
            self._asides.rest()
        self._commit(index_id, [("document", document_id)], documents)

    def delete_document(self, index_id: str, document_id: str) -> None:
        if self._folder(index_id).exists():
            self._commit(index_id, [("document", document_id)], [])

    def delete(self, index_id: str, chunk_ids: Sequence[str]) -> None:
        if chunk_ids and self._folder(index_id).exists():
            self._commit(index_id, [("id", chunk_id) for chunk_id in chunk_ids], [])

    def search(self, index_id: str, question: str, limit: int) -> list[tuple[str, float]]:
        self._asides.searched()
        index = self._index(index_id)
        tokens = query_tokens(question)
        if index is None or not tokens or limit < 1:
            return []
        clauses = [
            (tantivy.Occur.Should, tantivy.Query.term_query(self._schema, "body", token, index_option="freq"))
            for token in tokens
        ]
        return _guarded(lambda: _ranked(index.searcher(), tantivy.Query.boolean_query(clauses), limit))

    def ids(self, index_id: str) -> set[str]:
        index = self._index(index_id)
        if index is None:
            return set()
        searcher = index.searcher()
        limit = max(1, searcher.num_docs)
        return {chunk_id for chunk_id, _ in _guarded(lambda: _found(searcher, tantivy.Query.all_query(), limit))}

    def indexes(self) -> set[str]:
        if not self._root.exists():
            return set()
        return {path.name for path in self._root.iterdir() if path.is_dir() and path.suffix != ".dropped"}

    def drop(self, index_id: str) -> None:
        folder = self._folder(index_id)
        with self._writing, self._opening:
            self._open.pop(index_id, None)
            if folder.exists():
                condemned = folder.with_name(f"{folder.name}.dropped")
                try:
                    shutil.rmtree(condemned, ignore_errors=True)
                    folder.rename(condemned)  # at once out of sight, whatever happens to the rest
                    shutil.rmtree(condemned)
                except OSError as error:
                    raise IndexUnavailable(str(error), reason="its files could not be removed") from error

    def close(self) -> None:
        """Let go of the open files; the next call opens them again."""
        with self._writing, self._opening:
            self._open.clear()

    def _folder(self, index_id: str) -> Path:
        return self._root / checked_index_id(index_id)

    def _index(self, index_id: str) -> tantivy.Index | None:
        """The open index, or None where there is none."""
        with self._opening:
            if index_id not in self._open and not (self._folder(index_id) / "meta.json").exists():
                return None
            return self._opened(index_id)

    def _opened(self, index_id: str) -> tantivy.Index:
        """The open index, made if there is none yet; for holders of `_opening`."""
        if index_id not in self._open:
            folder = self._folder(index_id)
            self._open[index_id] = _guarded(lambda: _open_folder(folder, self._schema))
        return self._open[index_id]

    def _commit(self, index_id: str, removed: Sequence[tuple[str, str]], documents: Sequence[tantivy.Document]) -> None:
        """Takes out what has one of these (field, term) pairs and puts the documents in, in one commit."""
        with self._writing:
            with self._opening:
                index = self._opened(index_id)

            def write() -> None:
                writer = index.writer(_WRITER_BYTES, num_threads=1)
                try:
                    for field, term in removed:
                        writer.delete_documents_by_term(field, term)
                    for document in documents:
                        writer.add_document(document)
                    writer.commit()
                finally:
                    writer.wait_merging_threads()
                index.reload()

            _guarded(write)

    def _sweep(self) -> None:
        """Remove what a drop that was cut short left behind."""
        for condemned in self._root.glob("*.dropped"):
            shutil.rmtree(condemned, ignore_errors=True)
            log.info("keyword_index_swept", folder=condemned.name)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("document", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("body", tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _open_folder(folder: Path, schema: tantivy.Schema) -> tantivy.Index:
    folder.mkdir(parents=True, exist_ok=True)
    index = tantivy.Index(schema, path=str(folder))
    index.config_reader(reload_policy="manual")
    return index


def _guarded(action: Callable[[], _Result]) -> _Result:
    """Run `action`; tantivy tells of damaged or missing files by ValueError and OSError."""
    try:
        return action()
    except (ValueError, OSError) as error:
        raise IndexUnavailable(str(error), reason="the keyword index could not be read or written") from error


def _ranked(searcher: tantivy.Searcher, query: tantivy.Query, limit: int) -> list[tuple[str, float]]:
    """The best `limit`, equal scores in order of id even where the limit cuts through them."""
    wanted = limit + _TIES
    hits = _found(searcher, query, wanted)
    while len(hits) == wanted and hits[limit - 1][1] == hits[-1][1]:
        wanted *= 4
        hits = _found(searcher, query, wanted)
    return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:limit]


def _found(searcher: tantivy.Searcher, query: tantivy.Query, limit: int) -> list[tuple[str, float]]:
    hits = searcher.search(query, limit, count=False).hits
    return [(searcher.doc(address)["id"][0], float(score)) for score, address in hits]
