"""What an evaluation keeps of each question: what was found, what was answered, how long it took, and nothing judged.

Verdicts are made from records afterwards (`eval.scoring`), so a stored run can be scored again by a better measure.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from eval.question_sets import LabelledQuestion, PageRef

Mode = Literal["answers", "retrieval"]


class _Stored(BaseModel):
    """Kept as JSON; fields that a later version adds have defaults, and unknown ones are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class RunSettings(_Stored):
    """How a question set is put to a knowledge base; None takes the knowledge base's or the server's choice.

    `mode` "retrieval" searches only and asks no model. `answerable` and `unanswerable` are the sizes of a sample drawn
    with `seed` (None: all). `keep_doubtful` keeps answers that the model's doubt would have turned into refusals, which
    calibration needs. `parallel` questions are under way at once. `adapter` is the id of the adapter that is asked, or
    "base" for the model alone; an evaluation that was started without has the one that answered at that moment.
    """

    mode: Mode = "answers"
    answerable: int | None = Field(default=None, ge=0)
    unanswerable: int | None = Field(default=None, ge=0)
    seed: int = 20261123
    limit: int | None = Field(default=None, ge=1, le=50)
    threshold: float | None = Field(default=None, ge=-1, le=1)
    language: Literal["zh", "en"] | None = None
    keep_doubtful: bool = False
    judge: bool = False
    parallel: int = Field(default=1, ge=1, le=16)
    adapter: str | None = Field(default=None, max_length=100)


class FoundPassage(_Stored):
    """A passage as search ranked it (threshold aside), best first; `passed` says whether it reached the threshold."""

    document: str
    page_start: int
    page_end: int
    chunk_id: str
    cosine: float
    bm25: float | None = None
    fused: float = 0.0
    passed: bool = True

    def pages(self) -> list[PageRef]:
        """Its pages in reading order."""
        return [(self.document, page) for page in range(self.page_start, self.page_end + 1)]


class GivenCitation(_Stored):
    """A citation of an answer; `true` is whether the page, read again, holds the quote (None: not checked)."""

    document: str
    page: int
    quote: str
    true: bool | None = None


class GivenSentence(_Stored):
    """A sentence that the model wrote, and whether the grounding check let it pass."""

    text: str
    grounded: bool
    reason: str | None = None


class Judgement(_Stored):
    """What a language model says of an answer beside the accepted ones."""

    right: bool
    reason: str = ""
    model: str = ""


class Record(_Stored):
    """One question of a run and all that came of it. Times are in seconds since the question was put.

    `index` is the question's place in the run. `error` is the code of the error that kept it from an answer, and
    `error_message` its sentence. `doubt` is the model's probability that no passage answers (0..1), None where it gave
    none; `strange` and `quoted` as in the service's `Answer`. `refused` with `reason` as in the service's answers.
    `shown` is how many of `found`, the first, were put before the model (None: all that passed the threshold).
    """

    index: int
    question: LabelledQuestion
    found: tuple[FoundPassage, ...] = ()
    shown: int | None = None
    answer: str = ""
    refused: bool = False
    reason: str | None = None
    mode: str | None = None
    degraded: str | None = None
    sentences: tuple[GivenSentence, ...] = ()
    citations: tuple[GivenCitation, ...] = ()
    withheld: tuple[str, ...] = ()
    model: str | None = None
    adapter: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds_to_sources: float | None = None
    seconds_to_first_token: float | None = None
    seconds: float | None = None
    doubt: float | None = None
    strange: bool | None = None
    quoted: bool | None = None
    threshold: float | None = None
    error: str | None = None
    error_message: str | None = None
    judgement: Judgement | None = None


class Run(_Stored):
    """A run of an evaluation: what was asked of what, and its records in the order of the questions.

    `set_hash` is the sha256 of the questions as read, `fingerprint` that of the index, `versions` of the programs.
    """

    id: str
    name: str
    knowledge_base: str
    question_set: str
    set_hash: str
    settings: RunSettings
    started_at: str
    finished_at: str | None = None
    fingerprint: dict[str, str | int] = Field(default_factory=dict)
    model: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    questions: int
    records: tuple[Record, ...] = ()
