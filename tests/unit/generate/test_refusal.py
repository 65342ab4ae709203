"""The agreed refusal sentence, told from answers in a stream of pieces."""

from __future__ import annotations

import pytest

from app.generate.prompt import REFUSAL
from app.generate.refusal import RefusalWatch


def shown(text: str, size: int = 3) -> list[str]:
    watch = RefusalWatch()
    parts = [watch.pass_on(text[i : i + size]) for i in range(0, len(text), size)]
    return [part for part in [*parts, watch.rest()] if part]


@pytest.mark.parametrize(
    "refusal", [*REFUSAL.values(), "Not stated in the manual", " 手册中没有说明", "手册未说明。", ""]
)
def test_a_refusal_never_shows_and_is_told(refusal: str) -> None:
    assert shown(refusal) == []
    assert RefusalWatch().is_refusal(refusal)


@pytest.mark.parametrize("answer", ["Not before 15 minutes.", "N", "手册第 3 页：壶盖未合上。", "15 minutes", "No."])
def test_an_answer_shows_whole_even_where_it_begins_like_one(answer: str) -> None:
    assert "".join(shown(answer)) == answer
    assert not RefusalWatch().is_refusal(answer)


def test_an_answer_streams_on_from_the_first_piece_that_differs() -> None:
    assert shown("Not before noon.", size=4) == ["Not befo", "re n", "oon."]


def test_an_answer_that_takes_itself_back_is_a_refusal() -> None:
    assert RefusalWatch().is_refusal("The kettle has 1.7 l. Not stated in the manuals.")
