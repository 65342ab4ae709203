"""The model's reply, read as it streams: the quote it starts from, the answer behind it, or the agreed refusal."""

from __future__ import annotations

import re
from typing import get_args

from app.generate.prompt import ANSWER_MARK, NO_QUOTE, QUOTE_MARK, REFUSAL
from app.ports import Odds
from app.text.normalise import clean_characters
from app.text.sentences import split_sentences
from app.types import Language

_VARIANTS = (
    *(REFUSAL[language] for language in get_args(Language)),
    "Not stated in the manual.",
    "Not stated in the passages.",
    "Not stated.",
    "The manuals do not say.",
    "The passages do not state the answer.",
    "手册中没有说明",
    "手册没有说明",
    "手册中未说明",
    "手册未说明",
    "段落中没有说明",
    "段落没有说明",
    "段落没有写明",
)
"""The sentence as agreed and as small models bend it."""


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


_SAYS_NOT = re.compile(
    r"\b(?:manuals?|passages?)\b[^.]{0,40}\b(?:do|does)(?: not|n't) "
    r"(?:state|mention|specify|give|provide|describe|say)\b"
    r"|\b(?:is|are|was|were)(?: not|n't) (?:\w+ly )?(?:stated|mentioned|specified|given|provided|described)\b"
    r"[^.]*\b(?:manuals?|passages?|documents?)\b"
    r"|(?:手册|段落)[^。，]{0,8}(?:没有|并未|未)[^。，]{0,4}(?:说明|提及|提到|给出|写明|列出|描述|规定)",
    re.IGNORECASE,
)
"""A sentence by which an answer says itself that the manuals have none: "X is not stated in the manuals"."""

_LONGEST_QUOTE, _LOST = 300, 700
"""Characters of a quote up to which it may stand for a missing answer, and from which on a model only copies."""

_REFUSALS = frozenset(_plain(variant) for variant in _VARIANTS)
_NO_QUOTES = frozenset(_plain(word) for words in NO_QUOTE.values() for word in words)
_QUOTE = re.compile(rf"\s*(?:{'|'.join(mark.rstrip(':：') for mark in QUOTE_MARK.values())})\s*[:：]")
_ANSWER = re.compile(rf"(?:^|\n)\s*(?:{'|'.join(mark.rstrip(':：') for mark in ANSWER_MARK.values())})\s*[:：][ \t]*")


class Reply:
    """Takes the pieces of one reply; `read` says what of each may be shown.

    The quote is not shown, and neither is the beginning of an answer that may still become the refusal.
    """

    def __init__(self) -> None:
        self.written = ""
        self._shown = 0
        self._clear = False
        self.doubt = 0.0
        """The probability that the model gave to "no quote" when it began its quote; 0 where nobody told."""

    @property
    def quote(self) -> str:
        """The words of the passages that the model started from; empty where it gave none."""
        return self._split()[0] or ""

    @property
    def gave_no_quote(self) -> bool:
        """Whether it said outright that there is nothing to quote."""
        return self._no_quote(self.quote)

    @property
    def answer(self) -> str:
        """The answer so far, without the quote and the marks; a reply that stops behind its quote answers with that."""
        quote, answer = self._split()
        return (answer or "").strip() or (quote or "").strip()

    @property
    def refused(self) -> bool:
        """Whether the model says that the passages do not answer; an answer that takes itself back is none.

        An answer behind "no quote" counts: small models write it where they know the answer but not the sentence.
        """
        quote, answer = self._split()
        if answer is None:
            return quote is None or self._no_quote(quote) or len(quote) > _LONGEST_QUOTE
        if not answer.strip():
            return not quote or self._no_quote(quote)
        return any(_plain(text) in _REFUSALS or _SAYS_NOT.search(text) for text in split_sentences(answer))

    @property
    def begun(self) -> bool:
        """Whether the answer proper has begun."""
        return self._split()[1] is not None

    @property
    def surely_refused(self) -> bool:
        """Whether it is settled, before the end of the reply, that it refuses."""
        quote, answer = self._split()
        return bool(quote and self._no_quote(quote) and answer and _plain(answer) in _REFUSALS)

    @property
    def is_lost(self) -> bool:
        """Whether it copies on and on where a quote and an answer are wanted; small models do, and find no end."""
        quote, answer = self._split()
        return answer is None and len(quote or "") > _LOST

    def read(self, piece: str) -> str:
        """The text that may be shown now, often empty."""
        self.written += clean_characters(piece)
        _, answer = self._split()
        if answer is None:
            return ""
        if not self._clear:
            beginning = _plain(answer)
            if any(r.startswith(beginning) or beginning.startswith(r) for r in _REFUSALS):
                return ""
            self._clear = True
        return self._rest(answer)

    def weigh(self, odds: Odds) -> None:
        """Take note of the odds of the token to come."""
        if _QUOTE.fullmatch(self.written.rstrip()):
            self.doubt = sum(p for token, p in odds.tokens if _plain(token) in _NO_QUOTES)

    def end(self) -> str:
        """What was held back and may be shown after all, as the reply is complete."""
        answer = self._split()[1]
        return "" if answer is None or self.refused else self._rest(answer)

    def _rest(self, answer: str) -> str:
        text = answer[self._shown :]
        self._shown = len(answer)
        return text

    def _split(self) -> tuple[str | None, str | None]:
        """Quote and answer; the answer is None while it has not begun."""
        start = _QUOTE.match(self.written)
        if start is None:
            if mark := _ANSWER.match(self.written):
                return None, self.written[mark.end() :]
            return None, None if _may_be_mark(self.written) else self.written.lstrip()
        mark = _ANSWER.search(self.written, start.end())
        if mark is None:
            return self.written[start.end() :].strip(), None
        return self.written[start.end() : mark.start()].strip(), self.written[mark.end() :]

    @staticmethod
    def _no_quote(quote: str) -> bool:
        return _plain(quote) in _NO_QUOTES or _plain(quote) in _REFUSALS


def _may_be_mark(text: str) -> bool:
    beginning = text.strip()
    return any(mark.startswith(beginning) for marks in (QUOTE_MARK, ANSWER_MARK) for mark in marks.values())
