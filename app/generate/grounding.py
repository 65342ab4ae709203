"""The check: each sentence of an answer is tied to sentences of the passages, or it is withheld."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import structlog

from app.errors import EmbedderUnavailable
from app.generate.context import Passage
from app.generate.evidence import Evidence, Weights, citation_of, evidence_of, widened
from app.ports import Embedder
from app.text.language import detect_language
from app.text.quantities import Quantity, missing_quantities, normalised, quantities
from app.text.sentences import split_sentences
from app.text.tokens import index_tokens, query_tokens, telling_words
from app.types import Citation, Sentence

log = structlog.get_logger(__name__)

_LIST_MARK = re.compile(r"^\s*(?:[-–—•●*·]\s*|\(?\d{1,2}[.)、](?!\d)\s*|[（(]\d{1,2}[)）]\s*)")
_VERDICT = re.compile(
    r"^(?:yes|no|是的?|不是|可以|不可以|能|不能|支持|不支持|会|不会)[,，.。;；!！]?\s*", re.IGNORECASE
)
_CODE = re.compile(r"(?<![a-z0-9])([a-z]{1,4})[-\u2010\u2011 ]?(\d{1,4})(?![a-z0-9])")
_FORM = re.compile(r"(?<![\w])[-/.@#$%+\\~]+\w[\w./-]*\w|\w+(?:[/=:\\]+\w+)+")
_NAMED_NUMBER = re.compile(
    r"(?:\b(?:error|fault|alarm|status|code|returns?|returned|returning)|错误|故障|报警|代码|状态码|返回值?|[误障警回]码)"
    r"(?: (?:code|number|value|of|is))*[ :：为是#]*([-+]?\d+)(?![\w.])"
)
"""A number that a question names as a code: "error 17", "returns -2", 错误码 -6."""

_ROW_KEY = re.compile(r"\s*([-+]?\d+)\t")
_ROW_CHARACTERS = 160
"""How far before a sentence the code of its table row is looked for."""

_MOST_QUOTES = 3
_MOST_EMBEDDED = 8
_WORTH_A_QUOTE = 0.25
"""Share of a sentence's words that another quote must add."""

_RELATED = 0.2
"""Share of the words of sentence and question in and around a quote that only brings a number."""

_QUOTED = 0.8
"""Share of a sentence's words in the model's quote from which on it is quoted."""

_SHORT_QUOTE = 30

_SENTENCES_KEPT = 8192
"""Whose codes are kept, the last ones used: what many ask about comes again. About 2 MB."""


@dataclass(frozen=True, slots=True)
class GroundingRules:
    """Where "is said there" begins.

    `coverage`: least share of a sentence's telling words in its quotes; `news` the same of those that the question has
    not. `cosine`: from there on a sentence in another language counts as the same statement. `relevance`: least share
    of the question's telling words in and around the quotes, below which a true sentence answers something else;
    `relevance_sure` the same where the model was sure. The answer's own words do not count: it may say the question
    again around any number. `echo`: share of the question's telling words from which on an answer without any other
    word is only the question again.
    """

    coverage: float = 0.5
    news: float = 0.4
    cosine: float = 0.86
    relevance: float = 0.22
    relevance_sure: float = 0.15
    echo: float = 0.6


@dataclass(frozen=True, slots=True)
class Grounding:
    """The sentences in order, and the citations of the grounded ones, each quote once."""

    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]

    @property
    def withheld(self) -> tuple[str, ...]:
        return tuple(sentence.text for sentence in self.sentences if not sentence.grounded)


def ground(
    question: str,
    answer: str,
    passages: Sequence[Passage],
    quoted: str = "",
    embedder: Embedder | None = None,
    rules: GroundingRules | None = None,
    *,
    sure: bool = False,
) -> Grounding:
    """Check every sentence of `answer`. CPU-bound: with an embedder a few short texts are embedded.

    `quoted` are the words that the model says it started from: a hint where to look, no proof. `sure` says that the
    model had next to no doubt that the passages answer.
    """
    chosen = rules or GroundingRules()
    if sure:
        chosen = replace(chosen, relevance=chosen.relevance_sure)
    check = _Check(question, passages, quoted, embedder, chosen)
    sentences = [check.sentence(text) for text in split_sentences(answer)]
    reason = check.fault_of_all(sentences)
    if reason is not None:
        sentences = [replace(s, grounded=False, reason=s.reason or reason) for s in sentences]
    citations = dict.fromkeys(c for sentence in sentences if sentence.grounded for c in sentence.citations)
    return Grounding(tuple(sentences), tuple(citations))


class _Check:
    """One answer's check: the evidence and its weights are computed once."""

    def __init__(
        self,
        question: str,
        passages: Sequence[Passage],
        quoted: str,
        embedder: Embedder | None,
        rules: GroundingRules,
    ) -> None:
        self._question = question
        self._quoted = telling_words(quoted) if quoted else []
        self._in_quote = frozenset(index_tokens(quoted))
        self._asked = telling_words(question)
        codes = {*_codes(question), *_named_numbers(question)}
        self._evidence = [item for item in evidence_of(passages) if not _is_about_another(codes, item)]
        self._weights = Weights(self._evidence)
        self._embedder = embedder
        self._rules = rules
        self._carried: list[tuple[Sequence[str], Sequence[Evidence]]] = []

    def sentence(self, text: str) -> Sentence:
        """The sentence with its citations, or ungrounded with the reason."""
        said = _VERDICT.sub("", _LIST_MARK.sub("", text))
        facts = quantities(said)
        tokens = _words(said, facts)
        quotes = self._quotes(said, tokens, facts)
        if not quotes:
            return Sentence(text, (), grounded=False, reason="no passage says this")
        sources = [part for quote in quotes for part in (quote.text, quote.around)]
        missing = missing_quantities(said, *sources, self._question)
        citations = tuple(dict.fromkeys(citation_of(_telling(quote)) for quote in quotes))
        if missing:
            return Sentence(text, citations, grounded=False, reason=f"not in the cited text: {missing[0].written}")
        self._carried.append((tokens, quotes))
        return Sentence(text, citations, grounded=True)

    def _quotes(self, said: str, tokens: Sequence[str], facts: Sequence[Quantity]) -> list[Evidence]:
        """The evidence that together says it, best first; empty where nothing does."""
        if not self._evidence:
            return []
        ranked = sorted(self._evidence, key=lambda e: self._score(tokens, facts, e), reverse=True)
        quotes = self._complete(said, tokens, ranked)
        if facts and not tokens:
            return quotes
        if not tokens:  # "Yes.": as true as the passage that the question's own words are in
            best = max(self._evidence, key=lambda e: self._weights.share(self._asked, e.tokens))
            return [best] if self._weights.share(self._asked, best.tokens) >= self._rules.coverage else []
        if self._says(tokens, facts, quotes):
            return quotes
        nearest = self._nearest(said, ranked)
        return [] if nearest is None else self._complete(said, tokens, [nearest, *ranked])

    def _says(self, tokens: Sequence[str], facts: Sequence[Quantity], quotes: Sequence[Evidence]) -> bool:
        """Whether the quotes have enough of a sentence's words, those of the question aside enough of the others.

        What a sentence tells beside the question is its numbers, which are checked by themselves, or else those words:
        with the question's alone, "the Cold setting adds flutter" would be proved by what another setting adds.
        """
        joined = frozenset().union(*(quote.tokens for quote in quotes))
        if not joined & set(tokens) or self._weights.share(tokens, joined | set(self._asked)) < self._rules.coverage:
            return False
        new = [] if facts else [token for token in tokens if token not in self._asked]
        return not new or self._weights.share(new, joined) >= self._rules.news

    def _score(self, tokens: Sequence[str], facts: Sequence[Quantity], evidence: Evidence) -> float:
        covered = self._weights.share(tokens, evidence.tokens)
        asked = self._weights.share(self._asked, evidence.tokens)
        missing = missing_quantities_of(facts, evidence)
        known = 1 - missing / len(facts) if facts else 0.0
        hinted = self._weights.share(self._quoted, evidence.tokens)
        return covered + 0.5 * known + 0.4 * asked + 0.4 * hinted + 0.05 / evidence.hit.scores.rank

    def _complete(self, said: str, tokens: Sequence[str], ranked: Sequence[Evidence]) -> list[Evidence]:
        """The first of `ranked`, and others as long as they bring numbers, codes or many words still missing."""
        quotes = [ranked[0]]
        missing = missing_quantities(said, ranked[0].text, ranked[0].around, self._question)
        for candidate in ranked[1:]:
            if len(quotes) == _MOST_QUOTES:
                break
            sources = [part for quote in [*quotes, candidate] for part in (quote.text, quote.around)]
            still = missing_quantities(said, *sources, self._question)
            there = frozenset().union(*(quote.tokens for quote in quotes))
            covered = self._weights.share(tokens, there)
            gain = self._weights.share(tokens, there | candidate.tokens) - covered
            brings = len(still) < len(missing) and self._related(tokens, candidate)
            if brings or (covered < self._rules.coverage and gain >= _WORTH_A_QUOTE):
                quotes.append(candidate)
                missing = still
        return quotes

    def _related(self, tokens: Sequence[str], candidate: Evidence) -> bool:
        """Whether a sentence that has a missing number speaks of the matter, so that any 8 does not carry every 8.

        A row of a table has few words: it does where the model quoted it and it has any word of the matter.
        """
        wanted = {*tokens, *self._asked}
        if wanted & candidate.tokens and self._weights.share(candidate.tokens, self._in_quote) >= _QUOTED:
            return True
        return self._weights.share(wanted, widened(candidate, 1, 1).tokens) >= _RELATED

    def _nearest(self, said: str, ranked: Sequence[Evidence]) -> Evidence | None:
        """The evidence in another language that means the same by the embedder, if any is near enough.

        In one language a statement shares words with its proof; vectors would take the next row of a table for it.
        """
        language = detect_language(said)
        candidates = [item for item in ranked if detect_language(item.text) != language][:_MOST_EMBEDDED]
        if self._embedder is None or not candidates:
            return None
        try:
            vector = self._embedder.embed_queries([said])[0]
            near = self._embedder.embed_passages([c.text for c in candidates]) @ vector
        except EmbedderUnavailable as error:
            log.warning("grounding_without_embedder", reason=error.detail)
            return None
        best = int(np.argmax(near))
        return candidates[best] if near[best] >= self._rules.cosine else None

    def fault_of_all(self, sentences: Sequence[Sentence]) -> str | None:
        """What is wrong with sentences that are true one by one; None where nothing is."""
        if not self._is_relevant():
            return "the cited text is about something else"
        return "it only repeats the question" if self._is_echo(sentences) else None

    def _is_echo(self, sentences: Sequence[Sentence]) -> bool:
        """Whether the answer says most of the question again and nothing else; "yes" and "no" are something else."""
        shown = [sentence.text for sentence in sentences if sentence.grounded]
        if any(_VERDICT.match(text) or _names_something_new(text, self._question) for text in shown):
            return False
        said = {token for text in shown for token in telling_words(_LIST_MARK.sub("", text))}
        return said <= set(self._asked) and self._weights.share(self._asked, said) >= self._rules.echo

    def _is_relevant(self) -> bool:
        """Whether enough of the question is in and around the quotes; words cannot tell where languages differ."""
        if any(
            detect_language(self._question) != detect_language(q.text) for _, quotes in self._carried for q in quotes
        ):
            return True
        there: set[str] = set()
        for _, quotes in self._carried:
            text = " ".join(part for quote in quotes for part in (widened(quote, 2, 1).text, quote.around))
            there.update(query_tokens(text))
        return self._weights.share(self._asked, there) >= self._rules.relevance


def _names_something_new(text: str, question: str) -> bool:
    """Whether a text has a path, a command or another written form (`/webnet`, `--force`) that the question has not."""
    return any(form not in normalised(question) for form in _FORM.findall(normalised(text)))


@lru_cache(maxsize=_SENTENCES_KEPT)
def _codes(text: str) -> tuple[tuple[str, str], ...]:
    """Codes of a family, such as E-04, PV2 or S11, in order, as (letters, number)."""
    return tuple((letters, number.lstrip("0")) for letters, number in _CODE.findall(normalised(text)))


def _named_numbers(question: str) -> list[tuple[str, str]]:
    """Numbers that are asked for as codes, in the form of `_codes`, without letters."""
    return [("", number.lstrip("+")) for number in _NAMED_NUMBER.findall(normalised(question))]


def _is_about_another(asked: set[tuple[str, str]], evidence: Evidence) -> bool:
    """Whether a sentence is about a sibling of a code that is asked for: E-05 for E-04, the next row of the table.

    It is about the codes that it names itself, and otherwise about the last one shortly before it.
    """
    families = {letters for letters, _ in asked}
    text = evidence.hit.chunk.text
    if "" in families and (key := _ROW_KEY.match(evidence.text)):
        return ("", key.group(1).lstrip("+")) not in asked
    own = [code for code in _codes(text[evidence.start : evidence.end]) if code[0] in families]
    before = _codes(text[max(0, evidence.start - _ROW_CHARACTERS) : evidence.start])
    named = own or [code for code in before if code[0] in families][-1:]
    return bool(named) and not asked.intersection(named)


def _words(said: str, facts: Sequence[Quantity]) -> list[str]:
    """The telling words of a sentence but for its numbers and codes, which are checked by themselves."""
    plain = normalised(said)
    for fact in facts:
        plain = re.sub(rf"(?<![a-z0-9]){re.escape(fact.written)}(?![a-z0-9])", " ", plain)
    return telling_words(plain) if re.search(r"\w", plain) else []


def _telling(quote: Evidence) -> Evidence:
    """A table's cell proves nothing by itself: it is quoted with the line before it."""
    return widened(quote, 1, 0) if len(quote.text) < _SHORT_QUOTE else quote


def missing_quantities_of(facts: Sequence[Quantity], evidence: Evidence) -> int:
    """How many of `facts` are not in the evidence."""
    return len(missing_quantities(" ; ".join(fact.written for fact in facts), evidence.text)) if facts else 0
