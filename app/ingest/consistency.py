"""Whether catalogue, files and indexes agree, and mending them where they do not."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog

from app.catalogue.inspection import DocumentFacts, Inspection
from app.catalogue.records import Generation
from app.errors import IndexUnavailable, ManualqaError, RebuildRunning
from app.ingest.indexing import Stores
from app.ingest.jobs import JobEngine
from app.ingest.library import Library
from app.ingest.pipeline import Pipeline
from app.types import DocumentState, GenerationState

log = structlog.get_logger(__name__)


class Disagreement(StrEnum):
    """What can be wrong; the wording for people is in `app.api.maintenance`."""

    FILE_MISSING = "file_missing"
    FILE_DAMAGED = "file_damaged"
    FILE_UNUSED = "file_unused"
    PAGES_DISAGREE = "pages_disagree"
    CHUNKS_DISAGREE = "chunks_disagree"
    VECTORS_MISSING = "vectors_missing"
    VECTORS_UNUSED = "vectors_unused"
    KEYWORDS_MISSING = "keywords_missing"
    KEYWORDS_UNUSED = "keywords_unused"
    INDEX_UNREADABLE = "index_unreadable"
    INDEX_UNUSED = "index_unused"
    JOB_MISSING = "job_missing"
    LEFT_OVER = "left_over"
    NOT_PURGED = "not_purged"


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement: where, how many things it is about, and whether it was mended or its mending has begun."""

    kind: Disagreement
    count: int = 1
    knowledge_base_id: str | None = None
    document_id: str | None = None
    name: str | None = None
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, and how much was looked at."""

    findings: tuple[Finding, ...]
    knowledge_bases: int
    documents: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Mending:
    """What mends; a server that does not run has none."""

    library: Library
    jobs: JobEngine
    pipeline: Pipeline


class Consistency:
    """Checks everything; with `repair`, what can be derived again is derived again and what nobody uses goes.

    What is lost for good, an uploaded file, is only told. Safe beside running work: what is on its way or being
    deleted is not taken for a fault.
    """

    def __init__(self, stores: Stores, inspection: Inspection, mending: Mending | None) -> None:
        self._stores = stores
        self._inspection = inspection
        self._mending = mending
        self._one_at_a_time = threading.Lock()

    def check(self, *, repair: bool = False, deep: bool = False) -> Report:
        """Looks at everything; `deep` also reads every file and compares its hash."""
        repair = repair and self._mending is not None
        with self._one_at_a_time:
            documents = self._inspection.documents()
            generations = self._stores.generations.all()
            chunks: Counter[str] = Counter()
            findings = [
                *self._documents(documents, repair=repair),
                *self._files(documents, repair=repair, deep=deep),
                *(
                    finding
                    for generation in generations
                    if generation.state is not GenerationState.RETIRED
                    for finding in self._generation(generation, chunks, repair=repair)
                ),
                *self._indexes({generation.index_id for generation in generations}, repair=repair),
            ]
            if repair and self._mending is not None:
                self._mending.jobs.enqueue_hidden()
        bases = {generation.knowledge_base_id for generation in generations}
        for finding in findings:
            log.warning("disagreement", kind=finding.kind, count=finding.count, document_id=finding.document_id)
        return Report(tuple(findings), len(bases), len(documents), chunks.total())

    # --- documents ----------------------------------------------------------------------------------------------------

    def _documents(self, documents: Sequence[DocumentFacts], *, repair: bool) -> Iterator[Finding]:
        for facts in documents:
            kind = _wrong(facts)
            if kind is None:
                continue
            repaired = repair and self._mend_document(kind, facts)
            yield Finding(kind, 1, facts.knowledge_base_id, facts.id, facts.name, repaired)

    def _mend_document(self, kind: Disagreement, facts: DocumentFacts) -> bool:
        if self._mending is None:
            return False
        if kind is Disagreement.CHUNKS_DISAGREE:
            return self._rebuild(facts.knowledge_base_id)
        if kind is Disagreement.LEFT_OVER:
            self._mending.pipeline.clear(facts.id)
        elif kind is Disagreement.JOB_MISSING:
            self._enqueue(self._mending.jobs, self._stores.documents.reopen(facts.id))
        elif kind is Disagreement.PAGES_DISAGREE:
            self._enqueue(self._mending.jobs, self._stores.documents.read_again(facts.id))
        return True  # what is not purged is enqueued for all at the end

    def _enqueue(self, jobs: JobEngine, job_id: str | None) -> None:
        if job_id is not None:
            jobs.enqueue(self._stores.jobs.get(job_id))

    # --- files --------------------------------------------------------------------------------------------------------

    def _files(self, documents: Sequence[DocumentFacts], *, repair: bool, deep: bool) -> Iterator[Finding]:
        files = self._stores.files
        there = files.hashes()
        for facts in documents:
            if facts.state is DocumentState.DELETING:
                continue
            if facts.sha256 not in there:
                if self._stores.documents.uses(facts.sha256):  # not deleted since
                    yield Finding(Disagreement.FILE_MISSING, 1, facts.knowledge_base_id, facts.id, facts.name)
            elif deep and files.digest(facts.sha256) not in (facts.sha256, None):
                yield Finding(Disagreement.FILE_DAMAGED, 1, facts.knowledge_base_id, facts.id, facts.name)
        unused = files.unused(self._stores.documents.uses, delete=repair)
        if unused:
            yield Finding(Disagreement.FILE_UNUSED, unused, repaired=repair)

    # --- indexes ------------------------------------------------------------------------------------------------------

    def _generation(self, generation: Generation, chunks: Counter[str], *, repair: bool) -> Iterator[Finding]:
        """What one generation's indexes lack or hold too much.

        Read in this order, so that work that goes on meanwhile is not mistaken: what must be there first, then what is
        there, then what may be.
        """
        index_id, base_id = generation.index_id, generation.knowledge_base_id
        wanted = self._inspection.searchable_chunks(index_id)
        chunks[index_id] = len(wanted)
        try:
            vectors, keywords = self._stores.vectors.ids(index_id), self._stores.keywords.ids(index_id)
        except IndexUnavailable:
            yield Finding(Disagreement.INDEX_UNREADABLE, 1, base_id, repaired=repair and self._rebuild(base_id))
            return
        known = self._inspection.all_chunks(index_id)
        still_wanted = self._inspection.searchable_chunks(index_id)
        for kind, there in ((Disagreement.VECTORS_MISSING, vectors), (Disagreement.KEYWORDS_MISSING, keywords)):
            missing = (wanted.keys() - there) & still_wanted.keys()
            if missing:
                yield Finding(kind, len(missing), base_id, repaired=repair and self._rebuild(base_id))
        yield from self._unused(index_id, base_id, vectors - known, keywords - known, repair=repair)

    def _unused(
        self, index_id: str, base_id: str, vectors: set[str], keywords: set[str], *, repair: bool
    ) -> Iterator[Finding]:
        if vectors:
            if repair:
                self._stores.vectors.delete(index_id, sorted(vectors))
            yield Finding(Disagreement.VECTORS_UNUSED, len(vectors), base_id, repaired=repair)
        if keywords:
            if repair:
                self._stores.keywords.delete(index_id, sorted(keywords))
            yield Finding(Disagreement.KEYWORDS_UNUSED, len(keywords), base_id, repaired=repair)

    def _indexes(self, known: set[str], *, repair: bool) -> Iterator[Finding]:
        stores: tuple[tuple[Callable[[], set[str]], Callable[[str], None]], ...] = (
            (self._stores.vectors.indexes, self._stores.vectors.drop),
            (self._stores.keywords.indexes, self._stores.keywords.drop),
        )
        unused: set[str] = set()
        for indexes, drop in stores:
            there = indexes()
            left = there - known - {generation.index_id for generation in self._stores.generations.all()}
            unused |= left
            for index_id in left if repair else ():
                drop(index_id)
        if unused:
            yield Finding(Disagreement.INDEX_UNUSED, len(unused), repaired=repair)

    def _rebuild(self, knowledge_base_id: str) -> bool:
        """Starts building the index anew; whether that, or a rebuild that is running, will mend it."""
        if self._mending is None:
            return False
        try:
            base = self._stores.bases.get(knowledge_base_id)
            self._mending.library.rebuild(knowledge_base_id, base.fingerprint)
        except RebuildRunning:
            return True
        except ManualqaError:
            return False
        return True


def _wrong(facts: DocumentFacts) -> Disagreement | None:
    """What is wrong with a document by what the catalogue itself holds."""
    if facts.state is DocumentState.DELETING:
        return Disagreement.NOT_PURGED
    if facts.is_working and not facts.has_open_job:
        return Disagreement.JOB_MISSING
    if facts.is_stopped and (facts.pages_stored or facts.chunks_stored):
        return Disagreement.LEFT_OVER
    if facts.state is DocumentState.READY:
        if facts.pages_stored != facts.pages:
            return Disagreement.PAGES_DISAGREE
        if not facts.chunks_stored or facts.chunks_stored != facts.placed:
            return Disagreement.CHUNKS_DISAGREE
    return None
