"""Clean text of pages and names: what is shown keeps the manual's characters, what is compared is folded.

Shown text and the page of the PDF are the same after `fold` and removal of white space, so that a quote can be found on
its page again. Two things aside: a hyphen that only broke a word at the end of a line, and rows of dots in a table of
contents.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable
from itertools import pairwise

HYPHEN_BREAK = "\x02"
"""What pdfium writes for a hyphen at the end of a line, in place of the hyphen and the line break."""

_CONTROL = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
_FORMAT = (
    "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ufe00-\ufe0f\U000e0000-\U000e0fff"
)
_NO_CHARACTER = "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\U000f0000-\U0010ffff"
_INVISIBLE = re.compile(f"[{_CONTROL}{_FORMAT}{_NO_CHARACTER}]")
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_SPACES = re.compile("[ \t\v\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028\u2029\f\v]")
_BLANK_LINES = re.compile("\n{3,}")
# Presentation forms that stand for plain letters: radicals used as characters, ligatures, Arabic shapes.
_SHAPES = re.compile("[\u2e80-\u2fdf\ufb00-\ufb4f\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc]")

# Everything that can be a combining mark, and few other things.
_MARK = r"[^\w\s\x00-\u02ff\u2000-\u20cf\u2100-\u2bff\u3000-\u3029\u3030-\u303f\ue000-\uf8ff\ufe30-\uffef]"
_HEAPED = re.compile(f"({_MARK}{{30}}){_MARK}+")

# Simplified characters that some fonts give as radicals, which NFKC leaves alone or makes traditional.
_RADICALS = str.maketrans(
    "⺠⺟⻁⻄⻅⻆⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻬⻮⻰⻳⼾",
    "民母虎西见角车长门青韦页风飞食马骨鬼鱼鸟卤麦黄齐齿龙龟户",
)

_CJK = "\u2e80-\u303f\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff“”‘’…—"
_IS_CJK = re.compile(f"[{_CJK}]")
_LIST_START = re.compile(
    r"[-–—•●▪■◦○*·※➢✓☞►▶◆◇□]|\(?\d{1,2}[.)、）]|\d+(?:\.\d+)+|[（(]?[a-zA-Z\d]{1,2}[)）]|[①-⑳]"
    r"|第.{1,4}[章节步条]|步骤|注意|警告|图|表|Step\b|Note\b|Fig|Table\b|Chapter\b|Warning\b|Caution\b"
)
_ENDS_HERE = re.compile(r"[。！？；：.!?;:…]['\"”’）)」』】》\]]*$")
_LEADERS = re.compile(r"(?:\s?\.){5,}|(?:\s?·){5,}|…{3,}")
_SPACED_OUT = re.compile(r"(?<![\u4e00-\u9fff])[\u4e00-\u9fff](?: [\u4e00-\u9fff]){3,}(?![\u4e00-\u9fff])")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_BROKEN_WORD = re.compile(rf"(\w{{0,40}}){HYPHEN_BREAK}(\w{{0,40}})")
_FULL_LINE = 0.86
_LEAST_LETTERS = 0.6
_ALIKE = 6
_LEAST_FULL_WIDTH = 40


def fold(text: str) -> str:
    """`text` for comparisons: NFKC, case folded, each run of white space one space, none at the ends."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def clean_page_text(raw: str, words: Container[str] = frozenset()) -> str:
    """The text of a page as it is shown and quoted.

    Lines that were only wrapped are joined again; lines that end a paragraph, start a list item or belong to a table
    stay lines. A line with a tab is a row of a table: its cells are tidied one by one and the tabs stay. Invisible
    characters (control, zero width, direction marks, tags) go. `words` (see `vocabulary`) decides whether the hyphen
    of a word broken at a line's end belongs to the word.
    """
    text = clean_characters(_join_broken_words(raw, words))
    lines = [_tidy(line) for line in text.split("\n")]
    return _BLANK_LINES.sub("\n\n", "\n".join(_unwrapped(lines))).strip("\n ")


def _tidy(line: str) -> str:
    """One line, or each cell of a row: single spaces, no row of dots up to a page number, no spaces set between
    Chinese characters."""
    if "\t" in line:
        cells = [_tidy(cell) for cell in line.split("\t")]
        return "\t".join(cells) if any(cells) else ""
    line = _LEADERS.sub(" … ", _SPACES.sub(" ", line))
    return _SPACED_OUT.sub(lambda match: match.group().replace(" ", ""), _SPACES.sub(" ", line).strip())


def clean_characters(text: str) -> str:
    """`text` with one kind of line break, canonical characters and nothing invisible; spaces and lines stay.

    Of marks heaped on one letter 30 stay: putting them in order takes the square of their number.
    """
    text = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text)).translate(_RADICALS)
    text = _HEAPED.sub(r"\1", text)
    text = _SHAPES.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    return _PRIVATE.sub(_symbol, unicodedata.normalize("NFC", text))


def clean_line(text: str, limit: int) -> str:
    """`text` on one line of at most `limit` characters, without anything invisible; for titles and names."""
    return " ".join(clean_characters(text[: limit * 8]).split())[:limit].strip()


def vocabulary(pages: Iterable[str]) -> frozenset[str]:
    """The case-folded words of raw pages that were not broken at a line's end, compounds like `real-time` included."""
    found: set[str] = set()
    for raw in pages:
        for word in _WORD.findall(_BROKEN_WORD.sub(" ", raw)):
            found.add(word.casefold())
            found.update(word.casefold().split("-"))
    return frozenset(found)


def _join_broken_words(raw: str, words: Container[str]) -> str:
    if HYPHEN_BREAK not in raw:
        return raw
    return _BROKEN_WORD.sub(lambda match: match[1] + _hyphen(match[1], match[2], words) + match[2], raw)


def _hyphen(left: str, right: str, words: Container[str]) -> str:
    """The hyphen between the halves of a broken word, or nothing where it only marked the break."""
    before, after = left.casefold(), right.casefold()
    if not before or not after or not (before[-1].isalpha() and after[0].isalpha()):
        return "-"
    if before + after in words:
        return ""
    both_known = before in words and after in words
    new_name = right[0].isupper() and not left.isupper()
    return "-" if f"{before}-{after}" in words or both_known or new_name else ""


def _symbol(match: re.Match[str]) -> str:
    """Bullets of the Symbol and Wingdings fonts as bullets; other private characters mean nothing to a reader."""
    return "•" if "\uf020" <= match.group() <= "\uf0ff" else ""


def _unwrapped(lines: list[str]) -> list[str]:
    """`lines` with each one that was only wrapped joined to the next."""
    full = _full_width(lines)
    joined: list[list[str]] = [lines[:1]]
    for line, following in pairwise(lines):
        if _wraps(line, following, full):
            joined[-1] += [line_glue(line, following), following]
        else:
            joined.append([following])
    return ["".join(parts) for parts in joined]


def _full_width(lines: list[str]) -> float:
    """About how wide a full line of this page is; unreachable where no two lines are of similar, good width."""
    widths = sorted((_width(line) for line in lines if line and "\t" not in line), reverse=True)
    if len(widths) < 2 or widths[1] < _LEAST_FULL_WIDTH:
        return float("inf")
    return widths[min(len(widths) // 10 + 1, len(widths) - 1)]


def _wraps(line: str, following: str, full: float) -> bool:
    """Whether `line` ended only because the first word of `following` did not fit."""
    if "\t" in line or "\t" in following:
        return False
    if not line or not following or _ENDS_HERE.search(line) or _LIST_START.match(following):
        return False
    if _same_shape(line, following):
        return False
    first = 4 if _IS_CJK.match(following) else len(following.split(" ", 1)[0]) + 1
    if _width(line) + min(first, full / 3) < full * _FULL_LINE:
        return False
    if not (_is_prose(line) and (_is_prose(following) or len(following) < 12)):
        return False
    return bool(_IS_CJK.match(line[-1]) or _IS_CJK.match(following) or following[0].islower() or line[-1].islower())


def _same_shape(line: str, following: str) -> bool:
    """Whether two lines begin or end alike, as rows of a table and lines of a listing do."""
    return line[:_ALIKE] == following[:_ALIKE] or line[-_ALIKE:] == following[-_ALIKE:]


def _is_prose(line: str) -> bool:
    solid = line.replace(" ", "")
    return sum(map(str.isalpha, solid)) >= _LEAST_LETTERS * len(solid)


def line_glue(left: str, right: str) -> str:
    """What stands between two lines, neither empty, that are one: nothing between Chinese characters, else a space."""
    return "" if _IS_CJK.match(left[-1]) and _IS_CJK.match(right[0]) else " "


def _width(line: str) -> int:
    return len(line) + len(_IS_CJK.findall(line))
