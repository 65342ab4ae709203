"""The order in which the pieces of a page are read."""

from __future__ import annotations

from app.ingest.reading_order import Piece, in_reading_order
from app.text.normalise import HYPHEN_BREAK


def a_piece(text: str, left: float, top: float, width: float, rise: float = 0.0) -> Piece:
    return Piece(text, (left, top, left + width, top + 20), 0.99, rise)


def lines_of(start: str, left: float, width: float = 400, count: int = 4, top: float = 100) -> list[Piece]:
    return [a_piece(f"{start} line {n} of the column", left, top + 30 * n, width) for n in range(count)]


def test_columns_are_read_one_after_the_other_below_their_title() -> None:
    title = a_piece("A title above both of the columns", 100, 50, 800)
    foot = a_piece("A line below both of the columns", 100, 300, 800)
    pieces = [*lines_of("right", 550), foot, *lines_of("left", 100), title]
    text, rows = in_reading_order(pieces)
    starts = [line.split()[0] for line in text.split("\n") if line]
    assert starts == ["A", *["left"] * 4, *["right"] * 4, "A"]
    assert len(rows) == 10


def test_rows_of_a_table_stay_rows() -> None:
    names = ["Voltage", "Current", "Power", "Weight"]
    pieces = [a_piece(f"{n} W", 600, 100 + 30 * n + 2, 60) for n in range(4)]
    pieces += [a_piece(name, 100, 100 + 30 * n, 100) for n, name in enumerate(names)]
    assert in_reading_order(pieces)[0] == "Voltage\t0 W\nCurrent\t1 W\nPower\t2 W\nWeight\t3 W"


def test_pieces_of_a_row_stay_together_on_a_sheet_that_lies_askew() -> None:
    slope = 0.03
    pieces = [
        a_piece(f"{side} {n}", left, 100 + 30 * n + slope * left, 120, slope)
        for n in range(4)
        for side, left in (("right", 800), ("left", 0))
    ]
    text = in_reading_order(pieces)[0]
    assert text.split("\n") == [f"left {n}\tright {n}" for n in range(4)]


def test_a_wide_step_begins_a_paragraph() -> None:
    tops = (100, 130, 160, 230, 260)
    text, _ = in_reading_order([a_piece(str(top), 100, top, 300) for top in tops])
    assert text == "100\n130\n160\n\n230\n260"


def test_a_word_broken_at_the_end_of_a_line_is_marked() -> None:
    text, _ = in_reading_order([a_piece("the pres-", 100, 100, 300), a_piece("sure valve", 100, 130, 300)])
    assert text == f"the pres{HYPHEN_BREAK}sure valve"


def test_chinese_pieces_that_touch_are_joined_without_a_space() -> None:
    text, _ = in_reading_order([a_piece("请检查", 100, 100, 60), a_piece("墨盒", 161, 100, 40)])
    assert text == "请检查墨盒"


def test_two_pages_on_one_image_are_read_one_after_the_other() -> None:
    words = [" goes on" * (n % 3) for n in range(6)]
    left = [a_piece(f"ragged left line{more}", 50, 100 + 30 * n, 150 + 10 * len(more)) for n, more in enumerate(words)]
    right = lines_of("right", 560, count=6)
    starts = [line.split()[0] for line in in_reading_order(left + right, 1000)[0].split("\n") if line]
    assert starts == ["ragged"] * 6 + ["right"] * 6


def test_nothing_gives_no_text() -> None:
    assert in_reading_order([]) == ("", [])
