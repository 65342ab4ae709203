"""Which pairs are held out: whole documents, nothing asked twice, the same with the same seed."""

from __future__ import annotations

from app.finetune.likeness import KnownQuestions
from app.finetune.pairs import Pair
from app.finetune.splitting import split
from eval.question_sets import LabelledQuestion

SUBJECTS = "valve filter cable hinge lamp motor battery lid hose pump".split()


def a_pair(number: int, document: str | None, question: str | None = None) -> Pair:
    subject = SUBJECTS[number % len(SUBJECTS)]
    return Pair(
        LabelledQuestion(
            id=f"q{number}",
            question=question or f"How is the {subject} number {number} of the {document or 'machine'} cleaned?",
            answers=("with a cloth",),
            relevant_pages=((document, 1),) if document else (),
        )
    )


def test_whole_documents_are_held_out() -> None:
    pairs = [a_pair(number, f"manual-{number % 8}.pdf") for number in range(80)]
    sides = split(pairs, 0.2, seed=1)
    assert sides.by == "document"
    assert len(sides.train) + len(sides.heldout) == 80
    assert 10 <= len(sides.heldout) <= 20
    assert {pair.document for pair in sides.train} & {pair.document for pair in sides.heldout} == set()
    assert split(pairs, 0.2, seed=1) == sides
    assert split(pairs, 0.2, seed=2).heldout != sides.heldout


def test_a_pair_without_a_label_goes_with_the_document_that_search_finds() -> None:
    pairs = [*(a_pair(number, f"manual-{number % 8}.pdf") for number in range(40)), a_pair(99, None)]
    for seed in range(5):
        sides = split(pairs, 0.2, seed, documents={"q99": "manual-3.pdf"})
        side = sides.train if any(pair.question.id == "q99" for pair in sides.train) else sides.heldout
        assert "manual-3.pdf" in {pair.document for pair in side}


def test_without_labels_single_questions_are_held_out() -> None:
    sides = split([a_pair(number, None) for number in range(40)], 0.25, seed=3)
    assert (sides.by, len(sides.train), len(sides.heldout)) == ("question", 30, 10)


def test_nothing_that_is_measured_is_learned_in_other_words() -> None:
    twins = [
        pair
        for number in range(0, 60, 2)
        for pair in (
            a_pair(number, None, f"How often must the filter of the pump P-{number} be replaced?"),
            a_pair(number + 1, None, f"How often must I replace the pump P-{number} filter?"),
        )
    ]
    sides = split(twins, 0.3, seed=5)
    known = KnownQuestions([pair.question.question for pair in sides.heldout])
    assert sides.heldout
    assert sides.train
    assert not any(known.has_like(pair.question.question) for pair in sides.train)
    assert len(sides.train) + len(sides.heldout) + sides.repeated == 60


def test_what_asks_the_same() -> None:
    known = KnownQuestions(["What does error E-04 of the kettle mean?", "除垢剂要在壶里停留多久？"])
    assert known.has_like("What does the kettle's error E-04 mean?")
    assert known.has_like("除垢剂要在壶里停留多久")
    assert not known.has_like("What does error E-05 of the kettle mean?")
    assert not known.has_like("What does error E-04 of the oven mean, and how is the door closed again?")
