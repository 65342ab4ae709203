"""Headings found in the text, and the path over a place."""

from __future__ import annotations

import pytest

from app.ingest.outline import numbered_headings, place_headings
from app.types import Heading, Page

PAGES = (
    Page(1, "Contents\n1 Safety … 2\n1.1 Plug … 2"),
    Page(2, "1 Safety\nKeep Safety in mind.\n1.1  The Plug\nPull the plug.\n第2章 维护\n清洗水箱。"),
    Page(3, "Cleaning\nRinse."),
)
OFFSETS = (0, len(PAGES[0].text) + 1, len(PAGES[0].text) + len(PAGES[1].text) + 2)
OUTLINE = (Heading(1, "Safety", 2), Heading(2, "1.1 The plug", 2), Heading(1, "维 护", 2), Heading(2, "Not there", 3))


def test_headings_are_placed_at_their_lines() -> None:
    places = place_headings(OUTLINE, PAGES, OFFSETS)
    text = "\n".join(page.text for page in PAGES)
    assert [text[offset:].split("\n")[0] for offset in places.offsets] == [
        "1 Safety",
        "1.1  The Plug",
        "第2章 维护",
        "Cleaning",
    ]


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("Contents", ()),
        ("Keep Safety", ("Safety",)),
        ("Pull the", ("Safety", "1.1 The plug")),
        ("清洗", ("维 护",)),
        ("Rinse", ("维 护", "Not there")),
    ],
)
def test_path_is_what_stands_over_a_place(words: str, path: tuple[str, ...]) -> None:
    text = "\n".join(page.text for page in PAGES)
    assert place_headings(OUTLINE, PAGES, OFFSETS).path_at(text.index(words)) == path


def test_headings_on_pages_that_are_not_there_are_passed_over() -> None:
    assert place_headings([Heading(1, "Ghost", 9)], PAGES, OFFSETS).offsets == []


def test_known_offsets_are_kept() -> None:
    assert place_headings([Heading(1, "x", 2, 9)], PAGES, OFFSETS).offsets == [OFFSETS[1] + 9]


def test_numbered_lines_in_sequence_are_headings() -> None:
    pages = [
        Page(1, "1.1 Overview … 1\n1.2 Parts … 2"),
        Page(2, "1.1 Overview\nVoltage\n3.3 V supply\n1.2 Parts\n1.2.1 Lid\n1.5 mm wide\n1.2.2 Tank\n2.1 Use\n2.4 GHz"),
    ]
    found = numbered_headings(pages)
    assert [heading.title for heading in found] == ["1.1 Overview", "1.2 Parts", "1.2.1 Lid", "1.2.2 Tank", "2.1 Use"]
    assert [heading.level for heading in found] == [2, 2, 3, 3, 2]
    assert all(pages[1].text[heading.offset :].startswith(heading.title) for heading in found)


def test_a_few_numbers_are_no_outline() -> None:
    assert numbered_headings([Page(1, "1.1 V\n1.2 V")]) == ()
