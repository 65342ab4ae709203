"""The steps that turn a stored file into a searchable document; each can be repeated and ends in the same state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from app.catalogue.contents import ReadPage
from app.catalogue.documents import Published
from app.catalogue.records import Document
from app.errors import BlobsUnavailable, DocumentError, DocumentTooCostly, IngestFailed, ManualqaError
from app.failpoints import failpoint
from app.ingest.indexing import WINDOW, Indexing, Stores
from app.ingest.parsers.running_lines import without_running_lines
from app.ingest.reading import require_text
from app.ingest.turns import Turns
from app.ports import OcrLimits, PageReader, ParseLimits, Parser, RecognisedPage
from app.types import Stage

log = structlog.get_logger(__name__)

PROGRESS_SECONDS = 0.5
"""Least time between two progress writes, so that watching costs nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reads files: the parsers, and OCR where it is installed."""

    parser_for: Callable[[str], Parser]
    limits: ParseLimits
    document_seconds: float
    ocr: PageReader | None
    ocr_limits: OcrLimits


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Read window by window, recognise scanned pages, chunk, embed window by window, publish.

    Each step raises `JobCancelled` where the document was cancelled or deleted meanwhile, a `DocumentError` where the
    file is to blame, `Unavailable` where trying again may help, and `PartAwayError` where it waits for a server.
    """

    stores: Stores
    indexing: Indexing
    reading: Reading
    turns: Turns = field(default_factory=Turns)

    # --- from file to pages -------------------------------------------------------------------------------------------

    def read(self, document_id: str, job_id: str, first: int) -> tuple[int, int]:
        """Reads one window of pages from `first` on; returns the first page of the next and the number of all."""
        with self.turns.of(document_id):
            document = self.stores.documents.start(document_id, job_id)
            jobs, contents = self.stores.jobs, self.stores.contents
            with self._original(document, job_id) as path:
                self._check_time(jobs.stage(job_id, Stage.PARSING, first - 1), document.name)
                left = self.reading.limits.characters - contents.characters(document_id, before=first)
                progress = _Throttled(lambda done, total: jobs.progress(job_id, pages_done=done, pages_total=total))
                failpoint("read.begin")
                parser = self.reading.parser_for(document.media_type)
                part = parser.read(path, replace(self.reading.limits, characters=left), first, progress)
            failpoint("read.parsed")
            contents.put_part(document_id, first, part)
            failpoint("read.stored")
            done = first - 1 + len(part.pages)
            jobs.stepped(job_id, pages_done=done, pages_total=part.pages_total)
            return done + 1, part.pages_total

    @contextmanager
    def _original(self, document: Document, job_id: str) -> Iterator[Path]:
        """The document's file on this machine; who reads it knows its hash only, and the name goes into its errors.

        While its storage is away the job waits, which is no part of the time that reading may take.
        """
        try:
            with self.stores.files.local(document.sha256) as path:
                yield path
        except BlobsUnavailable:
            self.stores.jobs.stage(job_id, Stage.WAITING)
            raise
        except DocumentError as error:
            error.params["name"] = document.name
            raise

    def _check_time(self, seconds: float, name: str) -> None:
        most = self.reading.document_seconds
        if seconds > most:
            raise DocumentTooCostly(name=name, limit=f"{most:.0f} s", setting="MQA_PARSE_DOCUMENT_SECONDS")

    def scanned(self, document_id: str, job_id: str) -> list[int]:
        """Numbers of the pages that OCR is to read; none where it is not installed."""
        document, _ = self.stores.documents.for_work(document_id, job_id)
        pages = self.stores.contents.scanned_pages(document_id) if self.reading.ocr is not None else []
        self.stores.jobs.stepped(job_id)
        if pages:
            log.info("document_needs_ocr", document_id=document_id, pages=document.pages, scanned=len(pages))
        return pages

    def recognise(self, document_id: str, job_id: str, pages: Sequence[int], done: int) -> None:
        """Reads the images of these pages; `done` pages of the document can be read already."""
        with self.turns.of(document_id):
            document, _ = self.stores.documents.for_work(document_id, job_id)
            if self.reading.ocr is None:  # not installed any more since the step before
                return
            jobs = self.stores.jobs
            progress = _Throttled(lambda read, _total: jobs.progress(job_id, pages_done=done + read))
            with self._original(document, job_id) as path:
                jobs.stage(job_id, Stage.RECOGNISING, done)
                failpoint("recognise.begin")
                found = self.reading.ocr.recognise(path, pages, self.reading.ocr_limits, progress)
            failpoint("recognise.read")
            self.stores.contents.put_recognised(document_id, map(_read_page, found))
            jobs.stepped(job_id, pages_done=done + len(pages))

    def settle(self, document_id: str, job_id: str) -> None:
        """Ends the reading: running heads of OCR pages go, and a document without any text is refused."""
        with self.turns.of(document_id):
            document, _ = self.stores.documents.for_work(document_id, job_id)
            contents = self.stores.contents
            recognised = contents.recognised_texts(document_id)
            cleaned = without_running_lines(list(recognised.values()))
            contents.put_texts(document_id, dict(zip(recognised, cleaned, strict=True)))
            failpoint("settle.cleaned")
            contents.count_unread(document_id)
            parsed = contents.parsed(document_id)
            try:
                require_text((page.text for page in parsed.pages), scanned=bool(contents.scanned_pages(document_id)))
            except DocumentError as error:
                error.params["name"] = document.name
                raise
            self.stores.jobs.stepped(job_id, pages_done=len(parsed.pages), pages_total=len(parsed.pages))

    # --- from pages to the index --------------------------------------------------------------------------------------

    def chunk(self, document_id: str, job_id: str) -> tuple[str, int]:
        """Cuts the pages into chunks for the live generation; returns its index id and how many chunks."""
        with self.turns.of(document_id):
            document, generation = self.stores.documents.for_work(document_id, job_id)
            self.stores.jobs.stage(job_id, Stage.CHUNKING)
            failpoint("chunk.begin")
            with self.indexing.at_hand(job_id):
                count = self.indexing.chunk(document, generation)
            failpoint("chunk.stored")
            self.stores.jobs.stepped(job_id, chunks_done=0, chunks_total=count)
            return generation.index_id, count

    def embed(self, document_id: str, job_id: str, index_id: str, window: int) -> None:
        """Embeds and stores the vectors of one window of chunks; they are not searchable yet."""
        with self.turns.of(document_id):
            document, generation = self.stores.documents.for_work(document_id, job_id)
            if generation.index_id != index_id:  # another one is live now; `publish` says so
                return
            self.stores.jobs.stage(job_id, Stage.EMBEDDING, window * WINDOW)
            failpoint("embed.begin")
            with self.indexing.at_hand(job_id):
                done = self.indexing.embed(document, generation, window)
            failpoint("embed.stored")
            self.stores.jobs.stepped(job_id, chunks_done=done)

    def publish(self, document_id: str, job_id: str, index_id: str) -> Published:
        """Writes the keyword entries in one commit, then makes the document searchable in one step."""
        with self.turns.of(document_id):
            document, generation = self.stores.documents.for_work(document_id, job_id)
            if generation.index_id != index_id:
                return Published(done=False)
            self.stores.jobs.stage(job_id, Stage.PUBLISHING)
            failpoint("publish.begin")
            with self.indexing.at_hand(job_id):
                chunks = self.indexing.write_keywords(document, generation)
            failpoint("publish.written")
            published = self.stores.documents.publish(document_id, job_id, index_id, chunks)
            failpoint("publish.done")
        if published.done:
            log.info("document_ready", document_id=document_id, chunks=chunks, replaced=len(published.hidden))
        return published

    # --- where it ends badly ------------------------------------------------------------------------------------------

    def fail(self, document_id: str, job_id: str, error: ManualqaError) -> None:
        """Records why the document stops here."""
        self.stores.documents.fail(document_id, job_id, error.code(), error.stored_params())
        log.warning("document_failed", document_id=document_id, error=error.code(), detail=error.detail)

    def unexpected(self, document_id: str, job_id: str) -> None:
        """Records a fault that is not the file's; the traceback is in the log."""
        self.fail(document_id, job_id, IngestFailed(name=self.stores.documents.name(document_id)))

    def clear(self, document_id: str) -> None:
        """Removes what a failed or cancelled document has left; its row and its file stay, to be tried again."""
        with self.turns.of(document_id):
            if self.stores.documents.is_stopped(document_id):
                failpoint("clear.begin")
                self.indexing.remove(document_id, self.stores.documents.index_ids(document_id))
                self.stores.contents.clear(document_id)
                failpoint("clear.done")


def _read_page(page: RecognisedPage) -> ReadPage:
    return ReadPage(page.number, page.text, tuple((line.text, *line.box) for line in page.lines))


class _Throttled:
    """Passes on a progress call at most every `PROGRESS_SECONDS`."""

    def __init__(self, write: Callable[[int, int], None]) -> None:
        self._write = write
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._last >= PROGRESS_SECONDS:
            self._last = time.monotonic()
            self._write(done, total)
