"""The nouns that every part of manualqa shares: pages, chunks, hits, citations, answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Language = Literal["zh", "en"]


class DocumentState(StrEnum):
    """Where a document is on its way; it is searchable in `READY` and in no other state."""

    QUEUED = "queued"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETING = "deleting"


class JobKind(StrEnum):
    """What a job works on: one document, or a new generation of a knowledge base's index."""

    INGEST = "ingest"
    REBUILD = "rebuild"


class JobState(StrEnum):
    """Where a job is on its way; it has ended in the last three."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AdapterState(StrEnum):
    """How far an adapter has come: made, found whole and harmless, proved and put to use, put away for good."""

    TRAINED = "trained"
    CHECKED = "checked"
    PROMOTED = "promoted"
    RETIRED = "retired"


class TrainingStage(StrEnum):
    """How far a training of an adapter has come; what is behind it is not done again."""

    WAITING = "waiting"
    PREPARING = "preparing"
    TRAINING = "training"
    REGISTERING = "registering"
    DONE = "done"


class PromptKind(StrEnum):
    """What a model reads before the passages: `SHORT` leaves out the examples, whose manner an adapter has learned."""

    FULL = "full"
    SHORT = "short"


class GenerationState(StrEnum):
    """A knowledge base has one `LIVE` generation, which is searched, and at most one `BUILDING`."""

    BUILDING = "building"
    LIVE = "live"
    RETIRED = "retired"


class Stage(StrEnum):
    """What a job is doing."""

    WAITING = "waiting"
    PARSING = "parsing"
    RECOGNISING = "recognising"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    PUBLISHING = "publishing"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its 1-based number as a PDF viewer shows it, and its cleaned text."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Heading:
    """One outline entry: `level` starts at 1, `page` is 1-based.

    `offset` is the place of the heading in its page's text in characters, or None where only the page is known.
    """

    level: int
    title: str
    page: int
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a parser hands on: at least one page, in order, and the outline, in reading order (may be empty)."""

    pages: tuple[Page, ...]
    outline: tuple[Heading, ...] = ()
    title: str | None = None
    parser: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A slice of a document's text.

    The text of a document is its pages' texts joined by "\\n"; `start` is where this chunk begins in it, in
    characters, and `text` is exactly that slice. `page_starts` holds (offset in `text`, page number) pairs, the first
    always at offset 0; a chunk on one page has one pair. `table_header` is the first row of the table inside which the
    chunk begins (its cells apart by tabs), where that row is not in the chunk itself.
    """

    id: str
    document_id: str
    ordinal: int
    text: str
    start: int
    page_starts: tuple[tuple[int, int], ...]
    heading_path: tuple[str, ...] = ()
    table_header: str = ""

    @property
    def page_start(self) -> int:
        return self.page_starts[0][1]

    @property
    def page_end(self) -> int:
        return self.page_starts[-1][1]

    def page_at(self, offset: int) -> int:
        """The page that holds the character at `offset` of `text`."""
        page = self.page_start
        for start, number in self.page_starts:
            if start > offset:
                break
            page = number
        return page


@dataclass(frozen=True, slots=True)
class Scores:
    """Why a hit stands where it stands.

    `cosine` is the similarity of the question and the chunk (-1..1) and the one quantity the threshold is about;
    `bm25` and the ranks (1-based) are None where that side did not find the chunk; `fused` orders the hits and has no
    other meaning.
    """

    cosine: float
    fused: float
    rank: int
    bm25: float | None = None
    bm25_rank: int | None = None
    vector_rank: int | None = None
    passed: bool = True


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that answers a question, with its document's display name and its scores."""

    chunk: Chunk
    document_name: str
    scores: Scores


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`hits` passed the threshold, best first; `rejected` are the nearest that did not (for the refusal's reader).

    `also` are the other wordings that were searched with, such as the question in the manuals' language.
    """

    hits: tuple[Hit, ...]
    rejected: tuple[Hit, ...]
    threshold: float
    seconds: float
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuning:
    """The values that decide what is found and when an answer is refused; None leaves the choice to the next in line.

    `threshold` is the least cosine of a passage, `keyword_weight` the keyword side's share of the fused score (0..1).
    `most_doubt` is the greatest doubt (0..1) with which a model's answer still stands, `most_doubt_strange` the same
    where the question names something that no passage mentions.
    """

    threshold: float | None = None
    keyword_weight: float | None = None
    most_doubt: float | None = None
    most_doubt_strange: float | None = None

    def over(self, fallback: Tuning) -> Tuning:
        """These values, and those of `fallback` where there is none."""
        return Tuning(
            fallback.threshold if self.threshold is None else self.threshold,
            fallback.keyword_weight if self.keyword_weight is None else self.keyword_weight,
            fallback.most_doubt if self.most_doubt is None else self.most_doubt,
            fallback.most_doubt_strange if self.most_doubt_strange is None else self.most_doubt_strange,
        )


@dataclass(frozen=True, slots=True)
class Citation:
    """Proof of a sentence: `quote` is the exact text on page `page` (1-based) of the document."""

    document_id: str
    document_name: str
    chunk_id: str
    page: int
    quote: str
    cosine: float | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer with the citations that carry it; `grounded` is False where nothing does."""

    text: str
    citations: tuple[Citation, ...]
    grounded: bool
    reason: str | None = None


class Channel(StrEnum):
    """The way a question came in."""

    API = "api"
    BATCH = "batch"
    CONVERSATION = "conversation"
    OPENAI = "openai"


class CallOutcome(StrEnum):
    """What a question got: an answer, an extract since the model was away, a refusal, an error, or nothing, since the
    asker had left."""

    ANSWERED = "answered"
    EXTRACTED = "extracted"
    REFUSED = "refused"
    FAILED = "failed"
    LEFT = "left"


class Label(StrEnum):
    """What a person says of an answer after looking at its proof: `unsupported` is true perhaps, but not proved."""

    RIGHT = "right"
    WRONG = "wrong"
    UNSUPPORTED = "unsupported"


class DraftKind(StrEnum):
    """What a draft becomes: a question of an evaluation, or a pair that an adapter learns from."""

    QUESTION = "question"
    PAIR = "pair"


class RefusalReason(StrEnum):
    """Why no answer is given; the wording for people is in `app.generate.wording`."""

    NO_DOCUMENTS = "no_documents"
    BELOW_THRESHOLD = "below_threshold"
    NOT_IN_MANUALS = "not_in_manuals"
    NOT_GROUNDED = "not_grounded"


class TurnState(StrEnum):
    """Where a question of a conversation is: being answered, or how that ended."""

    RUNNING = "running"
    ANSWERED = "answered"
    STOPPED = "stopped"
    FAILED = "failed"


AnswerMode = Literal["generated", "extractive", "refused"]


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds since the question came in; None where that moment did not happen."""

    sources: float
    first_token: float | None = None
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The checked answer: the text shown is that of its grounded sentences alone.

    `refused` with `reason` says that the manuals do not answer; `mode` "extractive" says that the model did not write
    this (`degraded` says why). `model` wrote it, with `adapter` where there is one; `promotion` is the id of what
    chose the adapter, or none, for the asker. `call_id` is the id of its record.
    `withheld` are the sentences that the check took out. `doubt` is the
    probability (0..1) that the model gave to "no passage states it", None where nobody told; `strange` says that the
    question names something that no passage shown, or none of a cited document, mentions; `quoted` is False where the
    model answered behind "no quote".
    """

    question: str
    language: Language
    text: str
    mode: AnswerMode
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    refused: bool
    reason: RefusalReason | None = None
    degraded: str | None = None
    model: str | None = None
    adapter: str | None = None
    promotion: str | None = None
    withheld: tuple[str, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    doubt: float | None = None
    strange: bool | None = None
    quoted: bool | None = None
    call_id: str | None = None
    timings: Timings = field(default_factory=lambda: Timings(sources=0.0))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What built an index; two indexes with different fingerprints never answer one query together."""

    embedder: str
    dimensions: int
    chunk_size: int
    chunk_overlap: int
    tokens: str

    def fits(self, running: Fingerprint) -> bool:
        """Whether a server that builds with `running` may search and extend an index built with this.

        Chunk sizes may differ: a knowledge base keeps its own.
        """
        mine, other = (
            (self.embedder, self.dimensions, self.tokens),
            (running.embedder, running.dimensions, running.tokens),
        )
        return mine == other

    def as_dict(self) -> dict[str, str | int]:
        return {
            "embedder": self.embedder,
            "dimensions": self.dimensions,
            "chunk_size": self.chunk_size,
            "chunk_overlap": self.chunk_overlap,
            "tokens": self.tokens,
        }
