"""The answer without a model: exact sentences of the passages, or nothing."""

from __future__ import annotations

from app.generate.context import select_passages
from app.generate.extractive import extract
from app.types import Sentence
from tests.fixtures.passages import a_result

CARE = "The housing is steel. Descale the kettle every 3 months with one sachet. Store it dry."
ERRORS = "Error codes:\nE3 lid is open, close the lid\nE4 no water in the tank"


def extracted(question: str, *texts: str) -> tuple[Sentence, ...]:
    return extract(question, select_passages(question, a_result(*texts).hits, 800))


def test_quotes_the_sentence_that_holds_the_questions_words() -> None:
    sentences = extracted("How often should I descale the kettle?", CARE, ERRORS)
    assert sentences[0].text == "Descale the kettle every 3 months with one sachet."
    assert sentences[0].grounded
    assert sentences[0].citations[0].quote in CARE
    assert sentences[0].citations[0].page == 1


def test_a_table_label_comes_with_the_row_behind_it() -> None:
    (sentence, *_) = extracted("What are the error codes?", ERRORS)
    assert sentence.text.startswith("Error codes: E3 lid is open")


def test_every_sentence_carries_its_own_citation() -> None:
    text = "E3 means the lid is open. E3 is cleared by closing the lid. The colour is red."
    sentences = extracted("What does E3 mean and how is it cleared?", text)
    assert len(sentences) == 2
    assert all(len(s.citations) == 1 and s.citations[0].quote in text for s in sentences)


def test_refuses_where_little_of_the_question_is_there() -> None:
    assert extracted("Which wireless band does the remote controller of the pump use?", CARE) == ()


def test_nothing_in_nothing_out() -> None:
    assert extract("What is E3?", ()) == ()
