"""One question of a run as a report shows it: every text plain, every name in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass

from eval.figures import Scored
from eval.records import FoundPassage, GivenCitation, Record
from eval.report.formats import seconds
from eval.report.inert import one_line, plain, shortened
from eval.report.words import Words
from eval.wording import reason_name, verdict_name

MOST_SOURCES = 8
MOST_ACCEPTED = 6
ANSWER_CHARACTERS = 3000
QUOTE_CHARACTERS = 240
GOOD_VERDICTS = ("right", "refused_rightly")
NEUTRAL_VERDICTS = ("unlabelled", "searched")


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A passage found: `right` where it covers a page that answers the question."""

    document: str
    pages: str
    cosine: str
    passed: bool
    right: bool


@dataclass(frozen=True, slots=True)
class CitationRow:
    """A citation: `state` is "true", "false" or "unchecked"."""

    document: str
    page: str
    quote: str
    state: str


@dataclass(frozen=True, slots=True)
class WithheldRow:
    """A sentence that was not shown, and why, where known."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """A question with everything to be shown of it; empty texts are left out of the page."""

    number: int
    id: str
    question: str
    verdict: str
    badge: str
    good: bool
    neutral: bool
    language: str
    type: str
    documents: tuple[str, ...]
    answer: str
    extract: bool
    accepted: tuple[str, ...]
    accepted_more: int
    answerable: bool
    right_pages: tuple[str, ...]
    rank: int | None
    sources: tuple[SourceRow, ...]
    sources_more: int
    citations: tuple[CitationRow, ...]
    withheld: tuple[WithheldRow, ...]
    why: str
    why_key: str
    error: str
    seconds: str
    seconds_value: float | None
    doubt: str
    tokens: str
    judged: str


def row_of(scored: Scored, words: Words) -> Row:
    """The row of a scored record."""
    record, question = scored.record, scored.record.question
    pages = sorted(question.pages())
    accepted = [*question.answers, *question.answer_parts]
    taken = seconds_of(record)
    return Row(
        number=record.index + 1,
        id=one_line(question.id),
        question=one_line(question.question),
        verdict=scored.verdict,
        badge=badge(scored.verdict, words),
        good=scored.verdict in GOOD_VERDICTS,
        neutral=scored.verdict in NEUTRAL_VERDICTS,
        language=one_line(question.lang),
        type=one_line(question.type),
        documents=tuple(dict.fromkeys(one_line(name) for name, _ in pages)),
        answer=shortened(plain(record.answer).strip(), ANSWER_CHARACTERS),
        extract=record.mode == "extractive",
        accepted=tuple(shortened(one_line(text), QUOTE_CHARACTERS) for text in accepted[:MOST_ACCEPTED]),
        accepted_more=max(0, len(accepted) - MOST_ACCEPTED),
        answerable=question.answerable,
        right_pages=tuple(
            words("place", name=one_line(name), page=words("page", page=page)) for name, page in pages[:MOST_ACCEPTED]
        ),
        rank=scored.rank,
        sources=tuple(_source(passage, set(pages), words) for passage in record.found[:MOST_SOURCES]),
        sources_more=max(0, len(record.found) - MOST_SOURCES),
        citations=tuple(_citation(citation, words) for citation in record.citations),
        withheld=_withheld(record, words),
        why=reason_name(scored.why, words.language),
        why_key=scored.why or "",
        error=_error(record),
        seconds="" if taken is None else seconds(taken),
        seconds_value=taken,
        doubt="" if record.doubt is None else f"{record.doubt:.2f}",
        tokens=_tokens(record, words),
        judged=_judged(record, words),
    )


def badge(verdict: str, words: Words) -> str:
    """A verdict's short name, for a label."""
    short = {"refused": "badge_refused", "unlabelled": "badge_unlabelled"}
    return words(short[verdict]) if verdict in short else verdict_name(verdict, words.language)  # type: ignore[arg-type]


def seconds_of(record: Record) -> float | None:
    """Seconds until the whole answer, or until the sources where only those were asked for."""
    return record.seconds if record.seconds is not None else record.seconds_to_sources


def _source(passage: FoundPassage, right: set[tuple[str, int]], words: Words) -> SourceRow:
    one_page = passage.page_start == passage.page_end
    return SourceRow(
        document=one_line(passage.document),
        pages=words("page", page=passage.page_start)
        if one_page
        else words("pages", first=passage.page_start, last=passage.page_end),
        cosine=f"{passage.cosine:.3f}",
        passed=passage.passed,
        right=any(page in right for page in passage.pages()),
    )


def _citation(citation: GivenCitation, words: Words) -> CitationRow:
    return CitationRow(
        document=one_line(citation.document),
        page=words("page", page=citation.page),
        quote=shortened(one_line(citation.quote), QUOTE_CHARACTERS),
        state="unchecked" if citation.true is None else "true" if citation.true else "false",
    )


def _withheld(record: Record, words: Words) -> tuple[WithheldRow, ...]:
    """What the check took out, each with its reason; sentences without a reason of their own come as they are."""
    reasons = {sentence.text: sentence.reason or "" for sentence in record.sentences if not sentence.grounded}
    texts = dict.fromkeys([*reasons, *record.withheld])
    return tuple(
        WithheldRow(
            shortened(one_line(text), 2 * QUOTE_CHARACTERS),
            one_line(words.withheld(reasons.get(text, ""))),
        )
        for text in texts
    )


def _error(record: Record) -> str:
    parts = [one_line(part) for part in (record.error_message or "", record.error or "") if part]
    return f"{parts[0]} ({parts[1]})" if len(parts) == 2 else "".join(parts)


def _tokens(record: Record, words: Words) -> str:
    if record.prompt_tokens is None or record.completion_tokens is None:
        return ""
    return words("tokens_in_out", read=f"{record.prompt_tokens:,}", written=f"{record.completion_tokens:,}")


def _judged(record: Record, words: Words) -> str:
    if record.judgement is None:
        return ""
    name = words("judged_right" if record.judgement.right else "judged_wrong")
    reason = shortened(one_line(record.judgement.reason), 2 * QUOTE_CHARACTERS)
    return words("named", name=name, text=reason) if reason else name
