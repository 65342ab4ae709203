"""A turn for its template: sentences in blocks, each proof with one number, lists as lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.api.conversation_schemas import TurnOut
from app.api.schemas import AnswerOut, ChunkOut, CitationOut, HitOut, ScoresOut, SearchOut, SentenceOut, TimingsOut
from app.api.web.turn_view import SNIPPET, turn_view
from app.api.web.words import words_in
from app.types import TurnState


def a_citation(quote: str, page: int = 3, document: str = "doc-1") -> CitationOut:
    return CitationOut(
        document_id=document, document_name=f"{document}.pdf", chunk_id=f"{document}-c1", page=page, quote=quote
    )


def an_answer(*sentences: tuple[str, list[CitationOut]], **values: Any) -> AnswerOut:  # noqa: ANN401 - any field
    given: dict[str, Any] = {
        "question": "q",
        "language": "en",
        "text": " ".join(text for text, _ in sentences),
        "mode": "generated",
        "refused": False,
        "reason": None,
        "degraded": None,
        "model": "m",
        "adapter": None,
        "promotion": None,
        "sentences": [SentenceOut(text=text, citations=citations) for text, citations in sentences],
        "citations": [citation for _, citations in sentences for citation in citations],
        "withheld": [],
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "timings": TimingsOut(sources=0.1, first_token=0.2, total=0.3),
    }
    return AnswerOut(**{**given, **values})


def a_hit(text: str = "some words", page: int = 3, passed: bool = True) -> HitOut:
    scores = ScoresOut(rank=1, cosine=0.8, passed=passed, bm25=None, bm25_rank=None, vector_rank=1, fused=0.1)
    chunk = ChunkOut(id="doc-1-c1", ordinal=0, page_start=page, page_end=page + 1, heading_path=[], text=text)
    return HitOut(document_id="doc-1", document_name="doc-1.pdf", chunk=chunk, scores=scores)


def a_search(hits: list[HitOut], rejected: list[HitOut] | None = None) -> SearchOut:
    return SearchOut(hits=hits, rejected=rejected or [], threshold=0.78, seconds=0.1, also=[])


def a_turn(answer: AnswerOut | None, sources: SearchOut | None = None, standalone: str | None = None) -> TurnOut:
    return TurnOut(
        id="turn-1",
        question="q",
        standalone=standalone,
        asked_at=datetime(2026, 11, 24, tzinfo=UTC),
        state=TurnState.ANSWERED,
        answer=answer,
        sources=sources,
        written=None,
        error=None,
        feedback=None,
    )


def test_a_quote_has_one_number_however_often_it_is_cited() -> None:
    one, other = a_citation("The tank is empty."), a_citation("Fill it.", page=4)
    view = turn_view(a_turn(an_answer(("It is empty.", [one]), ("Fill it. ", [other, one]))))
    assert [proof.number for proof in view.cited] == [1, 2]
    [block] = view.blocks
    assert [[proof.number for proof in sentence.proofs] for sentence in block.sentences] == [[1], [2, 1]]


def test_a_quote_that_is_a_part_of_another_shares_its_number() -> None:
    part, whole = a_citation("too hot (above"), a_citation("E-05 too hot\n(above 165 °C)")
    elsewhere = a_citation("too hot", page=9)
    view = turn_view(a_turn(an_answer(("Hot.", [part, whole]), ("Very.", [elsewhere]))))
    assert [(proof.number, proof.text, proof.page) for proof in view.cited] == [
        (1, "E-05 too hot\n(above 165 °C)", 3),
        (2, "too hot", 9),
    ]


def test_steps_become_a_list_with_the_number_it_begins_with() -> None:
    proof = [a_citation("x")]
    answer = an_answer(
        ("Do this:", proof), ("- Press OK.", proof), ("• Wait.", proof), ("3. Open.", proof), ("4、关", proof)
    )
    view = turn_view(a_turn(answer))
    assert [(block.kind, block.start, len(block.sentences)) for block in view.blocks] == [
        ("p", 1, 1),
        ("ul", 1, 2),
        ("ol", 3, 2),
    ]
    assert str(view.blocks[1].sentences[0].html) == "Press OK."
    assert view.copied(words_in("en")).splitlines()[:3] == ["Do this: [1]", "- Press OK. [1]", "- Wait. [1]"]


def test_a_number_at_the_beginning_is_no_list() -> None:
    view = turn_view(a_turn(an_answer(("2.5 bar is right.", [a_citation("2.5 bar")]))))
    assert view.blocks[0].kind == "p"
    assert str(view.blocks[0].sentences[0].html) == "2.5 bar is right."


def test_the_passages_that_are_not_cited_follow() -> None:
    hits = [a_hit(page=3), a_hit(text="x" * 1000, page=7)]
    view = turn_view(a_turn(an_answer(("It is.", [a_citation("x")])), a_search(hits)))
    assert [(proof.page, proof.page_end) for proof in view.others] == [(7, 8)]
    assert len(view.others[0].text) == SNIPPET + 1


def test_a_refusal_shows_the_nearest_of_all() -> None:
    answer = an_answer(text="No.", mode="refused", refused=True, reason="below_threshold")
    far = a_hit(page=9, passed=False)
    view = turn_view(a_turn(answer, a_search([a_hit()], [far, far, far])))
    assert len(view.nearest) == 3
    assert (view.nearest[0].scores.passed, view.nearest[1].scores.passed) == (True, False)
    assert view.blocks == []


def test_a_rewrite_is_shown_where_there_is_one() -> None:
    assert turn_view(a_turn(None, standalone="q")).standalone is None
    assert turn_view(a_turn(None, standalone="whole q")).standalone == "whole q"
