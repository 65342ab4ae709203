"""The place of a manual that states an answer: found by the pair's quote, or by the answer's own words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.finetune.pairs import Pair
from app.generate.context import Passage, Window
from app.generate.evidence import Evidence, Weights, evidence_of, widened
from app.text.quoting import Letters, letters_of
from app.text.sentences import sentence_spans
from app.text.tokens import index_tokens, query_tokens
from app.types import Hit
from eval.matching import right_answer
from eval.question_rows import base_name

MOST_QUOTE = 300
"""Characters of a quote to be learned: longer ones cost seconds of every answer."""

_LEAST_ASKED = 0.3
"""Share of the question's telling words in and around a sentence that is no labelled one, for it to be the proof."""

_LEAST_LETTERS = 6


@dataclass(frozen=True, slots=True)
class Proof:
    """The sentences of one chunk that state an answer."""

    evidence: Evidence

    @property
    def hit(self) -> Hit:
        return self.evidence.hit

    @property
    def quote(self) -> str:
        """The words to be copied, on one line."""
        return " ".join(self.evidence.text.split())

    def shown_in(self, passages: Iterable[Passage]) -> bool:
        """Whether one of the passages has it whole."""
        wanted = _letters(self.evidence.text)
        return any(wanted in _letters(passage.text) for passage in passages)


def find_proof(pair: Pair, hits: Sequence[Hit]) -> Proof | None:
    """The best proof in the chunks of `hits`; None where none states the answer.

    A quote is looked for as it stands, letters only. Without one a sentence is the proof that says an accepted answer
    on a labelled page, or speaks of what is asked.
    """
    found = _quoted(pair, hits) if pair.quote else []
    found = found or _stating(pair, hits)
    return Proof(found[0]) if found else None


def states_answer(pair: Pair, text: str) -> bool:
    """Whether any sentence of a text says an accepted answer."""
    return right_answer(text, pair.question) or any(
        right_answer(span.of(text), pair.question) for span in sentence_spans(text)
    )


def _quoted(pair: Pair, hits: Sequence[Hit]) -> list[Evidence]:
    wanted = _letters(pair.quote)
    if len(wanted) < _LEAST_LETTERS:
        return []
    found = [item for hit in hits if (item := _place(wanted, hit)) is not None]
    return sorted(found, key=lambda item: (not _is_labelled(pair, item), item.hit.scores.rank))


def _place(wanted: str, hit: Hit) -> Evidence | None:
    """The whole sentences of a chunk that hold the letters; the wanted part alone where those are too long."""
    text = hit.chunk.text
    letters: Letters = letters_of(text)
    at = letters.text.find(wanted)
    if at < 0:
        return None
    start, end = letters.sources[at], letters.sources[at + len(wanted) - 1] + 1
    spans = [span for span in sentence_spans(text) if span.start < end and span.end > start]
    wide = (min([start, *(span.start for span in spans)]), max([end, *(span.end for span in spans)]))
    if wide[1] - wide[0] <= MOST_QUOTE:
        start, end = wide
    if end - start > MOST_QUOTE:
        return None
    return Evidence(hit, start, end, frozenset(index_tokens(text[start:end])))


def _stating(pair: Pair, hits: Sequence[Hit]) -> list[Evidence]:
    items = [item for item in evidence_of(_whole(hits)) if item.end - item.start <= MOST_QUOTE]
    asked = query_tokens(pair.question.question)
    weights = Weights(items)
    found = []
    for item in items:
        if not right_answer(item.text, pair.question):
            continue
        near = widened(item, 1, 1).tokens | frozenset(query_tokens(item.around))
        share = weights.share(asked, near) + weights.share(asked, item.tokens)
        labelled = _is_labelled(pair, item)
        if labelled or (share >= 2 * _LEAST_ASKED and not pair.question.relevant_pages):
            found.append((not labelled, -share, item.hit.scores.rank, item.start, item))
    return [entry[-1] for entry in sorted(found, key=lambda entry: entry[:-1])]


def _whole(hits: Sequence[Hit]) -> list[Passage]:
    return [Passage(number, (Window(hit, 0, len(hit.chunk.text)),)) for number, hit in enumerate(hits, start=1)]


def _is_labelled(pair: Pair, item: Evidence) -> bool:
    page = item.hit.chunk.page_at(item.start)
    last = item.hit.chunk.page_at(max(item.start, item.end - 1))
    name = base_name(item.hit.document_name).casefold()
    return any(name == base_name(file).casefold() and page <= number <= last for file, number in pair.question.pages())


def _letters(text: str) -> str:
    return letters_of(text).text
