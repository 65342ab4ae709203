"""Removing what is hidden: documents and knowledge bases, index entries first and catalogue rows last."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from app.failpoints import failpoint
from app.ingest.indexing import Indexing, Stores
from app.ingest.turns import REMOVALS, Turns

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Purging:
    """Each call can be repeated: what broke off midway is found by its row, which goes last."""

    stores: Stores
    indexing: Indexing
    turns: Turns

    def purge(self, document_id: str) -> None:
        """Removes every trace of a hidden document; its file too, where no other document has the same bytes."""
        with self.turns.of(REMOVALS), self.turns.of(document_id):
            place = self.stores.documents.hidden_place(document_id)
            if place is None:
                return
            sha256, index_ids = place
            failpoint("purge.begin")
            self.indexing.remove(document_id, index_ids)
            self.stores.images.remove(document_id)
            with self.stores.files.exclusive():
                self.stores.documents.forget(document_id)
                failpoint("purge.forgotten")
                if not self.stores.documents.uses(sha256):
                    self.stores.files.delete(sha256)
        log.info("document_purged", document_id=document_id)

    def purge_base(self, knowledge_base_id: str) -> None:
        """Removes a hidden knowledge base: its documents, its indexes, its row."""
        document_ids, index_ids = self.stores.bases.hidden_contents(knowledge_base_id)
        for document_id in document_ids:
            self.purge(document_id)
        with self.turns.of(REMOVALS):
            self.indexing.require_there()
            for index_id in index_ids:
                self.stores.keywords.drop(index_id)
                failpoint("purge_base.keywords")
                self.stores.vectors.drop(index_id)
                failpoint("purge_base.vectors")
            self.stores.bases.forget(knowledge_base_id)
