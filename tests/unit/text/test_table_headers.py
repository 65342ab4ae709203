"""The head of a table for chunks that begin further down."""

from __future__ import annotations

import pytest

from app.text.table_headers import table_header

PAGE = "Ratings\nModel\tVoltage\nA\t12 V\nB\t24 V\nThe end.\nCode\tMeaning\nE1\tHot\n"


@pytest.mark.parametrize(
    ("start", "header"),
    [
        ("Ratings", ""),
        ("Model", ""),
        ("Voltage", ""),
        ("A\t", "Model\tVoltage"),
        ("24 V", "Model\tVoltage"),
        ("The end", ""),
        ("Code", ""),
        ("E1", "Code\tMeaning"),
    ],
)
def test_head_of_the_rows_around_the_start(start: str, header: str) -> None:
    assert table_header(PAGE, PAGE.index(start)) == header


def test_a_page_that_begins_with_a_table() -> None:
    assert table_header("Model\tVoltage\nA\t12 V", 14) == "Model\tVoltage"
    assert table_header("", 0) == ""
    assert table_header("A\tB", 3) == ""


def test_a_long_first_row_is_no_head() -> None:
    assert table_header("word " * 100 + "\tx\nA\tB", 504) == ""
