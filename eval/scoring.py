"""The verdict of a record: right or not, why not, and its value in every metric that it counts for."""

from __future__ import annotations

from collections.abc import Sequence

from eval.figures import Metric, Scored, Verdict
from eval.matching import answer_numbers, exact_match, parts_stated, right_answer, states_any, token_f1
from eval.question_sets import LabelledQuestion, PageRef
from eval.ranking import page_key, ranking_values, supported_at
from eval.records import FoundPassage, Record, RunSettings

_SURE_REFUSAL = 0.5
"""A doubt from which on the model itself had rather refused; below, a refusal for doubt was the service's choice."""

_REFUSALS = {"below_threshold": "below_threshold", "no_documents": "no_documents", "not_grounded": "not_grounded"}


def score(record: Record, settings: RunSettings | None = None) -> Scored:
    """What `record` is worth; `settings` are those of its run (None: answers were asked for, no judge)."""
    settings = settings or RunSettings()
    question = record.question
    values: dict[Metric, float] = {}
    if question.answerable:
        values |= ranking_values(_pages(record), question.pages(), question.needs_all)
    values["failed_rate"] = float(record.error is not None)
    if settings.mode == "retrieval":
        verdict: Verdict = "failed" if record.error else "searched"
        return _scored(record, verdict, values)
    verdict = _verdict(record)
    values |= _answer_values(record, verdict, settings.judge)
    values |= _proof_values(record)
    return _scored(record, verdict, values)


def _scored(record: Record, verdict: Verdict, values: dict[Metric, float]) -> Scored:
    question = record.question
    rank = supported_at(_pages(record), question.pages(), question.needs_all) if question.answerable else None
    exact = values.get("exact_match")
    return Scored(
        record=record,
        verdict=verdict,
        why=_why(record, verdict),
        exact=None if exact is None else bool(exact),
        token_f1=values.get("token_f1"),
        rank=rank,
        metrics=tuple(values.items()),
    )


def _pages(record: Record) -> list[PageRef]:
    return [page for passage in record.found for page in passage.pages()]


def _verdict(record: Record) -> Verdict:
    question = record.question
    if record.error is not None:
        return "failed"
    if not question.answerable:
        return "refused_rightly" if record.refused else "invented"
    if record.refused:
        return "refused"
    if not question.labelled:
        return "unlabelled"
    return "right" if right_answer(record.answer, question) else "wrong"


def _answer_values(record: Record, verdict: Verdict, judged: bool) -> dict[Metric, float]:
    """Accuracy, refusals and words. An error is neither a right answer nor a refusal."""
    question = record.question
    values: dict[Metric, float] = {}
    refused = verdict in ("refused", "refused_rightly")
    if question.answerable:
        values["false_refusal_rate"] = float(refused)
        if question.labelled:
            written = "" if refused or verdict == "failed" else record.answer
            values["answer_accuracy"] = float(verdict == "right")
            values["exact_match"] = float(exact_match(written, question.answers))
            values["token_f1"] = token_f1(written, question.answers)
        if record.judgement is not None:
            values["judge_accuracy"] = float(record.judgement.right)
        elif judged and (refused or verdict == "failed"):
            values["judge_accuracy"] = 0.0
    else:
        values["refusal_recall"] = float(refused)
        values["invented_rate"] = float(verdict == "invented")
    if refused:
        values["refusal_precision"] = float(not question.answerable)
    return values


def _proof_values(record: Record) -> dict[Metric, float]:
    """Citations, sentences and tokens, where there are any."""
    values: dict[Metric, float] = {}
    checked = [citation.true for citation in record.citations if citation.true is not None]
    if checked:
        values["citation_precision"] = sum(checked) / len(checked)
    right = {page_key(page) for page in record.question.pages()}
    if record.citations and right and record.question.answerable:
        on_page = [page_key((citation.document, citation.page)) in right for citation in record.citations]
        values["citation_page_precision"] = sum(on_page) / len(on_page)
    if record.sentences:
        values["groundedness"] = sum(sentence.grounded for sentence in record.sentences) / len(record.sentences)
    for metric in ("prompt_tokens", "completion_tokens"):
        if (tokens := getattr(record, metric)) is not None:
            values[metric] = float(tokens)
    return values


def _why(record: Record, verdict: Verdict) -> str | None:
    """The key of what went wrong first: on the way from the page to the answer each step needs the one before."""
    match verdict:
        case "failed":
            return "error"
        case "invented":
            return _why_invented(record)
        case "refused":
            return _why_not_read(record) or _why_refused(record)
        case "wrong":
            return _why_not_read(record) or _why_wrong(record)
        case "searched" if record.question.answerable:
            return _why_not_read(record)
    return None


def _why_not_read(record: Record) -> str | None:
    """Why the right page did not come before the model; None where it did, or no page is labelled."""
    question = record.question
    right = question.pages()
    if not right or record.reason == "no_documents":
        return None
    if supported_at(_pages(record), right, question.needs_all) is None:
        return "page_not_found"
    passed = [passage for passage in record.found if passage.passed]
    if not _supports(passed, question):
        return "below_threshold"
    return None if _supports(passed[: record.shown], question) else "page_too_low"


def _supports(passages: Sequence[FoundPassage], question: LabelledQuestion) -> bool:
    pages = [page for passage in passages for page in passage.pages()]
    return supported_at(pages, question.pages(), question.needs_all) is not None


def _why_refused(record: Record) -> str:
    if record.reason in _REFUSALS:
        return _REFUSALS[record.reason]
    return "doubted" if record.doubt is not None and record.doubt < _SURE_REFUSAL else "model_refused"


def _why_wrong(record: Record) -> str:
    question = record.question
    if states_any(record.answer, question.fake_answer):
        return "states_fake_answer"
    if question.answer_parts and any(parts_stated(record.answer, question.answer_parts)):
        return "incomplete"
    if record.mode == "extractive":
        return "extractive"
    accepted = set().union(*(answer_numbers(answer) for answer in (*question.answers, *question.answer_parts)))
    strange = answer_numbers(record.answer) - accepted - answer_numbers(question.question)
    return "wrong_number" if accepted and strange else "misread"


def _why_invented(record: Record) -> str:
    question = record.question
    if states_any(record.answer, question.withheld_answer):
        return "own_knowledge"
    if states_any(record.answer, question.fake_answer):
        return "states_fake_answer"
    return "answered_anyway"
