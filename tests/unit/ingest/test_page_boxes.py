"""Boxes around quotes: one a line, around all of it and nothing else, whichever way the text runs."""

from __future__ import annotations

import pytest

from app.ingest.rendering.boxes import Box, Glyph, PageLayout, glyphs_of_lines

WIDTH, HEIGHT, LINE = 0.01, 0.012, 0.02


def a_page(*lines: str, left: float = 0.1, top: float = 0.1) -> list[Glyph]:
    """Lines of evenly spaced characters; blanks are left out."""
    return [
        Glyph(text, x, y, x + WIDTH * 0.9, y + HEIGHT)
        for row, line in enumerate(lines)
        for column, text in enumerate(line)
        if text != " "
        for x, y in ((left + column * WIDTH, top + row * LINE),)
    ]


def turned(glyphs: list[Glyph]) -> list[Glyph]:
    """The page lying on its side: what ran to the right runs down."""
    return [Glyph(text, 1 - bottom, left, 1 - top, right) for text, left, top, right, bottom in glyphs]


def holds(box: Box, glyph: Glyph) -> bool:
    return box[0] <= glyph.left and box[1] <= glyph.top and box[2] >= glyph.right and box[3] >= glyph.bottom


def test_a_quote_over_two_lines_has_two_boxes_around_its_letters_alone() -> None:
    glyphs = a_page("Safety first. Never open the", "lid while it boils. Then wait.")
    boxes = PageLayout(glyphs).boxes("Never open the lid while it boils.")
    assert len(boxes) == 2
    inside = "".join(glyph.text for glyph in glyphs if any(holds(box, glyph) for box in boxes))
    assert inside == "Neveropenthelidwhileitboils."


def test_the_boxes_of_two_lines_do_not_touch() -> None:
    first, second = PageLayout(a_page("one two", "three four")).boxes("one two three four")
    assert first[3] <= second[1]


def test_a_wide_gap_makes_two_boxes() -> None:
    assert len(PageLayout(a_page("Valve" + " " * 30 + "closed")).boxes("Valve closed")) == 2


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_page_on_its_side_has_boxes_along_its_lines(turns: int) -> None:
    glyphs = a_page("Safety first. Never open the", "lid while it boils. Then wait.")
    for _ in range(turns):
        glyphs = turned(glyphs)
    boxes = PageLayout(glyphs).boxes("Never open the lid while it boils.")
    inside = "".join(glyph.text for glyph in glyphs if any(holds(box, glyph) for box in boxes))
    assert (len(boxes), inside) == (2, "Neveropenthelidwhileitboils.")


def test_boxes_stay_on_the_page() -> None:
    glyphs = [Glyph("a", 0.0, 0.0, 0.5, 0.4), Glyph("b", 0.5, 0.0, 1.0, 0.4)]
    assert PageLayout(glyphs).boxes("ab") == [(0.0, 0.0, 1.0, 0.46)]


def test_a_letter_of_no_height_and_nothing_at_all() -> None:
    assert len(PageLayout([Glyph("a", 0.5, 0.5, 0.5, 0.5)]).boxes("a")) == 1
    assert PageLayout([]).boxes("a") == []


def test_lines_read_by_ocr_are_as_if_set_evenly() -> None:
    layout = PageLayout(glyphs_of_lines([("Press OK 确认", 0.1, 0.2, 0.9, 0.24), ("Then wait", 0.1, 0.3, 0.7, 0.34)]))
    ((left, top, right, bottom),) = layout.boxes("OK")
    assert left == pytest.approx(0.1 + 0.8 * 6 / 13, abs=0.005)
    assert right == pytest.approx(0.1 + 0.8 * 8 / 13, abs=0.005)
    assert (top, bottom) == (pytest.approx(0.194, abs=0.001), pytest.approx(0.246, abs=0.001))
    assert len(layout.boxes("OK 确认 Then wait")) == 2


def test_an_upright_line_read_by_ocr_is_cut_from_top_to_bottom() -> None:
    ((left, top, right, bottom),) = PageLayout(glyphs_of_lines([("abcd", 0.1, 0.2, 0.12, 0.6)])).boxes("cd")
    assert (top, bottom) == (pytest.approx(0.4, abs=0.01), pytest.approx(0.6, abs=0.01))
    assert right - left < 0.04
