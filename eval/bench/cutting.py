"""Manuals cut into many small documents by page ranges, and which page of which manual a page of a piece is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pypdf import PdfReader, PdfWriter

from eval.question_sets import PageRef


@dataclass(frozen=True, slots=True)
class Piece:
    """Pages `first` to `last` of a manual, counted from 1."""

    manual: str
    first: int
    last: int

    @property
    def name(self) -> str:
        """The file name of the document, which no other piece has."""
        return f"{Path(self.manual).stem}.p{self.first:04}-{self.last:04}.pdf"

    @property
    def pages(self) -> int:
        return self.last - self.first + 1

    def page(self, number: int) -> PageRef:
        """Where the piece's page of that number, counted from 1, stands in the manual."""
        return self.manual, self.first + number - 1


def pieces(lengths: Mapping[str, int], count: int) -> list[Piece]:
    """`count` pieces of manuals with so many pages, which together are all of their pages, each about as long.

    Raises ValueError where there are more manuals than pieces, or fewer pages.
    """
    if not len(lengths) <= count <= sum(lengths.values()):
        raise ValueError(f"{len(lengths)} manuals with {sum(lengths.values())} pages do not make {count} pieces")
    parts = dict.fromkeys(sorted(lengths), 1)
    for _ in range(count - len(parts)):
        parts[max(parts, key=lambda manual: lengths[manual] / parts[manual])] += 1
    return [piece for manual, number in parts.items() for piece in _cut(manual, lengths[manual], number)]


def _cut(manual: str, pages: int, number: int) -> list[Piece]:
    ends = [pages * place // number for place in range(number + 1)]
    return [Piece(manual, start + 1, end) for start, end in pairwise(ends)]


def cut(manuals: Iterable[Path], count: int, folder: Path) -> list[tuple[Piece, Path]]:
    """Writes the pieces of PDF files into `folder`; what is there already stays."""
    folder.mkdir(parents=True, exist_ok=True)
    readers = {path.name: PdfReader(path) for path in manuals}
    made = pieces({name: len(reader.pages) for name, reader in readers.items()}, count)
    written = [(piece, folder / piece.name) for piece in made]
    for piece, path in written:
        if not path.exists():
            writer = PdfWriter()
            writer.append(readers[piece.manual], pages=(piece.first - 1, piece.last), import_outline=False)
            unfinished = path.with_suffix(".part")
            writer.write(unfinished)
            unfinished.replace(path)
    return written
