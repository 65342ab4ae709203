"""From hits to a checked answer; an extract where the model is away; a refusal where nothing holds."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import structlog
from anyio import to_thread

from app import tracing
from app.errors import AdapterNotHosted, ModelBusy, ModelUnavailable
from app.generate.context import Passage, select_passages
from app.generate.events import AnswerEvent, DoneEvent, SourcesEvent, TokenEvent
from app.generate.extractive import extract
from app.generate.grounding import Grounding, GroundingRules, ground
from app.generate.prompt import constant_messages, grounded_messages
from app.generate.reply import Reply
from app.generate.screen import Screen
from app.generate.terms import missing_names
from app.generate.wording import UNSHOWN, refusal_text
from app.ports import Embedder, LanguageModel, Message, Odds, Usage
from app.types import Answer, Hit, Language, PromptKind, RefusalReason, SearchResult, Sentence, Timings, Tuning

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """What one answer may cost (tokens of passages in the prompt, tokens written) and how sure it must be.

    `most_doubt` is the greatest probability of "no quote" at the quote's beginning with which an answer is still
    given, `most_doubt_strange` the same where the question names something that no passage mentions; up to `no_doubt`
    the model counts as sure. Measured on
    labelled manuals with the default model (docs/quality.md): lower limits refused right answers and hardly an invented
    one. A model of another make has other odds; `eval calibrate` finds its limits.
    """

    context_tokens: int
    max_answer_tokens: int
    most_doubt: float = 0.5
    most_doubt_strange: float = 0.3
    no_doubt: float = 0.05
    rules: GroundingRules = field(default_factory=GroundingRules)

    def tuning(self) -> Tuning:
        """The limits of doubt, as the last in line."""
        return Tuning(most_doubt=self.most_doubt, most_doubt_strange=self.most_doubt_strange)


@dataclass(frozen=True, slots=True)
class Author:
    """What writes an answer: the model alone, or with an adapter, asked as that was trained.

    `context_tokens` None takes those of `AnswerLimits`. `promotion` is what chose it for the asker; then the model
    alone stands in where the adapter is not hosted at that moment, asked with `stand_in`.
    """

    adapter: str | None = None
    prompt: PromptKind = PromptKind.FULL
    context_tokens: int | None = None
    promotion: str | None = None
    stand_in: Tuning | None = None


class Answerer:
    """Writes answers with a language model. Safe to share between requests; keeps nothing of them."""

    def __init__(self, model: LanguageModel, embedder: Embedder | None, limits: AnswerLimits) -> None:
        self.model = model
        self._embedder = embedder
        self.limits = limits

    async def warm(self, language: Language) -> None:
        """Have the server read the constant part of the prompt, so that the first question need not wait for it.

        Raises `ModelUnavailable` or `ModelBusy`; nothing is lost then but the head start.
        """
        prompt = [*constant_messages(language), Message("user", "-")]
        async with aclosing(self.model.stream(prompt, 1)) as pieces:
            async for _ in pieces:
                pass

    async def answer(
        self, question: str, language: Language, result: SearchResult, *, has_documents: bool = True
    ) -> Answer:
        """The checked answer alone; see `stream`."""
        async with aclosing(self.stream(question, language, result, has_documents=has_documents)) as events:
            async for event in events:
                if isinstance(event, DoneEvent):
                    return event.answer
        raise ModelUnavailable(reason="the answer broke off")

    async def stream(
        self,
        question: str,
        language: Language,
        result: SearchResult,
        *,
        has_documents: bool = True,
        keep_doubtful: bool = False,
        tuning: Tuning | None = None,
        author: Author | None = None,
    ) -> AsyncGenerator[AnswerEvent]:
        """`SourcesEvent` once, `TokenEvent`s while the model writes, `DoneEvent` once; raises nothing of the model's.

        Without hits nothing is asked of the model; `has_documents` False says that there was nothing to search.
        `keep_doubtful` gives an answer also where the model's doubt would make it a refusal; the limits of doubt in
        `tuning` win over those of `AnswerLimits`. Raises `AdapterNotHosted` where the asker chose an adapter that is
        away.
        Closing the iterator ends the model's request.
        """
        draft = _Draft(
            question,
            language,
            time.monotonic() - result.seconds,
            keep_doubtful,
            (tuning or Tuning()).over(self.limits.tuning()),
            author or Author(),
        )
        draft.hits = result.hits
        draft.sources_at = draft.elapsed()
        yield SourcesEvent(result)
        if not result.hits:
            reason = RefusalReason.BELOW_THRESHOLD if has_documents else RefusalReason.NO_DOCUMENTS
            yield DoneEvent(draft.refused(reason))
            return
        try:
            async with aclosing(self._tokens(draft, result)) as tokens:
                async for text in tokens:
                    yield TokenEvent(text)
        except (ModelUnavailable, ModelBusy) as error:
            log.warning("answer_degraded", reason=error.code(), detail=error.detail)
            yield DoneEvent(await self._extracted(draft, draft.passages, error.message(language)))
            return
        yield DoneEvent(await self._checked(draft))

    async def _tokens(self, draft: _Draft, result: SearchResult) -> AsyncGenerator[str]:
        """What may be shown as it comes, of the model alone where a promotion's adapter is not there."""
        words = "\n".join((draft.question, *result.also))
        while True:
            most = draft.author.context_tokens or self.limits.context_tokens
            with tracing.within("prompt") as span:
                await to_thread.run_sync(draft.select, words, most)
                span.note(passages=len(draft.passages))
            try:
                async with aclosing(self._written(draft)) as tokens:
                    async for text in tokens:
                        yield text
            except AdapterNotHosted:
                if draft.author.promotion is None or draft.author.adapter is None:
                    raise
                log.warning("promoted_adapter_away", adapter_id=draft.author.adapter)
                draft.stand_in(self.limits)
            else:
                return

    async def _written(self, draft: _Draft) -> AsyncGenerator[str]:
        """What may be shown of the model's text as it comes; ends early once it is settled that it refuses."""
        reply, author = draft.reply, draft.author
        draft.model = self.model.name
        messages = grounded_messages(draft.question, draft.passages, draft.language, author.prompt)
        weighed = False
        screen = draft.screen
        stream = self.model.stream(messages, self.limits.max_answer_tokens, author.adapter)
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                if isinstance(piece, Usage):
                    draft.usage = piece
                    continue
                if isinstance(piece, Odds):
                    reply.weigh(piece)
                    continue
                shown = screen.read(reply.read(piece))
                if reply.begun and not weighed:
                    weighed = True
                    if self._doubtful(draft):
                        return
                if reply.surely_refused or reply.is_lost:
                    return
                if shown:
                    draft.first_token_at = draft.first_token_at or draft.elapsed()
                    yield shown
        if rest := screen.read(reply.end()) + screen.end():
            yield rest

    async def _checked(self, draft: _Draft) -> Answer:
        reply = draft.reply
        if reply.refused or self._doubtful(draft):
            return draft.refused(RefusalReason.NOT_IN_MANUALS)
        with tracing.within("check") as span:
            grounding = await to_thread.run_sync(self._grounded, draft)
            span.note(sentences=len(grounding.sentences), withheld=len(grounding.withheld))
        if not grounding.citations:
            return draft.refused(RefusalReason.NOT_GROUNDED, withheld=grounding.withheld)
        if self._doubtful(draft):
            return draft.refused(RefusalReason.NOT_IN_MANUALS)
        return draft.generated(grounding)

    def _grounded(self, draft: _Draft) -> Grounding:
        """The checked sentences; the draft is strange where what they cite is. CPU-bound."""
        reply = draft.reply
        sure = reply.written != "" and reply.doubt <= self.limits.no_doubt
        found = ground(
            draft.question, reply.answer, draft.passages, reply.quote, self._embedder, self.limits.rules, sure=sure
        )
        grounding = _screened(found, draft.screen, draft.language)
        documents = {citation.document_id for citation in grounding.citations}
        cited = [p for p in draft.passages if p.best.chunk.document_id in documents]
        if cited:
            draft.note_names(cited)
        return grounding

    def _doubtful(self, draft: _Draft) -> bool:
        """Whether the model came too near to not quoting for an answer from the passages; see `AnswerLimits`.

        An answer behind "no quote" is left to the check where the passages speak of all that the question names: small
        models write it where they know the answer but not the sentence.
        """
        limits = draft.tuning
        if draft.keep_doubtful or draft.reply.doubt <= (limits.most_doubt_strange or 0.0):
            return False
        if draft.strange:
            return True
        return draft.reply.doubt > (limits.most_doubt or 0.0) and not draft.reply.gave_no_quote

    async def _extracted(self, draft: _Draft, passages: Sequence[Passage], why: str) -> Answer:
        sentences = await to_thread.run_sync(extract, draft.question, passages, self._embedder)
        if not sentences:
            return replace(draft.refused(RefusalReason.NOT_GROUNDED), degraded=why)
        citations = tuple(dict.fromkeys(c for sentence in sentences for c in sentence.citations))
        text = "\n".join(sentence.text for sentence in sentences)
        return Answer(
            draft.question,
            draft.language,
            text,
            "extractive",
            sentences,
            citations,
            refused=False,
            degraded=why,
            timings=draft.timings(),
        )


@dataclass(slots=True)
class _Draft:
    """What is known of one answer while it is being written."""

    question: str
    language: Language
    started: float
    keep_doubtful: bool = False
    tuning: Tuning = field(default_factory=Tuning)
    author: Author = field(default_factory=Author)
    hits: Sequence[Hit] = ()
    passages: Sequence[Passage] = ()
    screen: Screen = field(default_factory=lambda: Screen("", ()))
    strange: bool | None = None
    sources_at: float = 0.0
    first_token_at: float | None = None
    reply: Reply = field(default_factory=Reply)
    model: str | None = None
    usage: Usage | None = None

    def select(self, words: str, most_tokens: int) -> None:
        """The passages that the model gets, and what is told of them and screened by them. CPU-bound."""
        self.passages = select_passages(words, self.hits, most_tokens)
        self.screen = Screen(self.question, self.hits)
        self.note_names(self.passages)

    def note_names(self, passages: Sequence[Passage]) -> None:
        """It is strange where the question names what these passages never mention."""
        self.strange = bool(missing_names(self.question, passages, self.language))

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def stand_in(self, limits: AnswerLimits) -> None:
        """The model alone writes it, since the adapter is away; the promotion does not get it counted."""
        self.tuning = (self.author.stand_in or Tuning()).over(limits.tuning())
        self.author, self.reply = Author(), Reply()

    @property
    def doubt(self) -> float | None:
        """What the reply tells of the model's doubt, once there is one."""
        return self.reply.doubt if self.reply.written else None

    @property
    def quoted(self) -> bool | None:
        """Whether the model gave words of a passage to answer from, once it has written."""
        return not self.reply.gave_no_quote if self.reply.written else None

    def timings(self) -> Timings:
        return Timings(self.sources_at, self.first_token_at, self.elapsed())

    def refused(self, reason: RefusalReason, withheld: tuple[str, ...] = ()) -> Answer:
        return Answer(
            self.question,
            self.language,
            refusal_text(reason, self.language),
            "refused",
            (),
            (),
            refused=True,
            reason=reason,
            model=self.model,
            adapter=self.author.adapter if self.model else None,
            promotion=self.author.promotion if self.model else None,
            withheld=withheld,
            prompt_tokens=self.usage.prompt_tokens if self.usage else None,
            completion_tokens=self.usage.completion_tokens if self.usage else None,
            doubt=self.doubt,
            strange=self.strange,
            quoted=self.quoted,
            timings=self.timings(),
        )

    def generated(self, grounding: Grounding) -> Answer:
        shown = [sentence for sentence in grounding.sentences if sentence.grounded]
        return Answer(
            self.question,
            self.language,
            _joined(self.reply.answer, [sentence.text for sentence in shown]),
            "generated",
            grounding.sentences,
            grounding.citations,
            refused=False,
            model=self.model,
            adapter=self.author.adapter if self.model else None,
            promotion=self.author.promotion if self.model else None,
            withheld=grounding.withheld,
            prompt_tokens=self.usage.prompt_tokens if self.usage else None,
            completion_tokens=self.usage.completion_tokens if self.usage else None,
            doubt=self.doubt,
            strange=self.strange,
            quoted=self.quoted,
            timings=self.timings(),
        )


def _screened(grounding: Grounding, screen: Screen, language: Language) -> Grounding:
    """The same without what no answer shows; not even as withheld. A fault that only the whole has takes all."""
    sentences = [s if screen.allows(s.text) else _unshown(language) for s in grounding.sentences]
    if not screen.allows("\n".join(sentence.text for sentence in sentences)):
        sentences = [_unshown(language)] * len(sentences)
    cited = dict.fromkeys(c for sentence in sentences if sentence.grounded for c in sentence.citations)
    return Grounding(tuple(sentences), tuple(cited))


def _unshown(language: Language) -> Sentence:
    reason = "it holds an address, markup or rules that the manuals do not have"
    return Sentence(UNSHOWN[language], (), grounded=False, reason=reason)


def _joined(written: str, shown: Sequence[str]) -> str:
    """The shown sentences with the line breaks and blanks that the model put between them."""
    parts: list[str] = []
    place = 0
    for text in shown:
        found = written.find(text, place)
        between = written[place:found] if parts else ""
        parts.append("\n" if "\n" in between else " " if between[-1:].isspace() else "")
        parts.append(text)
        place = found + len(text)
    return "".join(parts).strip()
