"""The model's reply in pieces: the quote stays inside, a refusal never shows, an answer streams."""

from __future__ import annotations

import pytest

from app.generate.prompt import REFUSAL
from app.generate.reply import Reply
from app.ports import Odds


def read(text: str, size: int = 3) -> tuple[Reply, str]:
    reply = Reply()
    shown = [reply.read(text[i : i + size]) for i in range(0, len(text), size)]
    return reply, "".join([*shown, reply.end()])


@pytest.mark.parametrize("size", [1, 3, 7, 500])
@pytest.mark.parametrize(
    ("text", "quote", "answer"),
    [
        ("Quote: the lid is open\nAnswer: Close the lid.", "the lid is open", "Close the lid."),
        ("原文：壶盖未合上。\n回答：请合上壶盖。", "壶盖未合上。", "请合上壶盖。"),
        ("原文: a\nb\n回答: - 一\n- 二", "a\nb", "- 一\n- 二"),
        ("Close the lid.", "", "Close the lid."),
        ("Answer: Close the lid.", "", "Close the lid."),
        ("Not before 15 minutes have gone.", "", "Not before 15 minutes have gone."),
        ("手册第 3 页：壶盖未合上。", "", "手册第 3 页：壶盖未合上。"),
        ("15", "", "15"),
    ],
)
def test_tells_quote_from_answer_and_shows_the_answer_alone(text: str, quote: str, answer: str, size: int) -> None:
    reply, shown = read(text, size)
    assert (reply.quote, reply.answer, shown.strip()) == (quote, answer, answer)
    assert not reply.refused
    assert not reply.surely_refused


@pytest.mark.parametrize("size", [1, 4, 500])
@pytest.mark.parametrize(
    "text",
    [
        *REFUSAL.values(),
        "Quote: none\nAnswer: Not stated in the manuals.",
        "原文：无\n回答：手册中没有说明。",
        "Quote: none",
        "Quote: Power 2200 W\nAnswer: Not stated in the manuals.",
        "手册未说明",
        "",
    ],
)
def test_a_refusal_is_told_and_never_shows(text: str, size: int) -> None:
    reply, shown = read(text, size)
    assert reply.refused
    assert shown == ""


def test_a_refusal_is_settled_before_its_end() -> None:
    reply = Reply()
    reply.read("Quote: none\n")
    assert not reply.surely_refused
    reply.read("Answer: Not stated in the manuals")
    assert reply.surely_refused


def test_an_answer_behind_no_quote_is_left_to_the_check() -> None:
    reply, shown = read("原文：无\n回答：update")
    assert (reply.refused, reply.gave_no_quote, reply.answer, shown) == (False, True, "update", "update")


def test_the_doubt_is_the_odds_of_no_quote_where_the_quote_begins() -> None:
    reply = Reply()
    assert reply.doubt == 0
    for odds, piece in (
        ({"none": 0.9}, "Quote:"),
        ({" the": 0.6, " none": 0.25, " None": 0.05}, " the"),
        ({"none": 0.8}, " lid"),
    ):
        reply.weigh(Odds(tuple(odds.items())))
        reply.read(piece)
    assert reply.doubt == pytest.approx(0.3)


def test_an_answer_streams_on_once_it_differs_from_the_refusal() -> None:
    reply = Reply()
    assert [reply.read(piece) for piece in ("Quote: x\nAnswer:", " Not ", "before", " noon")] == [
        "",
        "",
        "Not before",
        " noon",
    ]


def test_a_reply_cut_off_in_its_quote_answers_with_the_quote() -> None:
    reply, shown = read("Quote: the lid is open")
    assert (reply.answer, reply.refused, shown) == ("the lid is open", False, "")


@pytest.mark.parametrize(
    "answer",
    [
        "The kettle has 1.7 l. Not stated in the manuals.",
        "The operating temperature of the kettle is not stated in the manuals.",
        "The passages do not mention a fuse.",
        "手册中没有说明水壶的工作温度。",
        "水壶的工作温度在手册中并未提及。",
    ],
)
def test_an_answer_that_takes_itself_back_is_a_refusal(answer: str) -> None:
    assert read(f"Quote: 1.7 l\nAnswer: {answer}")[0].refused


@pytest.mark.parametrize(
    "answer", ["The kettle is not given to children.", "The passage of steam does not stop.", "手册没有破损时请保留。"]
)
def test_an_answer_with_a_not_in_it_is_none(answer: str) -> None:
    assert not read(f"Quote: x\nAnswer: {answer}")[0].refused


def test_a_quote_without_end_is_no_answer() -> None:
    reply = read("Quote: " + "All about kettles. " * 20)[0]
    assert (reply.refused, reply.is_lost) == (True, False)
    reply.read("And about mixers. " * 25)
    assert reply.is_lost
    reply.read("\nAnswer: The lid is open.")
    assert not reply.is_lost
