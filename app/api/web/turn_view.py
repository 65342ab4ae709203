"""One turn of a conversation as its template shows it: sentences in blocks, numbered proofs, why it came out so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup

from app.api.conversation_schemas import TurnOut
from app.api.schemas import AnswerOut, CitationOut, HitOut, Reason, SearchOut
from app.api.web.markdown import inline
from app.api.web.words import Words

SNIPPET = 220
"""Characters of a passage on a card; the page itself is a click away."""
NEAREST = 3

_BULLET = re.compile(r"\s*[-–—•●▪*·]\s+")
_NUMBER = re.compile(r"\s*[(（]?(\d{1,2})[.)、）]\s*(?!\d)")

BlockKind = Literal["p", "ul", "ol"]


@dataclass(frozen=True, slots=True)
class Proof:
    """A cited quote with its number in this answer, or a passage without one."""

    document_id: str
    document_name: str
    page: int
    page_end: int
    text: str
    number: int | None = None
    chunk_id: str | None = None


@dataclass(frozen=True, slots=True)
class ShownSentence:
    """Rendered text and the proofs that carry it."""

    html: Markup
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Sentences that stand together: a paragraph, or a list of one item each."""

    kind: BlockKind
    sentences: list[ShownSentence]
    start: int = 1


@dataclass(frozen=True, slots=True)
class TurnView:
    """What the template needs of one turn."""

    id: str
    question: str
    standalone: str | None
    state: str
    answer: AnswerOut | None
    sources: SearchOut | None
    written: str | None
    error: Reason | None
    verdict: str | None
    comment: str | None
    blocks: list[Block] = field(default_factory=list)
    cited: list[Proof] = field(default_factory=list)
    others: list[Proof] = field(default_factory=list)
    nearest: list[HitOut] = field(default_factory=list)

    def copied(self, words: Words) -> str:
        """The answer as plain text with its citations, for the clipboard."""
        lines = []
        for block in self.blocks:
            said = [
                sentence.html.striptags() + "".join(f" [{proof.number}]" for proof in sentence.proofs)
                for sentence in block.sentences
            ]
            lines += [" ".join(said)] if block.kind == "p" else [f"- {text}" for text in said]
        sources = [
            f"[{proof.number}] {proof.document_name}, {words('page', n=proof.page)}: “{' '.join(proof.text.split())}”"
            for proof in self.cited
        ]
        return "\n".join([*lines, "", *sources])


def turn_view(turn: TurnOut) -> TurnView:
    """The turn, made ready to show."""
    answer, sources = turn.answer, turn.sources
    numbered = _numbered(answer.citations) if answer is not None else {}
    hits = sources.hits if sources is not None else []
    cited_pages = {(proof.document_id, proof.page) for proof in numbered.values()}
    return TurnView(
        id=turn.id,
        question=turn.question,
        standalone=turn.standalone if turn.standalone != turn.question else None,
        state=turn.state.value,
        answer=answer,
        sources=sources,
        written=turn.written,
        error=turn.error,
        verdict=None if turn.feedback is None else turn.feedback.verdict,
        comment=None if turn.feedback is None else turn.feedback.comment,
        blocks=[] if answer is None or answer.refused else _blocks(answer, numbered),
        cited=list(dict.fromkeys(numbered.values())),
        others=[passage for passage in map(passage_of, hits) if (passage.document_id, passage.page) not in cited_pages],
        nearest=_nearest(sources),
    )


def passage_of(hit: HitOut) -> Proof:
    """A hit as a card."""
    text = " ".join(hit.chunk.text.split())
    shown = text if len(text) <= SNIPPET else text[:SNIPPET].rstrip() + "…"
    return Proof(
        hit.document_id, hit.document_name, hit.chunk.page_start, hit.chunk.page_end, shown, chunk_id=hit.chunk.id
    )


def _nearest(sources: SearchOut | None) -> list[HitOut]:
    """What a refusal shows: the best of what was found, and of what was not near enough."""
    return [] if sources is None else [*sources.hits, *sources.rejected][:NEAREST]


def _key(citation: CitationOut) -> tuple[str, int, str]:
    return citation.document_id, citation.page, citation.quote


def _numbered(citations: Sequence[CitationOut]) -> dict[tuple[str, int, str], Proof]:
    """Each quote with its proof; one that is a part of another on the same page is proved by that one."""
    found: dict[tuple[str, int, str], Proof] = {}
    proofs: dict[tuple[str, int, str], Proof] = {}
    for citation in citations:
        whole = max((other for other in citations if _holds(other, citation)), key=lambda other: len(other.quote))
        if _key(whole) not in proofs:
            proofs[_key(whole)] = Proof(
                whole.document_id,
                whole.document_name,
                whole.page,
                whole.page,
                whole.quote,
                len(proofs) + 1,
                whole.chunk_id,
            )
        found[_key(citation)] = proofs[_key(whole)]
    return found


def _holds(whole: CitationOut, part: CitationOut) -> bool:
    same_page = (whole.document_id, whole.page) == (part.document_id, part.page)
    return same_page and "".join(part.quote.split()) in "".join(whole.quote.split())


def _blocks(answer: AnswerOut, numbered: dict[tuple[str, int, str], Proof]) -> list[Block]:
    blocks: list[Block] = []
    for sentence in answer.sentences:
        kind, start, text = _kind_of(sentence.text)
        proofs = tuple(numbered[_key(citation)] for citation in sentence.citations if _key(citation) in numbered)
        shown = ShownSentence(inline(text), tuple(dict.fromkeys(proofs)))
        if blocks and blocks[-1].kind == kind and not (answer.mode == "extractive" and kind == "p"):
            blocks[-1].sentences.append(shown)
        else:
            blocks.append(Block(kind, [shown], start))
    return blocks


def _kind_of(text: str) -> tuple[BlockKind, int, str]:
    """What a sentence is part of, where a numbered list begins, and its text without the mark."""
    if match := _BULLET.match(text):
        return "ul", 1, text[match.end() :]
    if match := _NUMBER.match(text):
        return "ol", int(match[1]), text[match.end() :]
    return "p", 1, text.strip()
