"""Pairs into examples: each question searched as a user's, and the reply that the passages shown allow.

Retrieval-augmented fine-tuning (Zhang et al. 2024, RAFT): the passage that proves an answer stands among those that a
search brings beside it, so that reading and refusing are learned and not the manuals by heart.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from anyio import to_thread
from pydantic import BaseModel, ConfigDict, Field

from app.finetune.examples import Example, ExampleKind, stored_messages
from app.finetune.pairs import Pair
from app.finetune.proofs import Proof, find_proof, states_answer
from app.finetune.splitting import SplitBy, split
from app.generate.context import Passage, select_passages
from app.generate.grounding import ground
from app.generate.model_queue import Patience, patience
from app.generate.prompt import REFUSAL, completion, grounded_messages
from app.questions import Question
from app.services import Services
from app.text.fences import as_data
from app.text.language import detect_language
from app.types import DocumentState, Hit, Language, PromptKind, Scores
from eval.question_rows import base_name
from eval.question_sets import canonical

MOST_ANSWER = 300
"""Characters of an answer to be learned; a longer one is a passage, which answers of the service are not."""

_WITHHELD_SHARE, _REFUSED_SHARE = 0.2, 0.25
"""Most of the answerable pairs that become refusals, and of all; an adapter that saw 41% of refusals refused much that
it could have answered (docs/adapters.md)."""

_WIDE = 50
_EVERYTHING = -1.0
_PLACES = 4
"""The proof that search ranked too low is put among so many first hits."""

_MOST_DOCUMENTS = 20_000
_FEWER = (3, 1)
"""Hits that stay beside the proof where the passages have no room for it among all."""

Told = Callable[[int, int], None]


class PrepareChoices(BaseModel):
    """How pairs become examples. `withheld_share` of the answerable ones (0..1) become refusals with the proof taken
    out (None: up to a fifth of them, while refusals are less than a quarter of all); `heldout_share` of all are kept
    to measure with, apart by document or by question (None: as labels allow)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: PromptKind = PromptKind.SHORT
    context_tokens: int = Field(default=300, ge=100, le=16_384)
    withheld_share: float | None = Field(default=None, ge=0, le=0.9)
    heldout_share: float = Field(default=0.15, ge=0, le=0.9)
    split_by: SplitBy | None = None
    seed: int = Field(default=20261123, ge=0, lt=2**32)


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """What became of the pairs. `left_out` counts by the reason those that nothing could be made of, `repeated` those
    that ask what another asks; in `brought` examples search had not shown the proof, which was put in."""

    pairs: int
    train: int
    heldout: int
    left_out: dict[str, int]
    repeated: int
    brought: int
    split_by: SplitBy
    heldout_documents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Examples by side; `questions` are the held-out ones in the lines of a question set, for evaluations."""

    train: tuple[Example, ...]
    heldout: tuple[Example, ...]
    questions: str
    report: PrepareReport


@dataclass(slots=True)
class _Made:
    """What came of one side's pairs so far."""

    examples: list[Example] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    brought: int = 0


async def prepare(
    services: Services,
    knowledge_base_id: str,
    pairs: Sequence[Pair],
    choices: PrepareChoices,
    told: Told = lambda done, total: None,  # noqa: ARG005 - tells nobody
    quiet: Callable[[], Awaitable[object]] | None = None,
) -> Prepared:
    """Examples from the pairs, searched in the knowledge base; the same pairs, index and choices give the same.

    `told` hears (done, total), `quiet` is waited for before each search, so that users go first. Raises what
    `Questions.check_question` and `Questions.search` do.
    """
    maker = await to_thread.run_sync(_Maker, services, knowledge_base_id, choices)
    with patience(Patience.BACKGROUND):
        asked = {
            pair.question.id: await services.questions.worded(Question(knowledge_base_id, pair.question.question))
            for pair in pairs
        }
    nearest = await to_thread.run_sync(maker.nearest_documents, pairs, asked)
    sides = await to_thread.run_sync(split, pairs, choices.heldout_share, choices.seed, choices.split_by, nearest)
    made = (_Made(), _Made())
    total = len(sides.train) + len(sides.heldout)
    done = 0
    for side, own in zip(made, (sides.train, sides.heldout), strict=True):
        withheld = _drawn(own, choices)
        for pair in own:
            if quiet is not None:
                await quiet()
            question, withhold = asked[pair.question.id], pair.question.id in withheld
            await to_thread.run_sync(partial(maker.add, side, pair, question, withhold=withhold))
            done += 1
            told(done, total)
    train, heldout = made
    report = PrepareReport(
        pairs=len(pairs),
        train=len(train.examples),
        heldout=len(heldout.examples),
        left_out=dict(train.left_out + heldout.left_out),
        repeated=sides.repeated,
        brought=train.brought + heldout.brought,
        split_by=sides.by,
        heldout_documents=tuple(sorted({example.document for example in heldout.examples if example.document})),
    )
    questions = canonical([pair.question for pair in heldout.pairs])
    return Prepared(tuple(train.examples), tuple(heldout.examples), questions, report)


def _drawn(pairs: Sequence[Pair], choices: PrepareChoices) -> set[str]:
    """The ids of the answerable pairs whose proof is withheld."""
    ids = [pair.question.id for pair in pairs if pair.question.answerable]
    rng = random.Random(choices.seed)  # noqa: S311 - a sample, no secret
    return set(rng.sample(ids, _withheld_count(len(ids), len(pairs), choices.withheld_share)))


def _withheld_count(answerable: int, pairs: int, share: float | None) -> int:
    """How many proofs are withheld of `answerable` ones among `pairs`."""
    if share is not None:
        return round(share * answerable)
    room = int(_REFUSED_SHARE * pairs) - (pairs - answerable)
    return max(0, min(room, round(_WITHHELD_SHARE * answerable)))


class _Maker:
    """Makes one example after the other from one knowledge base."""

    def __init__(self, services: Services, knowledge_base_id: str, choices: PrepareChoices) -> None:
        self._services = services
        self._base = services.bases.get(knowledge_base_id)
        self._choices = choices
        ready = services.documents.all(knowledge_base_id, _MOST_DOCUMENTS, 0, DocumentState.READY)
        self._documents = {base_name(document.name).casefold(): (document.id, document.name) for document in ready}

    def nearest_documents(self, pairs: Sequence[Pair], asked: Mapping[str, Question]) -> dict[str, str]:
        """For each pair whose label names no document, the document of the first hit."""
        found = {}
        for pair in pairs:
            if pair.document is None and (hits := self._services.questions.search(asked[pair.question.id]).hits):
                found[pair.question.id] = hits[0].document_name
        return found

    def add(self, made: _Made, pair: Pair, question: Question, *, withhold: bool) -> None:
        """The pair's example, or the reason why there is none."""
        hits = self._services.questions.search(question).hits
        if pair.question.answerable:
            outcome = self._withheld(pair, question, hits) if withhold else self._answered(made, pair, question, hits)
        else:
            outcome = self._refused(pair, question, hits, ExampleKind.UNANSWERABLE)
        if isinstance(outcome, Example):
            made.examples.append(outcome)
            made.pairs.append(pair)
        else:
            made.left_out[outcome] += 1

    def _answered(self, made: _Made, pair: Pair, question: Question, hits: Sequence[Hit]) -> Example | str:
        if len(pair.answer) > MOST_ANSWER:
            return "answer_too_long"
        proof = self._proof(pair, question, hits)
        if proof is None:
            return "not_found"
        passages, brought = self._with_proof(question, hits, proof)
        if passages is None:
            return "no_room"
        language = self._language(question.text)
        if not _holds(question.text, pair.answer, passages, proof):
            return "not_grounded"
        made.brought += brought
        text = completion(as_data(proof.quote), pair.answer, language)
        return self._example(pair, passages, text, ExampleKind.ANSWERED, language, proof.hit.document_name)

    def _withheld(self, pair: Pair, question: Question, hits: Sequence[Hit]) -> Example | str:
        """The question with every passage taken out that says an accepted answer."""
        proof = self._proof(pair, question, hits)
        if proof is None:
            return "not_found"
        left = [hit for hit in hits if not states_answer(pair, hit.chunk.text) and not _overlaps(hit, proof)]
        return self._refused(pair, question, _ranked(left), ExampleKind.WITHHELD)

    def _refused(self, pair: Pair, question: Question, hits: Sequence[Hit], kind: ExampleKind) -> Example | str:
        if not hits:
            return "nothing_found"
        language = self._language(question.text)
        passages = self._passages(question, hits)
        text = completion(None, REFUSAL[language], language)
        return self._example(pair, passages, text, kind, language, passages[0].best.document_name)

    def _proof(self, pair: Pair, question: Question, hits: Sequence[Hit]) -> Proof | None:
        """In the hits, in a wider search, and on the labelled pages, whichever has one first."""
        if proof := find_proof(pair, hits):
            return proof
        wide = self._services.questions.search(replace(question, limit=_WIDE, threshold=_EVERYTHING)).hits
        return find_proof(pair, wide) or find_proof(pair, self._labelled(pair))

    def _labelled(self, pair: Pair) -> list[Hit]:
        """The chunks of the labelled pages."""
        found: list[Hit] = []
        for file, page in sorted(pair.question.pages()):
            document_id, name = self._documents.get(base_name(file).casefold(), (None, ""))
            if document_id is None:
                continue
            for chunk in self._services.contents.chunks(document_id, self._base.index_id):
                if chunk.page_start <= page <= chunk.page_end:
                    found.append(Hit(chunk, name, Scores(cosine=0.0, fused=0.0, rank=len(found) + 1)))
        return found

    def _with_proof(
        self, question: Question, hits: Sequence[Hit], proof: Proof
    ) -> tuple[tuple[Passage, ...] | None, bool]:
        """Passages that show the proof, and whether it had to be put among them; None where they have no room."""
        natural = self._passages(question, hits) if hits else ()
        if proof.shown_in(natural):
            return natural, False
        others = [hit for hit in hits if hit.chunk.id != proof.hit.chunk.id]
        rng = random.Random(f"{self._choices.seed} {question.text}")  # noqa: S311 - an order, no secret
        at = rng.randrange(min(_PLACES, len(others) + 1))
        for mixed in (
            [*others[:at], proof.hit, *others[at:]],
            *([proof.hit, *others[: count - 1]] for count in _FEWER),
        ):
            passages = self._passages(question, _ranked(mixed))
            if proof.shown_in(passages):
                return passages, True
        return None, False

    def _passages(self, question: Question, hits: Sequence[Hit]) -> tuple[Passage, ...]:
        """What the service would show the model of these hits."""
        return select_passages("\n".join((question.text, *question.also)), hits, self._choices.context_tokens)

    def _language(self, text: str) -> Language:
        return "zh" if (self._base.settings.language or detect_language(text)) == "zh" else "en"

    def _example(
        self,
        pair: Pair,
        passages: Sequence[Passage],
        text: str,
        kind: ExampleKind,
        language: Language,
        document: str,
    ) -> Example:
        asked = pair.question.question
        return Example(
            id=pair.question.id,
            messages=stored_messages(grounded_messages(asked, passages, language, self._choices.prompt)),
            completion=text,
            kind=kind,
            language=language,
            document=pair.document or document,
            question=asked,
        )


def _holds(question: str, answer: str, passages: Sequence[Passage], proof: Proof) -> bool:
    """Whether the service itself would let the answer stand, where words can tell: not across languages."""
    if detect_language(question) != detect_language(proof.quote):
        return True
    return bool(ground(question, answer, passages, proof.quote, sure=True).citations)


def _overlaps(hit: Hit, proof: Proof) -> bool:
    """Whether a chunk has part of the proof."""
    chunk, start = hit.chunk, proof.evidence.document_start
    end = start + proof.evidence.end - proof.evidence.start
    same = chunk.document_id == proof.hit.chunk.document_id
    return same and chunk.start < end and start < chunk.start + len(chunk.text)


def _ranked(hits: Sequence[Hit]) -> list[Hit]:
    """The hits with the ranks of their places."""
    return [replace(hit, scores=replace(hit.scores, rank=rank)) for rank, hit in enumerate(hits, start=1)]
