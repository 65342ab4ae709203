"""Running heads and page numbers go, text stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.ingest.parsers.running_lines import without_running_lines


def test_heads_feet_and_page_numbers_go() -> None:
    texts = [f"Text {letter} of the page.\nMore of {letter}." for letter in "abcdefgh"]
    pages = [f"Pump P1 Manual\n{text}\n{number}" for number, text in enumerate(texts, 3)]
    assert without_running_lines(pages) == texts


def test_feet_that_differ_in_their_number_are_the_same() -> None:
    pages = [f"Step {'abcdefgh'[n]}.\nUser manual {n + 1} / 8" for n in range(8)]
    assert without_running_lines(pages) == [f"Step {'abcdefgh'[n]}." for n in range(8)]


def test_numbers_that_do_not_count_with_the_pages_stay() -> None:
    pages = [f"Code\n{value}" for value in (7, 7, 3, 120, 7, 9, 7, 7)]
    assert [page.split("\n")[-1] for page in without_running_lines(pages)] == ["7", "7", "3", "120", "7", "9", "7", "7"]


def test_a_value_between_page_numbers_stays() -> None:
    pages = [f"Row of page {'abcdefgh'[n]}\n40\n{n + 1}" for n in range(8)]
    assert all(page.endswith("\n40") for page in without_running_lines(pages))


def test_short_documents_are_left_alone() -> None:
    pages = ["Warning\nHot.", "Warning\nWet.", "Warning\nSharp."]
    assert without_running_lines(pages) == pages


@given(st.lists(st.text(st.sampled_from("ab1 \n"), max_size=40), max_size=20))
def test_only_whole_lines_at_the_edges_go(pages: list[str]) -> None:
    for before, after in zip(pages, without_running_lines(pages), strict=True):
        lines = before.split("\n")
        assert "\n".join(lines[2:-2]) in after
        assert len(lines) - len(after.split("\n")) <= 4


def test_rows_of_tables_stay_on_every_page() -> None:
    pages = [f"Code\tMeaning\n{'abcdefgh'[n]}\tText\n\t{n + 1}" for n in range(8)]
    assert without_running_lines(pages) == pages
