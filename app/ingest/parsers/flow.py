"""Text on its way out of a markup child: lines, headings and page beginnings, within a budget of characters."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import NoReturn

from app.text.normalise import clean_characters

TITLE_CHARACTERS = 300
"""Longest heading; what is longer is a paragraph in a heading's clothes."""
HARD_BREAK = "\v"
"""In gathered text: the line ends here, unlike at any other white space."""

_MOST_HEADINGS = 5000
_PIECE_CHARACTERS = 100_000
_CHINESE = "\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
_WRAPPED_CHINESE = re.compile(rf"(?<=[{_CHINESE}])[ \t]*\r?\n[ \t\r\n]*(?=[{_CHINESE}])")


def one_line(text: str) -> str:
    """`text` on one line with single spaces; a line that only wrapped between Chinese characters leaves no space."""
    return " ".join(clean_characters(_WRAPPED_CHINESE.sub("", text)).split())


class Flow:
    """Gathers the lines of a document in order."""

    def __init__(self, characters: int) -> None:
        self._left = characters
        self._lines: list[str] = []
        self._headings: list[tuple[int, str, int]] = []
        self._page_starts: list[int] = []
        self._page_begun = 0
        self._drawn = False
        self._gap = False

    def line(self, text: str) -> None:
        """One clean line; empty ones only ask for a gap."""
        text = text.rstrip()
        if not text:
            self._gap = True
            return
        if self._gap and self._lines and self._lines[-1]:
            self._lines.append("")
        self._gap = False
        self._left -= len(text) + 1
        if self._left < 0:
            fail("too_costly", "characters")
        self._lines.append(text)

    def expect(self, characters: int) -> None:
        """Ends the program where text of this length cannot be taken any more."""
        if characters > self._left:
            fail("too_costly", "characters")

    def gap(self) -> None:
        """A blank line before the next one."""
        self._gap = True

    def heading(self, level: int, title: str) -> None:
        """A line that is also an entry of the outline, with a gap on either side."""
        self.gap()
        self.line(title)
        if title and len(title) <= TITLE_CHARACTERS and len(self._headings) < _MOST_HEADINGS:
            self._headings.append((level, title, len(self._lines) - 1))
        self.gap()

    def picture(self) -> None:
        """Something to see stands here, so that a page with nothing else is a page."""
        self._drawn = True

    @property
    def here(self) -> int:
        """The place that `page` takes: before the next line."""
        return len(self._lines)

    def page(self, at: int | None = None) -> None:
        """A page begins here, or `at` an earlier place; breaks with nothing to see between them are one."""
        if at is None:
            if self._drawn and self._page_begun == len(self._lines):
                self._lines.append("")
            at = self._page_begun = len(self._lines)
            self._drawn = False
        self._page_starts.append(at)

    def tell(self, title: str) -> None:
        """Says all of it, the last thing that a child does."""
        starts = self._real_page_starts()
        parts: list[str] = []
        offsets: list[int] = []
        at = 0
        for number, line in enumerate(self._lines):
            joint = "" if not number else "\f" if number in starts else "\n"
            at += len(joint)
            offsets.append(at)
            at += len(line)
            parts += (joint, line)
        text = "".join(parts)
        say(title=one_line(title[: TITLE_CHARACTERS * 8])[:TITLE_CHARACTERS], characters=len(text))
        for begin in range(0, len(text), _PIECE_CHARACTERS):
            say(text=text[begin : begin + _PIECE_CHARACTERS])
        say(headings=[(level, name, offsets[line]) for level, name, line in self._headings])
        say(end=True)

    def _real_page_starts(self) -> set[int]:
        return {start for start in self._page_starts if 0 < start < len(self._lines)}


def say(**message: object) -> None:
    """One line to the parent."""
    sys.stdout.write(json.dumps(message, ensure_ascii=True) + "\n")


def fail(error: str, detail: str = "") -> NoReturn:
    """The last line to the parent, where the file cannot be read."""
    say(error=error, detail=detail[:500])
    sys.stdout.flush()
    os._exit(0)
