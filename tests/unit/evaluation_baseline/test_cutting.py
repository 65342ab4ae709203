"""Manuals cut into small documents: every page is in one of them, and is known again by its place in the manual."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from eval.bench.cutting import Piece, cut, pieces
from tests.fixtures.pdfs import a_pdf


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_pieces_are_all_pages_once_and_about_as_long(pages: list[int], data: st.DataObject) -> None:
    lengths = {f"manual-{number}.pdf": length for number, length in enumerate(pages)}
    count = data.draw(st.integers(len(pages), sum(pages)))
    made = pieces(lengths, count)
    assert len({piece.name for piece in made}) == len(made) == count
    found = [piece.page(number) for piece in made for number in range(1, piece.pages + 1)]
    assert sorted(found) == sorted((name, page) for name, length in lengths.items() for page in range(1, length + 1))
    for name in lengths:
        own = [piece.pages for piece in made if piece.manual == name]
        assert max(own) - min(own) <= 1


def test_what_cannot_be_cut_so_is_refused() -> None:
    for count in (1, 6):
        with pytest.raises(ValueError, match=f"5 pages do not make {count} pieces"):
            pieces({"one.pdf": 2, "two.pdf": 3}, count)


def test_a_piece_has_the_pages_of_its_manual(tmp_path: Path) -> None:
    manual = tmp_path / "pump.pdf"
    manual.write_bytes(a_pdf([f"This is page {number} of the manual." for number in range(1, 8)]))
    for _ in range(2):  # what is there already is taken as it is
        made = cut([manual], 3, tmp_path / "pieces")
        assert [piece for piece, _ in made] == [
            Piece("pump.pdf", 1, 2),
            Piece("pump.pdf", 3, 4),
            Piece("pump.pdf", 5, 7),
        ]
        for piece, path in made:
            for number, page in enumerate(PdfReader(path).pages, start=1):
                assert f"page {piece.page(number)[1]} of" in page.extract_text()
    assert sorted(path.name for path in (tmp_path / "pieces").iterdir()) == [piece.name for piece, _ in made]
