"""Text from manuals, questions and models made safe to show: it steers no page, no terminal and no spreadsheet."""

from __future__ import annotations

import re

_STEERING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NO_CHARACTER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def plain(text: str) -> str:
    """Text with control characters made U+FFFD and marks that turn its direction written out, such as "‹U+202E›"."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _STEERING.sub(lambda found: f"‹U+{ord(found[0]):04X}›", _NO_CHARACTER.sub("\ufffd", lines))


def one_line(text: str) -> str:
    """`plain` text on one line with single spaces."""
    return " ".join(plain(text).split())


def shortened(text: str, characters: int) -> str:
    """At most `characters` of a text, with an ellipsis where it was longer."""
    return text if len(text) <= characters else text[: characters - 1].rstrip() + "…"


def spreadsheet_cell(text: str) -> str:
    """Plain text that a spreadsheet does not take for a formula: an apostrophe stands before one that could be."""
    safe = plain(text)
    return f"'{safe}" if safe.lstrip(" ").startswith(_FORMULA_STARTS) else safe
