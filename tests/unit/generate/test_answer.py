"""Answers end to end over a scripted model server: streamed, checked, refused or extracted."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from app.generate.answer import Answerer, AnswerLimits
from app.generate.events import AnswerEvent, DoneEvent, SourcesEvent, TokenEvent
from app.generate.llm import FixedEndpoint, OpenAICompatibleModel
from app.generate.wording import refusal_text
from app.types import Answer, Language, RefusalReason, SearchResult
from tests.fixtures.passages import a_result
from tests.fixtures.scripted_model import Fault, ScriptedModel, scripted_model

QUESTION = "How long do I wait once the descaler was boiled in the kettle?"
CARE = "Fill the kettle, add the descaler, boil it, wait 15 minutes and rinse twice."
NOTHING = SearchResult((), (), threshold=0.5, seconds=0.01)


def collect(
    server: ScriptedModel,
    result: SearchResult,
    *,
    question: str = QUESTION,
    language: Language = "en",
    has_documents: bool = True,
    first: float = 5.0,
) -> list[AnswerEvent]:
    async def run() -> list[AnswerEvent]:
        endpoint = FixedEndpoint(server.base_url)
        model = OpenAICompatibleModel("scripted", endpoint, first_token_seconds=first, total_seconds=10)
        answerer = Answerer(model, None, AnswerLimits(context_tokens=500, max_answer_tokens=100))
        async with aclosing(answerer.stream(question, language, result, has_documents=has_documents)) as events:
            found = [event async for event in events]
        await model.close()
        return found

    return asyncio.run(run())


def the_answer(events: list[AnswerEvent]) -> Answer:
    """The answer of the last event, which must be the only one of its kind."""
    assert [isinstance(event, DoneEvent) for event in events] == [False] * (len(events) - 1) + [True]
    assert [isinstance(event, SourcesEvent) for event in events] == [True] + [False] * (len(events) - 1)
    done = events[-1]
    assert isinstance(done, DoneEvent)
    return done.answer


def tokens(events: list[AnswerEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TokenEvent))


def test_sources_first_then_tokens_then_the_checked_answer() -> None:
    with scripted_model("Quote: wait 15 minutes and rinse twice\nAnswer: Wait 15 minutes after boiling.") as server:
        events = collect(server, a_result(CARE))
    answer = the_answer(events)
    assert tokens(events) == answer.text == "Wait 15 minutes after boiling."
    assert (answer.mode, answer.refused, answer.reason, answer.model) == ("generated", False, None, "scripted")
    assert [citation.quote for citation in answer.citations] == [CARE]
    assert answer.sentences[0].citations == answer.citations
    assert answer.completion_tokens
    assert answer.timings.first_token is not None
    assert 0 < answer.timings.sources <= answer.timings.first_token <= answer.timings.total


@pytest.mark.parametrize(("language", "has_documents"), [("en", True), ("zh", False)])
def test_without_hits_the_model_is_not_asked(language: Language, has_documents: bool) -> None:
    with scripted_model("anything") as server:
        answer = the_answer(collect(server, NOTHING, language=language, has_documents=has_documents))
        assert server.requests == []
    reason = RefusalReason.BELOW_THRESHOLD if has_documents else RefusalReason.NO_DOCUMENTS
    assert (answer.refused, answer.mode, answer.reason) == (True, "refused", reason)
    assert answer.text == refusal_text(reason, language)


@pytest.mark.parametrize(
    "reply",
    [
        "Quote: none\nAnswer: Not stated in the manuals.",
        "Not stated in the manuals.",
        "原文：无\n回答：手册中没有说明。",
    ],
)
def test_the_models_refusal_is_a_field_and_never_shows(reply: str) -> None:
    with scripted_model(reply) as server:
        events = collect(server, a_result(CARE))
    answer = the_answer(events)
    assert tokens(events) == ""
    assert (answer.refused, answer.reason, answer.citations) == (True, RefusalReason.NOT_IN_MANUALS, ())


def test_what_the_passages_do_not_say_is_withheld_and_the_rest_shown() -> None:
    reply = "Quote: wait 15 minutes\nAnswer: Wait 15 minutes after boiling. Then replace filter F-99."
    with scripted_model(reply) as server:
        answer = the_answer(collect(server, a_result(CARE)))
    assert answer.text == "Wait 15 minutes after boiling."
    assert answer.withheld == ("Then replace filter F-99.",)
    assert not answer.refused


def test_an_answer_of_nothing_but_inventions_is_a_refusal() -> None:
    with scripted_model("Quote: wait 15 minutes\nAnswer: Wait 45 minutes.") as server:
        answer = the_answer(collect(server, a_result(CARE)))
    assert (answer.refused, answer.reason) == (True, RefusalReason.NOT_GROUNDED)
    assert answer.withheld == ("Wait 45 minutes.",)
    assert answer.text == refusal_text(RefusalReason.NOT_GROUNDED, "en")


@pytest.mark.parametrize(
    ("doubt", "question", "refused"),
    [
        (0.05, QUESTION, False),
        (0.4, QUESTION, False),
        (0.6, QUESTION, True),
        (0.4, "How long do I wait once the descaler was boiled in the NorvaPro?", True),
    ],
)
def test_a_model_near_to_refusing_is_taken_at_its_doubt(doubt: float, question: str, refused: bool) -> None:
    pieces = ["Quote", ":", " wait", " 15 minutes", "\nAnswer", ":", " Wait 15", " minutes."]
    with scripted_model(pieces) as server:
        server.odds = {2: {" wait": 1 - doubt, " none": doubt}}
        events = collect(server, a_result(CARE), question=question)
    answer = the_answer(events)
    assert answer.refused is refused
    assert (tokens(events) == "") is refused


@pytest.mark.parametrize(
    "fault", [Fault.ERROR_500, Fault.CUT, Fault.STALL, Fault.GARBAGE, Fault.BUSY_429, Fault.SILENT]
)
def test_where_the_model_fails_the_passages_own_sentence_is_given(fault: Fault) -> None:
    with scripted_model("Quote: wait 15 minutes\nAnswer: Wait 15 minutes.", fault) as server:
        answer = the_answer(collect(server, a_result(CARE, "Store it dry."), first=0.3))
    assert (answer.mode, answer.refused) == ("extractive", False)
    assert answer.degraded
    assert answer.text == CARE
    assert [citation.quote for citation in answer.citations] == [CARE]


def test_where_the_model_fails_and_nothing_fits_it_refuses() -> None:
    question = "Which wireless band does the pump use?"
    with scripted_model("", Fault.ERROR_500) as server:
        answer = the_answer(collect(server, a_result(CARE), question=question))
    assert (answer.mode, answer.refused, answer.reason) == ("refused", True, RefusalReason.NOT_GROUNDED)
    assert answer.degraded


def test_warming_sends_what_every_question_begins_with() -> None:
    async def run(server: ScriptedModel) -> None:
        model = OpenAICompatibleModel(
            "scripted", FixedEndpoint(server.base_url), first_token_seconds=5, total_seconds=10
        )
        answerer = Answerer(model, None, AnswerLimits(context_tokens=500, max_answer_tokens=100))
        await answerer.warm("en")
        await answerer.answer(QUESTION, "en", a_result(CARE))
        await model.close()

    with scripted_model("Wait 15 minutes.") as server:
        asyncio.run(run(server))
    warm, asked = (request["messages"] for request in server.requests)
    assert len(warm) > 2
    assert asked[:-1] == warm[:-1]
    assert warm[-1]["role"] == "user"


def test_lines_of_a_list_keep_their_breaks() -> None:
    reply = "Quote: Fill the kettle\nAnswer: - Fill the kettle.\n- Add the descaler.\n- Boil it."
    with scripted_model(reply) as server:
        answer = the_answer(collect(server, a_result(CARE), question="How do I use the descaler?"))
    assert answer.text == "- Fill the kettle.\n- Add the descaler.\n- Boil it."
    assert len(answer.citations) == 1


def test_closing_the_stream_ends_the_models_request() -> None:
    async def run(server: ScriptedModel) -> bool:
        model = OpenAICompatibleModel(
            "scripted", FixedEndpoint(server.base_url), first_token_seconds=5, total_seconds=30
        )
        answerer = Answerer(model, None, AnswerLimits(context_tokens=500, max_answer_tokens=100))
        events = answerer.stream(QUESTION, "en", a_result(CARE))
        while not isinstance(await anext(events), TokenEvent):
            pass
        await events.aclose()
        gone = await asyncio.to_thread(server.gone.wait, 5)
        await model.close()
        return gone

    with scripted_model("Quote: wait 15\nAnswer: " + "Wait 15 minutes. " * 8, Fault.STALL_MIDWAY) as server:
        assert asyncio.run(run(server)), "the model's request was left open"
