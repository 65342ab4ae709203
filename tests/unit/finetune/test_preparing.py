"""Pairs into examples on a real index: what is shown, quoted, answered, refused and left out."""

from __future__ import annotations

import pytest
from anyio import run

from app.finetune.examples import Example, ExampleKind
from app.finetune.pairs import Pair
from app.finetune.preparing import PrepareChoices, Prepared, prepare
from app.generate.prompt import constant_messages
from app.generate.reply import Reply
from app.types import PromptKind
from eval.question_sets import LabelledQuestion, parse
from tests.unit.finetune.conftest import Manuals


def a_pair(name: str, question: str, *answers: str, quote: str = "", document: str | None = None) -> Pair:
    pages = ((document, 1),) if document else ()
    labelled = LabelledQuestion(
        id=name, question=question, answers=answers, answerable=bool(answers), relevant_pages=pages
    )
    return Pair(labelled, quote)


ERROR = a_pair("error", "What does E-04 of the kettle mean?", "the water tank is empty", document="kettle.md")
WEIGHT = a_pair("weight", "How much does the kettle weigh?", "1.2 kg", document="kettle.md")
GLASS = a_pair(
    "glass", "What is the oven glass cleaned with?", "a damp cloth", quote="Clean the oven glass with a damp cloth"
)
FILTER = a_pair("filter", "Which part number has the filter of the pump?", "PF-22", document="pump.md")
LAMP = a_pair("lamp", "How long does the battery of the lamp last?", "12 hours", document="lamp.md")
PRICE = a_pair("price", "What does a new lid of the kettle cost?")
WRONG = a_pair("wrong", "How deep is the kettle?", "4711 fathoms")
LONG = a_pair("long", "How is the pump filter handled?", "Replace the filter " * 30, document="pump.md")
ALL = [ERROR, WEIGHT, GLASS, FILTER, LAMP, PRICE, WRONG, LONG]


def prepared(manuals: Manuals, pairs: list[Pair], **choices: object) -> Prepared:
    values = {"heldout_share": 0.0, "withheld_share": 0.0, **choices}

    async def work() -> Prepared:
        return await prepare(manuals.services, manuals.base_id, pairs, PrepareChoices.model_validate(values))

    return run(work)


def by_id(examples: tuple[Example, ...]) -> dict[str, Example]:
    return {example.id: example for example in examples}


def reply(example: Example) -> Reply:
    """The completion as the service reads it."""
    read = Reply()
    read.read(example.completion)
    return read


def test_an_answer_comes_with_the_sentence_that_states_it_among_other_passages(manuals: Manuals) -> None:
    examples = by_id(prepared(manuals, ALL).train)
    error = examples["error"]
    assert error.completion == ("Quote: E-04 means that the water tank is empty.\nAnswer: the water tank is empty")
    asked = error.messages[-1].content
    assert "E-04 means that the water tank is empty." in asked
    assert "<passage 2" in asked
    assert asked.endswith("Question: What does E-04 of the kettle mean?")
    assert [message.content for message in error.messages[:-1]] == [
        message.content for message in constant_messages("en", PromptKind.SHORT)
    ]
    assert reply(examples["weight"]).answer == "1.2 kg"
    assert reply(examples["weight"]).quote == "The kettle weighs 1.2 kg."
    assert reply(examples["glass"]).quote.startswith("Clean the oven glass with a damp cloth")
    assert {examples[name].kind for name in ("error", "weight", "glass", "filter", "lamp")} == {ExampleKind.ANSWERED}


def test_what_the_manuals_do_not_say_is_refused(manuals: Manuals) -> None:
    price = by_id(prepared(manuals, ALL).train)["price"]
    assert price.kind is ExampleKind.UNANSWERABLE
    assert reply(price).refused
    assert reply(price).gave_no_quote
    assert "<passage 1" in price.messages[-1].content


def test_what_cannot_be_tied_to_a_passage_is_left_out_and_counted(manuals: Manuals) -> None:
    report = prepared(manuals, ALL).report
    assert report.left_out == {"not_found": 1, "answer_too_long": 1}
    assert (report.pairs, report.train, report.heldout) == (8, 6, 0)


def test_withheld_ones_are_refused_without_their_passage(manuals: Manuals) -> None:
    facts = {"error": "tank is empty", "weight": "weighs 1.2 kg", "filter": "PF-22", "lamp": "12 hours"}
    examples = prepared(manuals, [ERROR, WEIGHT, FILTER, LAMP], withheld_share=0.9).train
    assert {example.id for example in examples} == facts.keys()
    for example in examples:
        assert example.kind is ExampleKind.WITHHELD
        assert reply(example).refused
        assert "<passage 1" in example.messages[-1].content
        assert facts[example.id] not in example.messages[-1].content


def test_a_share_is_withheld(manuals: Manuals) -> None:
    kinds = [
        example.kind for example in prepared(manuals, [ERROR, WEIGHT, GLASS, FILTER, LAMP], withheld_share=0.2).train
    ]
    assert kinds.count(ExampleKind.WITHHELD) == 1


@pytest.mark.parametrize(
    ("pairs", "withheld"),
    [
        pytest.param([ERROR, WEIGHT, GLASS, FILTER, LAMP], 1, id="a fifth where nothing else is refused"),
        pytest.param([ERROR, WEIGHT, GLASS, FILTER, LAMP, PRICE], 0, id="none where the unanswerable are enough"),
    ],
)
def test_by_default_refusals_stay_a_quarter_of_all(manuals: Manuals, pairs: list[Pair], withheld: int) -> None:
    kinds = [example.kind for example in prepared(manuals, pairs, withheld_share=None).train]
    assert kinds.count(ExampleKind.WITHHELD) == withheld


def test_documents_are_held_out_with_their_questions(manuals: Manuals) -> None:
    made = prepared(manuals, [ERROR, WEIGHT, GLASS, FILTER, LAMP, PRICE], heldout_share=0.3, split_by="document")
    assert made.train
    assert made.heldout
    assert {example.document for example in made.train} & {example.document for example in made.heldout} == set()
    questions = parse(made.questions, "jsonl", "heldout").questions
    assert [question.id for question in questions] == [example.id for example in made.heldout]
    assert made.report.split_by == "document"
    assert made.report.heldout_documents == tuple(sorted({str(example.document) for example in made.heldout}))


def test_the_same_pairs_give_the_same_examples(manuals: Manuals) -> None:
    choices = {"heldout_share": 0.3, "withheld_share": 0.3}
    assert prepared(manuals, ALL, **choices) == prepared(manuals, ALL, **choices)


def test_a_proof_that_search_ranked_too_low_is_put_among_the_passages(manuals: Manuals) -> None:
    far = a_pair("far", "K-9 显示 E-11 时要换哪个部件？", "PF-22", quote="has the part number PF-22")
    made = prepared(manuals, [far])
    assert (made.report.brought, made.report.left_out) == (1, {})
    (example,) = made.train
    assert "part number PF-22" in example.messages[-1].content
    assert "E-11 means" in example.messages[-1].content
    assert example.completion.startswith("原文：")
    assert reply(example).answer == "PF-22"


@pytest.mark.parametrize("kind", PromptKind)
def test_the_prompt_is_of_the_kind_asked_for(manuals: Manuals, kind: PromptKind) -> None:
    (example,) = prepared(manuals, [ERROR], prompt=kind).train
    assert len(example.messages) == len(constant_messages("en", kind)) + 1
