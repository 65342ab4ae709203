"""Text of manuals and users as data inside a prompt: none of it can write a fence or a chat template's mark."""

from __future__ import annotations

import re

_FORGED = re.compile(r"<(?=\s*[|/]|\s*(?:passage|accepted|given))|(?<=\|)>", re.IGNORECASE)


def as_data(text: str) -> str:
    """The text without what could open or close a fence (`<passage ...>`, `</...>`) or a turn (`<|...|>`)."""
    return _FORGED.sub(" ", text)


def one_line(text: str) -> str:
    """The text on one line, every run of white space a blank."""
    return " ".join(text.split())
