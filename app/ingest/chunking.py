"""Cutting a document into chunks: exact slices of its text that the embedder reads whole.

Chunks end where pages, sections, paragraphs, lines or sentences end, and take a little of what is before them on their
page along. Every character that is not white space is in at least one chunk.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil
from pathlib import PurePath

from app.ingest.outline import Places, numbered_headings, place_headings
from app.text.table_headers import table_header
from app.types import Chunk, ParsedDocument

CountTokens = Callable[[Sequence[str]], list[int]]

_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff60\u3000-\u303f]")
_SEPARATORS = [
    "\n\n",
    "\n",
    r"(?:[。！？；…]+[”’」』）】]*|[.!?]+[\"'”’)]*\s)",
    r"(?:[，、：]|[,;:]\s)",
    r"\s",
    "",
]
"""Where to cut, best first, as regular expressions; each stays at the end of what it closes."""
_BEGINNINGS = re.compile(r"(?<=\n)(?=\S)|(?<=[。！？；])(?=[^\s。！？；”’」』）】])|(?<=[.!?]\s)(?=\S)")
_WORD_BEGINNINGS = re.compile(r"(?<=\s)(?=\S)|(?=[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff])")
_LEAST_SECTION = 0.5
"""Share of a chunk's size below which a section is put together with the next, where both fit in one chunk."""
_FRAGMENT = 0.2
"""Share below which a section never stands alone: a chapter's title goes with its first section."""
_TITLE = 0.12
"""Share below which a part is put together with the next one: a title, or the line that introduces a list."""
_EVEN = 1.15
"""How much wider than equal parts a part may get, so that it can end at a good place."""
_LEAST_CHARACTERS = 40
_NAME_CHARACTERS = 60
_PATH_CHARACTERS = 120
_BATCH = 256


@dataclass(frozen=True, slots=True)
class ChunkRules:
    """`size` and `overlap` in characters of Latin text, a Chinese one counting for one and a half; `max_tokens` is what
    the embedder reads at most, heading and document name included."""

    size: int
    overlap: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """`text[start:end]` is new in this chunk; the overlap begins at `lead`."""

    lead: int
    start: int
    end: int


def chunk_document(
    document_id: str,
    parsed: ParsedDocument,
    rules: ChunkRules,
    count_tokens: CountTokens,
    document_name: str = "",
    prefix: str | None = None,
) -> list[Chunk]:
    """The chunks of a document in order; the same input gives the same chunks and ids.

    `document_name` is the one that `index_text` will get: it counts towards `rules.max_tokens`. Ids begin with
    `prefix`, the document's id by default. A document without text has no chunks.
    """
    prefix = document_id if prefix is None else prefix
    text = "\n".join(page.text for page in parsed.pages)
    page_offsets = list(accumulate((len(page.text) + 1 for page in parsed.pages), initial=0))[:-1]
    outline = parsed.outline or numbered_headings(parsed.pages)
    places = place_headings(outline, parsed.pages, page_offsets)
    pieces = [
        piece
        for begin, end in _sections(text, page_offsets, places, rules)
        for piece in _cut(text, begin, end, rules.size, rules.overlap)
    ]
    draft = _Draft(document_id, document_name, prefix, text, parsed, page_offsets, places)
    fitting = _fit(draft, pieces, rules, count_tokens)
    return [draft.chunk(piece, ordinal) for ordinal, piece in enumerate(fitting)]


def index_text(chunk: Chunk, document_name: str) -> str:
    """What is embedded and indexed for a chunk: the manual's name and the headings over it, the head of the table that
    it continues, then its text."""
    name = PurePath(document_name.replace("/", " ")).stem[:_NAME_CHARACTERS].strip()
    path = list(chunk.heading_path)
    if path and chunk.text.startswith(path[-1]):
        path.pop()
    headings = " > ".join(path)
    if len(headings) > _PATH_CHARACTERS:
        headings = "…" + headings[-_PATH_CHARACTERS:]
    context = " > ".join(part for part in (name, headings) if part)
    return "\n".join(part for part in (context, chunk.table_header, chunk.text) if part)


def width(text: str) -> int:
    """Length in characters of Latin text: a Chinese or Japanese character carries as much as one and a half."""
    return _double_width(text) // 2


def _double_width(text: str) -> int:
    return 2 * len(text) + len(_CJK.findall(text))


# --- where to cut -----------------------------------------------------------------------------------------------------


def _sections(text: str, page_offsets: Sequence[int], places: Places, rules: ChunkRules) -> list[tuple[int, int]]:
    """Spans that cover the text, cut at the ends of pages and before headings.

    A chunk on one page proves one page: on the manuals measured, the right page came first for 73% of English and 82%
    of Chinese questions, against 43% and 58% with chunks that ran over page ends.
    """
    headings = [offset for offset in places.offsets if offset < len(text)]
    return [
        span
        for begin, end in pairwise([*page_offsets, len(text)])
        for span in _page_sections(text, begin, end, headings, rules)
    ]


def _page_sections(
    text: str, first: int, last: int, headings: Sequence[int], rules: ChunkRules
) -> list[tuple[int, int]]:
    """Spans that cover one page, cut before headings; small sections stand together with what follows them."""
    borders = sorted({first, last, *(offset for offset in headings if first < offset < last)})
    spans: list[tuple[int, int]] = []
    held = 0
    for begin, end in pairwise(borders):
        size = width(text[begin:end])
        small = held < rules.size * _LEAST_SECTION or size < rules.size * _FRAGMENT
        if spans and ((small and held + size <= rules.size) or held < rules.size * _FRAGMENT):
            spans[-1] = (spans[-1][0], end)
            held += size
        else:
            spans.append((begin, end))
            held = size
    return spans


def _cut(text: str, begin: int, end: int, size: int, overlap: int) -> list[_Piece]:
    """`text[begin:end]` in pieces of about equal width, none wider than `size` without its overlap."""
    pieces: list[_Piece] = []
    start = begin
    for part in _split(text[begin:end], size):
        stop = start + len(part)
        bare_start = stop - len(part.lstrip())
        bare_stop = start + len(part.rstrip())
        if bare_start < bare_stop:
            lead = _lead(text, begin, bare_start, overlap) if pieces else bare_start
            pieces.append(_Piece(lead, bare_start, bare_stop))
        start = stop
    return pieces


def _split(text: str, size: int) -> list[str]:
    """Parts that make up `text` exactly, none wider than `size`, a title or a last line not alone where it can be."""
    total = width(text)
    if total <= size:
        return [text]
    from langchain_text_splitters import RecursiveCharacterTextSplitter  # noqa: PLC0415  (slow to import)

    most = size * (1 - _TITLE)
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=max(2, int(2 * min(most, total / ceil(total / most) * _EVEN))),
        chunk_overlap=0,
        length_function=_double_width,
        separators=_SEPARATORS,
        is_separator_regex=True,
        keep_separator="end",
        strip_whitespace=False,
    )
    parts: list[str] = []
    for part in splitter.split_text(text):
        if parts and width(parts[-1]) < size * _TITLE and width(parts[-1] + part) <= size:
            parts[-1] += part
        else:
            parts.append(part)
    if len(parts) > 1 and width(parts[-1]) < size * _TITLE and width(parts[-2] + parts[-1]) <= size:
        parts[-2:] = [parts[-2] + parts[-1]]
    return parts


def _lead(text: str, begin: int, start: int, overlap: int) -> int:
    """Where the overlap of a piece begins, at most `overlap` before it: at a line or a sentence.

    A piece that begins with a sentence too long to be overlapped has none; one that begins amid a sentence takes some
    words along.
    """
    earliest = max(begin, start - overlap)
    while earliest < start and width(text[earliest:start]) > overlap:
        earliest += 1
    found = _BEGINNINGS.search(text, earliest, start + 1) or _WORD_BEGINNINGS.search(text, earliest, start)
    return found.start() if found else start


# --- what fits --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Draft:
    """All that makes a chunk of a piece."""

    document_id: str
    document_name: str
    prefix: str
    text: str
    parsed: ParsedDocument
    page_offsets: list[int]
    places: Places

    def chunk(self, piece: _Piece, ordinal: int) -> Chunk:
        return Chunk(
            id=f"{self.prefix}-{ordinal:06d}",
            document_id=self.document_id,
            ordinal=ordinal,
            text=self.text[piece.lead : piece.end],
            start=piece.lead,
            page_starts=self._page_starts(piece),
            heading_path=self.places.path_at(piece.start),
            table_header=self._table_header(piece),
        )

    def _table_header(self, piece: _Piece) -> str:
        page = bisect_right(self.page_offsets, piece.lead) - 1
        return table_header(self.parsed.pages[page].text, piece.lead - self.page_offsets[page])

    def _page_starts(self, piece: _Piece) -> tuple[tuple[int, int], ...]:
        first = bisect_right(self.page_offsets, piece.lead) - 1
        last = bisect_right(self.page_offsets, piece.end - 1)
        pages = self.parsed.pages
        later = [index for index in range(first + 1, last) if pages[index].text.strip()]
        return (0, pages[first].number), *((self.page_offsets[at] - piece.lead, pages[at].number) for at in later)


def _fit(draft: _Draft, pieces: list[_Piece], rules: ChunkRules, count_tokens: CountTokens) -> list[_Piece]:
    """`pieces` with those that the embedder would cut divided until they fit."""
    fitting: dict[int, _Piece] = {}
    waiting = pieces
    while waiting:
        counts = _counted(draft, waiting, count_tokens)
        following: list[_Piece] = []
        for piece, tokens in zip(waiting, counts, strict=True):
            smaller = [] if tokens <= rules.max_tokens else _smaller(draft.text, piece, tokens, rules)
            if smaller:
                following.extend(smaller)
            else:
                fitting[piece.start] = piece
        waiting = following
    return [fitting[start] for start in sorted(fitting)]


def _counted(draft: _Draft, pieces: list[_Piece], count_tokens: CountTokens) -> list[int]:
    texts = [index_text(draft.chunk(piece, 0), draft.document_name) for piece in pieces]
    return [tokens for begin in range(0, len(texts), _BATCH) for tokens in count_tokens(texts[begin : begin + _BATCH])]


def _smaller(text: str, piece: _Piece, tokens: int, rules: ChunkRules) -> list[_Piece]:
    """The piece in at least two parts, or without its overlap where it is short; nothing where neither can be."""
    if piece.end - piece.start <= _LEAST_CHARACTERS:
        return [_Piece(piece.start, piece.start, piece.end)] if piece.lead < piece.start else []
    parts = max(2, ceil(tokens / rules.max_tokens))
    size = max(1, int(width(text[piece.start : piece.end]) / parts))
    cut = _cut(text, piece.start, piece.end, size, min(rules.overlap, size // 5))
    first_lead = _lead(text, piece.lead, piece.start, min(rules.overlap, size // 5))
    return [_Piece(first_lead, cut[0].start, cut[0].end), *cut[1:]] if len(cut) > 1 else []
