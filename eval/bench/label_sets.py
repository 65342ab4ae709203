"""The sets of the folder of open data: which PDFs and questions belong together, and the pages that they label."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pypdfium2

from eval.question_sets import LabelledQuestion, PageRef, read

SETS = (
    "manuals_gold",
    "manuals_crosslingual",
    "manuals_multipage",
    "emanual_s10",
    "ohr_manuals",
    "rgb_zh",
    "rgb_en",
    "cmrc2018",
    "drcd",
    "xquad_zh",
    "xquad_en",
)
_MANUALS = "manuals"
_PIECE, _STEP = 24, 8
"""Characters of a piece of a passage that is looked for on a page, and from one piece's start to the next."""


@dataclass(frozen=True)
class LabelSet:
    """Questions and the PDFs that they are put to; `base` names the knowledge base, which sets may share."""

    name: str
    base: str
    folder: Path
    pdfs: tuple[Path, ...]

    @cached_property
    def questions(self) -> tuple[LabelledQuestion, ...]:
        """Its questions with the pages that hold what they are labelled with.

        A corpus says for some passages more pages than they stand on (the table of contents of a typeset manual
        counted twice), which would flatter every ranking: such pages are left out (`standing_on`).
        """
        passages = _passages(self.folder / "corpus.jsonl")
        pages = _PageTexts(self.pdfs)
        return tuple(_narrowed(question, passages, pages) for question in read(self.folder / "qa.jsonl").questions)


def find(data: Path, names: Sequence[str] = SETS) -> tuple[list[LabelSet], list[str]]:
    """The sets that are there, and the names of those that are not."""
    found, missing = [], []
    for name in names:
        folder = data / "sets" / name
        shared = name.startswith(f"{_MANUALS}_")
        pdfs = tuple(sorted((data / "pdf" if shared else folder / "pdf").glob("*.pdf")))
        if pdfs and (folder / "qa.jsonl").is_file():
            found.append(LabelSet(name, _MANUALS if shared else name, folder, pdfs))
        else:
            missing.append(name)
    return found, missing


@dataclass(frozen=True, slots=True)
class _Passage:
    text: str
    file: str
    pages: tuple[int, ...]


def _passages(path: Path) -> dict[str, _Passage]:
    if not path.is_file():
        return {}
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return {
        row["doc_id"]: _Passage(row["text"], Path(row["source_file"]).name, tuple(row.get("pages") or (row["page"],)))
        for row in rows
        if "source_file" in row
    }


def _narrowed(question: LabelledQuestion, passages: Mapping[str, _Passage], pages: _PageTexts) -> LabelledQuestion:
    labelled = [passages[reference] for reference in question.relevant_doc_ids if reference in passages]
    if all(len(passage.pages) == 1 for passage in labelled):
        return question
    kept: list[PageRef] = []
    for passage in labelled:
        texts = {page: pages.of(passage.file, page) for page in passage.pages}
        kept += [(passage.file, page) for page in standing_on(passage.text, texts)]
    return question.model_copy(update={"relevant_pages": tuple(dict.fromkeys(kept))})


def standing_on(passage: str, pages: Mapping[int, str]) -> list[int]:
    """The fewest of `pages` that together hold every piece of the passage that any of them holds, in order.

    All of them where none holds a piece. Blanks, hyphens and the form of characters do not count.
    """
    text = _bare(passage)
    pieces = {text[start : start + _PIECE] for start in range(0, max(1, len(text) - _PIECE + 1), _STEP)}
    bare = {page: _bare(words) for page, words in pages.items()}
    held = {page: {piece for piece in pieces if piece in words} for page, words in bare.items()}
    chosen: list[int] = []
    while missing := set().union(*held.values()) - set().union(*(held[page] for page in chosen)):
        chosen.append(max(held, key=lambda page: (len(held[page] & missing), -page)))
    return sorted(chosen) or list(pages)


class _PageTexts:
    """The text of pages; a file is read when its first page is asked for."""

    def __init__(self, pdfs: Iterable[Path]) -> None:
        self._pdfs = {pdf.name: pdf for pdf in pdfs}
        self._read: dict[str, list[str]] = {}

    def of(self, file: str, page: int) -> str:
        """ "" where there is no such page."""
        if file not in self._read:
            self._read[file] = _texts_of(self._pdfs[file]) if file in self._pdfs else []
        return self._read[file][page - 1] if page <= len(self._read[file]) else ""


def _texts_of(pdf: Path) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [document[index].get_textpage().get_text_range() for index in range(len(document))]
    finally:
        document.close()


def _bare(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text)
    return "".join(c for c in folded if not c.isspace() and c.isprintable() and c not in "-\u00ad\u2010")
