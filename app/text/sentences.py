"""Where sentences begin and end in Chinese and English text, list items and table rows included."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

_MOST_CHARACTERS = 500
"""A longer stretch without an end (a table, a listing) is cut at a line break or a space."""

_ENDS = re.compile(r"[。！？；!?…]+|\.+")
_CLOSERS = "\"'”’）)」』】》]"
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff，。！？；：、（）]")
_LIST_MARK = re.compile(
    r"[ \t]*(?:[-–—•●▪■◦○*·※]\s|[•●▪■◦○※]|\(?\d{1,2}[.)](?=\s|[\u4e00-\u9fff])|\d{1,2}、|[（(]\d{1,2}[)）]|[①-⑳]"
    r"|第[一二三四五六七八九十\d]{1,3}步|Step\s+\d+|步骤\s*\d+)"
)
_ORDINAL_LINE = re.compile(r"[ \t]*\(?\d{1,2}$")
_TABLE_ROW = re.compile(r"\t|\s\|\s|^\|| {2,}\S.* {2,}\S")
_ABBREVIATIONS = frozenset(
    """e.g i.e vs no nos fig figs approx dr mr mrs ms inc ltd co corp max min ref sec vol ca cf pp p eq ch art tel
    st resp incl excl dept ext temp""".split()
)
_OPENS_SENTENCE = re.compile(r"[\"'“‘(（\[「『]*[A-Z0-9\u00c0-\u00de\u3400-\u4dbf\u4e00-\u9fff•●▪<]|$")


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]` is one sentence without the white space around it."""

    start: int
    end: int

    def of(self, text: str) -> str:
        return text[self.start : self.end]


def sentence_spans(text: str) -> list[Span]:
    """The sentences of `text` in order; they do not overlap and leave out nothing but white space.

    A line break ends a sentence where the next line is a list item or a table row, where the line is Chinese, and
    where it is clearly shorter than a wrapped line; a full stop does not end one inside `3.3V`, `e.g.` or `No. 5`.
    """
    spans: list[Span] = []
    start = 0
    for end in [*_boundaries(text), len(text)]:
        if end > start:
            spans.extend(_trimmed(text, start, end))
            start = end
    return spans


def split_sentences(text: str) -> list[str]:
    """The sentences themselves."""
    return [span.of(text) for span in sentence_spans(text)]


def _boundaries(text: str) -> list[int]:
    found = {place for match in _ENDS.finditer(text) if (place := _end_of_sentence(text, match)) is not None}
    found.update(_line_ends(text))
    return sorted(found)


def _end_of_sentence(text: str, match: re.Match[str]) -> int | None:
    end = match.end()
    while end < len(text) and text[end] in _CLOSERS:
        end += 1
    mark = match.group()
    if mark[0] in "。！？；…":
        return end
    if mark[0] in "!?":
        return end if end == len(text) or text[end].isspace() or _CJK.match(text, end) else None
    return end if _full_stop_ends(text, match.start(), end, single=len(mark) == 1) else None


def _full_stop_ends(text: str, stop: int, end: int, *, single: bool) -> bool:
    if end == len(text):
        return True
    if not text[end].isspace():
        return bool(single and _CJK.match(text, end) and stop and text[stop - 1].isalpha())
    line = text[text.rfind("\n", 0, stop) + 1 : stop]
    if _ORDINAL_LINE.fullmatch(line):
        return False
    word = re.split(r"[\s(（\"“]", text[max(0, stop - 12) : stop])[-1]
    if word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isupper()):
        return False
    rest = text[end : end + 12].lstrip()
    return bool(_OPENS_SENTENCE.match(rest) or _LIST_MARK.match(rest))


def _line_ends(text: str) -> list[int]:
    """Offsets just behind line breaks that end a sentence."""
    lines = text.split("\n")
    lengths = sorted(len(line) for line in lines if len(line) >= 20)
    wrap = lengths[int(len(lengths) * 0.8)] if lengths else 0
    found = []
    offset = 0
    for line, following in pairwise(lines):
        offset += len(line) + 1
        if _breaks(line, following, wrap):
            found.append(offset)
    return found


def _breaks(line: str, following: str, wrap: int) -> bool:
    here, after = line.strip(), following.strip()
    if not here or not after or here[-1] in ":：" or _LIST_MARK.match(following):
        return True
    if _TABLE_ROW.search(line) or _TABLE_ROW.search(following):
        return True
    if _CJK.match(here[-1]) or _CJK.match(after[0]):
        return True
    return len(here) < 0.6 * wrap and not after[0].islower()


def _trimmed(text: str, start: int, end: int) -> list[Span]:
    """One span without outer white space, or several where it is longer than any sentence should be."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start == end:
        return []
    if end - start <= _MOST_CHARACTERS:
        return [Span(start, end)]
    for gap in ("\n", " ", "，", ","):
        cut = text.rfind(gap, start + _MOST_CHARACTERS // 4, start + _MOST_CHARACTERS)
        if cut != -1:
            break
    else:
        cut = start + _MOST_CHARACTERS - 1
    return [*_trimmed(text, start, cut + 1), *_trimmed(text, cut + 1, end)]
