"""Where quotes stand in text that was written down in another way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.normalise import clean_page_text
from app.text.quoting import letters_of, places_of


def found(quote: str, page: str, near: str | None = None) -> list[str]:
    """The pieces of the page, white space and marks and all, that make up the quote."""
    letters = letters_of(page)
    spans = places_of(letters_of(quote).text, letters.text, None if near is None else len(letters_of(near).text))
    return [page[letters.sources[start] : letters.sources[end - 1] + 1] for start, end in spans]


@pytest.mark.parametrize(
    ("quote", "page", "there"),
    [
        ("The pump starts.", "A note. The pump\r\nstarts. Then", "The pump\r\nstarts"),
        ("automatically", "it auto\x02matically stops", "auto\x02matically"),
        ("real-time clock", "a real-\ntime clock", "real-\ntime clock"),
        ("the first filter", "the ﬁrst ﬁlter", "the ﬁrst ﬁlter"),
        ("水泵在十秒后启动。", "当水泵在十\n秒 后启动。", "水泵在十\n秒 后启动"),
        ("Café at 5 kg", "cafe\u0301 at 5 ㎏", "cafe\u0301 at 5 ㎏"),
        ("Contents … 7", "Contents . . . . . . . 7", "Contents . . . . . . . 7"),
        ("ＡＴ＋ＡＰＫＥＹ", "AT+APKEY=1", "AT+APKEY"),
        ("民用", "⺠用", "⺠用"),
    ],
)
def test_what_cleaning_changes_does_not_matter(quote: str, page: str, there: str) -> None:
    assert found(quote, page) == [there]


@pytest.mark.parametrize(
    ("quote", "page"),
    [
        ("The fan turns on at 60 degrees.", "The pump starts after ten seconds."),
        ("水泵在十秒后启动", "风扇在六十度时开启"),
        ("", "The pump starts."),
        ("...", "The pump starts..."),
        ("The pump starts.", ""),
    ],
)
def test_what_is_not_there_is_not_found(quote: str, page: str) -> None:
    assert found(quote, page) == []


def test_cells_in_another_order_are_found_one_by_one() -> None:
    page = "Part Filter cartridge Valve housing\nCode KP-1014 KP-2020"
    assert found("Filter cartridge\tKP-1014", page) == ["Filter cartridge", "KP-1014"]


def test_a_letter_that_differs_costs_only_itself() -> None:
    assert found("Turn the valve s1owly to the left.", "Turn the valve slowly to the left.") == [
        "Turn the valve s",
        "owly to the left",
    ]


def test_a_short_piece_far_away_is_left_out() -> None:
    page = "Code 4711 here. " + "Other words stand between. " * 20 + "Replace the large filter cartridge."
    assert found("Replace the large filter cartridge 4711", page) == ["Replace the large filter cartridge"]


def test_of_several_the_nearest_is_meant() -> None:
    page = "Press OK. Then wait. Press OK. Then leave. Press OK."
    letters = letters_of(page).text
    places = [at for at in range(len(letters)) if letters.startswith("pressok", at)]
    for place, before in zip(places, ("", "Press OK. Then wait.", page[:-9]), strict=True):
        assert places_of("pressok", letters, len(letters_of(before).text)) == [(place, place + 7)]


def test_a_place_beyond_the_end_finds_the_last() -> None:
    assert places_of("ok", "okxok", 1000) == [(3, 5)]


@given(st.text(max_size=300), st.integers(0, 300), st.integers(1, 300))
def test_every_part_of_a_cleaned_page_is_found(raw: str, start: int, length: int) -> None:
    raw = raw.encode("utf-8", "ignore").decode()
    quote = clean_page_text(raw)[start : start + length]
    assert letters_of(quote).text in letters_of(raw).text


@given(st.text("ab1 水", max_size=60), st.text("ab1 水", max_size=120), st.none() | st.integers(-5, 200))
def test_spans_say_what_the_quote_says(quote: str, page: str, near: int | None) -> None:
    quote, page = letters_of(quote).text, letters_of(page).text
    rest = quote
    for start, end in places_of(quote, page, near):
        assert 0 <= start < end <= len(page)
        _, piece, rest = rest.partition(page[start:end])
        assert piece
