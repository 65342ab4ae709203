"""Addresses and markup in a text, however they are disguised: what a program that shows it might open or obey."""

from __future__ import annotations

import re
import unicodedata

from app.text.normalise import clean_characters

_PUBLIC = "com|net|org|info|biz|io|co|app|dev|xyz|top|site|online|cn|de|uk|fr|jp|ru|eu|us|example|test|invalid"
ADDRESS = re.compile(
    r"(?:[\w+.-]{2,20}:/{1,2}(?=\w)|(?:javascript|vbscript|mailto|xmpp|tel|sms):(?=\S)|data:(?=[\w/+-]*[;,])|www\.(?=\w))"
    r"[^\s\"'`<>，。；！？、）】》]*"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    rf"|(?<![\w@/.-])(?:[\w-]+\.)+(?:(?:{_PUBLIC})(?![\w.-])(?:[/?#:][^\s\"'`<>，。；！？、）】》]*)?|[a-z]{{2,}}/[^\s\"'`<>]+)",
    re.IGNORECASE,
)
"""With a scheme, beginning with www., of a mailbox, or the bare name of a host."""

MARKUP = re.compile(
    r"</?[a-z!?][^<>\n]*>|<[a-z][\w-]*[\s/]+[^<>\n]*=[^<>\n]*|!?\[[^\[\]\n]*\]\s?(?:\([^()\n]*\)?|\[[^\[\]\n]*\]?|:)",
    re.IGNORECASE,
)
"""A tag of HTML, or a link or image of Markdown."""

_STOP_AS_DOT = re.compile(r"(?<=[a-z0-9])[。｡](?=[a-z0-9])", re.IGNORECASE)
_TRAILING = ".,;:!?)]}*_"


def undisguised(text: str) -> str:
    """The text as a program would understand it: nothing invisible, wide letters as plain ones."""
    plain = unicodedata.normalize("NFKC", clean_characters(text))
    return _STOP_AS_DOT.sub(".", plain)


def live_parts(text: str) -> list[str]:
    """The addresses and pieces of markup in a text, undisguised."""
    plain = undisguised(text)
    found = [match.group().rstrip(_TRAILING) for match in ADDRESS.finditer(plain)]
    return [*found, *(match.group() for match in MARKUP.finditer(plain))]


def foreign_parts(text: str, known: str) -> list[str]:
    """Those that do not stand in `known`, letter for letter but for white space and case."""
    parts = live_parts(text)
    there = _bare(known) if parts else ""
    return [part for part in parts if _bare(part) not in there]


def _bare(text: str) -> str:
    return "".join(undisguised(text).casefold().split())
