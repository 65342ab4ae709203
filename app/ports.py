"""The seams of manualqa: small protocols, each with the law that every implementation passes in `tests/contract`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from app.types import Chunk, Heading, Page

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with (pages done, pages in total); must be cheap and must not raise."""


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one call of a parser may cost; beyond any of these it raises `DocumentTooCostly` or `TooManyPages`.

    `pages` and `characters` bound the document, `window` the pages of one call, `seconds` one call and `page_seconds`
    the wait for any one page.
    """

    seconds: float
    memory_mb: int
    pages: int
    characters: int
    page_seconds: float = 15.0
    window: int = 200


@dataclass(frozen=True, slots=True)
class Part:
    """Pages in order that one call read, of `pages_total`; title and outline come with the first page.

    `scanned` are the numbers of pages on which there is something to see, but no text layer that can be used (none,
    or a garbled one, whose text is left out); `hidden` those of pages that have words which no reader sees, and which
    were left out.
    """

    pages: tuple[Page, ...]
    pages_total: int
    scanned: frozenset[int] = frozenset()
    outline: tuple[Heading, ...] = ()
    title: str | None = None
    parser: str = ""
    hidden: frozenset[int] = frozenset()


class Parser(Protocol):
    """Turns one file into pages, window by window, so that a killed server goes on after the last one.

    Law: the same bytes give the same pages; nothing is written outside a temporary folder. `read` gives the pages from
    `first` (1-based) on, one window or all that are left, at least one; whatever the bytes are, it returns or raises
    `NoText`, `Unreadable`, `Encrypted`, `DocumentTooCostly`, `TooManyPages` or `EmptyFile`, never another exception.
    """

    def read(self, path: Path, limits: ParseLimits, first: int, progress: Progress) -> Part: ...


@dataclass(frozen=True, slots=True)
class OcrLimits:
    """What OCR may cost: `pixels` of a rendered page, seconds for a page, memory of the child process.

    Lines below `least_confidence` (0..1) are left out.
    """

    pixels: int
    page_seconds: float
    memory_mb: int
    least_confidence: float = 0.5


@dataclass(frozen=True, slots=True)
class RecognisedLine:
    """A line that OCR has read; `box` is (left, top, right, bottom) in fractions of the page's width and height."""

    text: str
    box: tuple[float, float, float, float]
    confidence: float


@dataclass(frozen=True, slots=True)
class RecognisedPage:
    """What OCR has read of a page, in reading order; no text where the page could not be read."""

    number: int
    text: str
    lines: tuple[RecognisedLine, ...]


class PageReader(Protocol):
    """Reads the images of pages.

    Law: one result for each page asked for, in that order; a page that cannot be read has no text, and the others go
    on. Raises `OcrUnavailable` where nothing can be read now.
    """

    def recognise(
        self, path: Path, pages: Sequence[int], limits: OcrLimits, progress: Progress
    ) -> list[RecognisedPage]: ...


@dataclass(frozen=True, slots=True)
class Blob:
    """An original as its store lists it; `age_seconds` since it was put, or put again."""

    sha256: str
    bytes: int
    age_seconds: float


class BlobStore(Protocol):
    """Originals of documents by the SHA-256 of their bytes, in a place that other processes see too.

    Law: a blob is there whole or not at all, whatever is killed meanwhile; the same bytes twice are one blob. `stage`
    does beforehand what takes long in `keep` of the same source, which it leaves where it is; what was staged may be
    there already. When `keep` returns, the blob is durable, and the source, which must be whole, is the store's.
    `local` gives a path that can be read, by other processes too, until its block ends or the blob is deleted; bytes
    that came over a network have this hash, or it is `BlobDamaged`; where there is no such blob it is
    `FileNotFoundError`. `digest` is the hash of what is stored, read piece by piece; None where there is no such blob.
    Deleting what is absent does nothing. `all` names every blob, and nothing else that may lie beside. `check` raises
    `BlobStoreUnusable` where the storage refuses us. Anything else that goes wrong there is `BlobsUnavailable`; what is
    no SHA-256 is a ValueError.
    """

    def stage(self, sha256: str, source: Path) -> None: ...

    def keep(self, sha256: str, source: Path) -> None: ...

    def local(self, sha256: str) -> AbstractContextManager[Path]: ...

    def digest(self, sha256: str) -> str | None: ...

    def delete(self, sha256: str) -> None: ...

    def all(self) -> Iterable[Blob]: ...

    def check(self) -> None: ...


class Embedder(Protocol):
    """Turns text into vectors of unit length.

    Law: `embed_*` keep the order, return shape (len(texts), dimensions) float32 rows of Euclidean length 1, and give
    the same vector for the same text up to a cosine of 0.999; an empty list gives shape (0, dimensions). Raises
    `EmbedderUnavailable`.
    """

    @property
    def fingerprint(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def max_tokens(self) -> int: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...

    def embed_queries(self, texts: Sequence[str]) -> Vectors: ...

    def embed_passages(self, texts: Sequence[str]) -> Vectors: ...


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What the indexes get of a chunk: its id, its document and the text to be found (heading path included)."""

    chunk_id: str
    document_id: str
    text: str


class VectorStore(Protocol):
    """Vectors by chunk id, one closed collection per index id (an id of ours, never a user's text).

    Law: `upsert` of the same id replaces it; a returned call is durable; `search` returns (chunk id, cosine) pairs
    best first; `cosines` gives the exact cosine for each id that is there; a missing index is empty; deletes of
    absent ids do nothing; `indexes` names all that were written to and not dropped; `vectors` gives those of the asked
    ids that are there, in the order asked, and their vectors as they were written (the same up to 1e-4 in each number).
    Raises `IndexUnavailable`.
    """

    def upsert(self, index_id: str, chunk_ids: Sequence[str], vectors: Vectors) -> None: ...

    def vectors(self, index_id: str, chunk_ids: Sequence[str]) -> tuple[list[str], Vectors]: ...

    def search(self, index_id: str, vector: Vectors, limit: int) -> list[tuple[str, float]]: ...

    def cosines(self, index_id: str, chunk_ids: Sequence[str], vector: Vectors) -> dict[str, float]: ...

    def delete(self, index_id: str, chunk_ids: Sequence[str]) -> None: ...

    def drop(self, index_id: str) -> None: ...

    def ids(self, index_id: str) -> set[str]: ...

    def indexes(self) -> set[str]: ...

    def close(self) -> None: ...


class KeywordIndex(Protocol):
    """BM25 over our own tokens, one closed index per index id.

    Law: `replace_document` puts exactly these entries in place of all that the document had before, in one commit,
    durable when it returns; `search` returns (chunk id, BM25 score) pairs, best first, ties by chunk id; a missing
    index is empty; deletes of absent ids do nothing; `indexes` names all that were written to and not dropped.
    Raises `IndexUnavailable`.
    """

    def replace_document(self, index_id: str, document_id: str, entries: Sequence[IndexEntry]) -> None: ...

    def search(self, index_id: str, question: str, limit: int) -> list[tuple[str, float]]: ...

    def delete_document(self, index_id: str, document_id: str) -> None: ...

    def delete(self, index_id: str, chunk_ids: Sequence[str]) -> None: ...

    def drop(self, index_id: str) -> None: ...

    def ids(self, index_id: str) -> set[str]: ...

    def indexes(self) -> set[str]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a completion cost; the last thing a stream yields, where the server tells."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Odds:
    """Tokens that could have stood at this place of a completion, with their probabilities."""

    tokens: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """State of the language model: `ready` answers now, `starting` soon, `down` does not."""

    state: Literal["ready", "starting", "down", "off"]
    model: str
    detail: str | None = None


class LanguageModel(Protocol):
    """A chat model behind an OpenAI-compatible endpoint.

    Law: `stream` yields pieces of text in order, then at most one `Usage`; before a piece may come the `Odds` of the
    token it begins with, for the first tokens and where the server tells; closing the iterator ends the upstream
    request; whatever goes wrong is `ModelUnavailable` (nothing came yet, or it broke off midway) or `ModelBusy`.
    With `adapter`, an adapter's id, that adapter writes, else the base model alone, whatever is hosted beside it;
    where it is not hosted nothing comes but `AdapterNotHosted`.
    """

    @property
    def name(self) -> str: ...

    def stream(
        self, messages: Sequence[Message], max_tokens: int, adapter: str | None = None
    ) -> AsyncGenerator[str | Odds | Usage]: ...

    async def status(self) -> ModelStatus: ...

    async def close(self) -> None: ...


class ChunkReader(Protocol):
    """The catalogue as search sees it.

    Law: returns only chunks of this generation of this knowledge base whose document is `READY` at the moment of the
    call, whatever an index said; unknown ids are left out; values are (chunk, display name of its document).
    """

    def visible_chunks(
        self, knowledge_base_id: str, index_id: str, chunk_ids: Sequence[str]
    ) -> dict[str, tuple[Chunk, str]]: ...
